//! How long credentials are good for: until they expire or are revoked, on connections that are open as well.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_nats::{Client, connection::State};
use certs::nats::{Creds, Folder};
use contract::access::Role;
use contract::stream::CHANGES;
use testbed::{PATIENCE, eventually};

use crate::server::Server;

const LIFE: Duration = Duration::from_hours(24);

/// A component's connection, as it makes it itself.
async fn component(server: &Server, role: Role) -> Result<Client> {
    let creds = folder(server)?.component(role);
    let nats = ops::args::Nats {
        urls: vec![server.nats.url().to_owned()],
        creds: Some(creds),
        ..ops::args::Nats::default()
    };
    Ok(ops::nats::connect(&nats, role, "east").await?)
}

fn folder(server: &Server) -> Result<&Folder> {
    server.nats.identities().context("the server has no identities")
}

async fn is(client: &Client, state: State) -> Result<()> {
    eventually(&format!("the connection is {state}"), PATIENCE, async || {
        let now = client.connection_state();
        ensure!(now == state, "it is {now}");
        Ok(())
    })
    .await
}

/// Whether it is let in and answered.
async fn works(client: &Client) -> Result<()> {
    eventually("it is answered", PATIENCE, async || {
        let asked = client.request(format!("$JS.API.STREAM.INFO.{CHANGES}"), "".into());
        tokio::time::timeout(Duration::from_secs(1), asked).await??;
        Ok(())
    })
    .await
}

fn user(server: &Server, role: Role) -> Result<String> {
    Ok(Creds::parse(&fs::read_to_string(folder(server)?.component(role))?)?.claims.sub)
}

/// The command of operators.
fn certs(server: &Server, arguments: &[&str]) -> Result<String> {
    let program = testbed::folder::binaries_folder()?.join("roadstead-certs");
    let dir = server.file("identities");
    let output = Command::new(program).arg("nats").args(arguments).args(["--dir", &dir]).output()?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    Ok(said.into_owned())
}

fn init(server: &Server) -> Result<String> {
    certs(server, &["init", "--cluster", "east", "--life", "24h"])
}

#[tokio::test]
async fn a_role_whose_key_is_changed_loses_its_connections_and_comes_back_with_a_new_file() -> Result<()> {
    let server = Server::with_identities().await?;
    let (executor, webhook) =
        (component(&server, Role::Executor).await?, component(&server, Role::Webhook).await?);
    works(&executor).await?;
    works(&webhook).await?;
    let ids = [&executor, &webhook].map(|client| client.server_info().client_id);
    fs::remove_file(server.file("identities/keys/role-webhook.nk"))?;
    let made = init(&server)?;
    ensure!(made.contains("role-webhook.nk") && !made.contains("executor"), "{made}");
    let resolver = fs::read_to_string(folder(&server)?.resolver())?;
    ensure!(resolver.contains(&server.file("nats-accounts")), "{resolver}");
    certs(&server, &["push", "--nats-url", server.nats.url()])?;
    eventually("its connection is another one", PATIENCE, async || {
        ensure!(webhook.server_info().client_id != ids[1]);
        Ok(())
    })
    .await?;
    works(&webhook).await?;
    ensure!(executor.connection_state() == State::Connected && executor.server_info().client_id == ids[0]);
    Ok(())
}

#[tokio::test]
async fn what_expires_is_closed_and_a_new_file_is_read_without_a_restart() -> Result<()> {
    let server = Server::with_identities().await?;
    let accounts = server.file("nats-accounts");
    // Long enough to get in on a slow machine.
    folder(&server)?.ensure("east", Duration::from_secs(8), &accounts)?;
    let executor = component(&server, Role::Executor).await?;
    works(&executor).await?;
    is(&executor, State::Disconnected).await?;
    folder(&server)?.ensure("east", LIFE, &accounts)?;
    works(&executor).await?;
    Ok(())
}

#[tokio::test]
async fn who_is_revoked_loses_the_open_connection_and_nobody_else_does() -> Result<()> {
    let server = Server::with_identities().await?;
    let (executor, webhook) =
        (component(&server, Role::Executor).await?, component(&server, Role::Webhook).await?);
    works(&executor).await?;
    works(&webhook).await?;
    let (id, revoked) = (webhook.server_info().client_id, user(&server, Role::Executor)?);
    let creds = folder(&server)?.component(Role::Executor).display().to_string();
    let said = certs(&server, &["revoke", &creds, "--nats-url", server.nats.url()])?;
    ensure!(said.contains(&revoked), "{said}");
    is(&executor, State::Disconnected).await?;
    // A new user for the component; the servers need not hear of it.
    init(&server)?;
    ensure!(user(&server, Role::Executor)? != revoked);
    works(&executor).await?;
    ensure!(webhook.connection_state() == State::Connected && webhook.server_info().client_id == id);
    // Also after a restart of the server.
    server.nats.part.restart().await?;
    works(&webhook).await?;
    Ok(())
}
