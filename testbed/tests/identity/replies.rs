//! Why users of a namespace may not even pull: the server answers wherever a request says.

use anyhow::{Result, ensure};
use async_nats::jetstream::{self, consumer::pull};
use certs::nats::Creds;
use contract::access::{Names, Role};
use contract::stream::{CHANGES, DEAD};
use testbed::{PATIENCE, eventually};

use crate::server::Server;

#[tokio::test]
async fn a_pull_writes_where_its_sender_may_not() -> Result<()> {
    let server = Server::with_identities().await?;
    let context = jetstream::new(server.nats.client().await?);
    ops::streams::ensure(&context, 1).await?;
    let durable = pull::Config { durable_name: Some("ready".into()), ..pull::Config::default() };
    context.get_stream(CHANGES).await?.create_consumer(durable).await?;
    context.publish("roadstead.change.east.x", "what is stored".into()).await?.await?;

    let victim = "roadstead.dead.west.a.b";
    let names = Names { cluster: "east", namespace: "", user: "" };
    ensure!(!Role::Executor.access(&names).publishes(victim));
    let creds = server.nats.identities().unwrap().component(Role::Executor);
    let text = std::fs::read_to_string(&creds)?;
    ensure!(Creds::parse(&text)?.claims.name == "executor");
    let executor = async_nats::ConnectOptions::with_credentials(&text)?.connect(server.nats.url()).await?;
    let next = format!("$JS.API.CONSUMER.MSG.NEXT.{CHANGES}.ready");
    executor.publish_with_reply(next, victim, "1".into()).await?;
    executor.flush().await?;
    // It comes by the victim's subject, and is kept under the one that it had.
    eventually("it stands in the victim's stream", PATIENCE, async || {
        let message = context.get_stream(DEAD).await?.get_raw_message(1).await?;
        ensure!(message.payload == "what is stored", "{message:?}");
        Ok(())
    })
    .await
}
