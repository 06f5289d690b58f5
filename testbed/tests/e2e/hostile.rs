//! Somebody holds every right in NATS: forges, replays, reorders, deletes, floods. What rolls out is what was applied,
//! nobody dies or grows without a limit, and what waited goes on.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use async_nats::jetstream::Context;
use contract::{
    Change, Digest, Lane,
    stream::{CHANGES, DEAD, LEASES},
    subject::{self, ChangeSubject},
};
use futures::TryStreamExt as _;
use testbed::{DeploymentView as _, PATIENCE, Stack, deployment, eventually};

use crate::{V1, V2, V3, queue};

/// An image that was applied; [`V3`] is one that was not.
const V4: &str = "registry.test/web:4";
/// Messages of a flood, each for a Deployment that does not exist.
const FLOOD: usize = 3_000;
/// What an executor or webhook may use, flooded or not.
const MEMORY: f64 = 200.0;

fn address(t: &Stack, lane: Lane, name: &str) -> Result<String> {
    let (cluster, namespace) = (t.cluster.clone(), t.namespace.clone());
    Ok(ChangeSubject { cluster, lane, namespace, name: name.into() }.encode()?)
}

async fn publish(jetstream: &Context, subject: String, change: &Change) -> Result<()> {
    let message = contract::envelope::seal(change, time::OffsetDateTime::now_utc())?;
    jetstream.publish(subject, message.into()).await?.await?;
    Ok(())
}

/// The change as somebody would like it to be: with another template, and with every claim about it that helps.
fn forged(change: &Change) -> Result<Vec<Change>> {
    let mut wished = deployment("web").image(V3).json();
    wished["metadata"]["uid"] = change.uid.clone().into();
    let digest = Digest::of_value(&wished["spec"]["template"])?;
    let with = |attempt, digest: &Digest| Change {
        deployment: Some(wished.clone()),
        digest: digest.clone(),
        attempt,
        ..change.clone()
    };
    Ok(vec![with(change.attempt, &digest), with(change.attempt, &change.digest), with(7, &digest)])
}

async fn flood(t: &Stack, jetstream: &Context) -> Result<()> {
    let client = jetstream.client();
    for number in 0..FLOOD {
        let subject = address(t, Lane::Normal, &format!("flood-{number}"))?;
        client.publish(subject, vec![b'x'; 1024].into()).await?;
        let (cluster, namespace) = (&t.cluster, &t.namespace);
        let event = subject::event(cluster, namespace, "web", contract::Phase::Succeeded)?;
        client.publish(event, "{}".into()).await?;
        client.publish(subject::queue(cluster, namespace)?, "no queue".into()).await?;
        client.publish(format!("$KV.{LEASES}.slots.{cluster}"), "no ledger".into()).await?;
    }
    client.flush().await?;
    Ok(())
}

#[tokio::test]
async fn whoever_holds_all_of_nats_releases_nothing_that_was_not_applied_and_stops_nobody() -> Result<()> {
    Stack::options()
        .nats_identities()
        .slots(1)
        .run(async |t| {
            let jetstream = t.jetstream().await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            let old = queue::has_changes(t, 1).await?.remove(0);
            t.executor.freeze()?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            let held = t.held("web").await?;
            let waiting = queue::has_changes(t, 2).await?.remove(1);
            for change in forged(&waiting)?.iter().chain(&forged(&old)?).chain([&old]) {
                publish(&jetstream, address(t, change.lane, "web")?, change).await?;
                publish(&jetstream, address(t, Lane::Urgent, "web")?, change).await?;
            }
            flood(t, &jetstream).await?;
            t.executor.thaw()?;
            // Its own message was overtaken by lies; what is let through is what is held, or nothing.
            eventually("it wades through the flood", PATIENCE, async || {
                let dead = jetstream.get_stream(DEAD).await?.cached_info().state.messages;
                ensure!(dead > 200, "{dead} dead letters");
                Ok(())
            })
            .await?;
            destroy(&jetstream).await?;
            let web = t.succeeded("web").await?;
            ensure!(web.image() == V2 && web.change() == held.change(), "{}", web.summary());

            t.executor.freeze()?;
            t.apply(&deployment("web").image(V4)).await?.ok()?;
            t.held("web").await?;
            flood(t, &jetstream).await?;
            destroy(&jetstream).await?;
            t.executor.thaw()?;
            ensure!(t.succeeded("web").await?.image() == V4);
            let images: BTreeSet<_> = t.replica_sets("web").await?.iter().map(image).collect();
            ensure!(images == [V1, V2, V4].map(str::to_owned).into(), "{images:?}");
            eventually("everybody lives", PATIENCE, async || {
                for part in t.webhooks().chain([&t.executor]) {
                    ensure!(part.is_running() && part.is_ready().await, "{}: {}", part.name(), part.log());
                    let memory = part.memory()?.peak;
                    ensure!(memory < MEMORY, "{} uses {memory} MiB", part.name());
                }
                Ok(())
            })
            .await
        })
        .await
}

/// Deletes the consumers and everything else.
async fn destroy(jetstream: &Context) -> Result<()> {
    let there = async || Ok(jetstream.get_stream(CHANGES).await?);
    let changes = eventually("there is something to destroy", PATIENCE, there).await?;
    let names: Vec<_> = changes.consumer_names().try_collect().await?;
    for name in names {
        changes.delete_consumer(&name).await?;
    }
    // The letters to the dead are counted here.
    let streams: Vec<_> = jetstream.stream_names().try_collect().await?;
    for stream in streams.iter().filter(|stream| *stream != DEAD) {
        jetstream.delete_stream(stream).await?;
    }
    Ok(())
}

fn image(replica_set: &k8s_openapi::api::apps::v1::ReplicaSet) -> String {
    let pod = replica_set.spec.template.as_ref().and_then(|template| template.spec.as_ref());
    pod.and_then(|pod| pod.containers[0].image.clone()).unwrap_or_default()
}
