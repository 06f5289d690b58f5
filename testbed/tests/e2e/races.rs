//! The gate asks for the Deployment as it is now: whatever changes between the write of the deployment controller
//! and that read, a new pod exists only when its change was let through, and a rollout never stands still for ever.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use testbed::{DeploymentView as _, Hold, Method, Request, Stack, deployment, eventually, served};

use crate::{
    V1, V2, V3,
    queue::{self, said, says, second_version_waits},
};

/// The webhook's reads of the Deployment `web`, the gate's among them.
pub(crate) fn webhook_reads_web(request: &Request) -> bool {
    let agent = request.headers.get("user-agent").and_then(|agent| agent.to_str().ok());
    request.method == Method::GET
        && request.uri.path().ends_with("/deployments/web")
        && agent == Some("roadstead-webhook")
}

/// The executor's writes to the Deployment `web`.
pub(crate) fn writes_web(request: &Request) -> bool {
    request.method == Method::PATCH && request.uri.path().ends_with("/deployments/web")
}

/// Waits until the gate is asked and has not answered. The outbox reads the Deployment as well, so a read does not tell.
pub(crate) async fn is_asked(t: &Stack) -> Result<()> {
    eventually("the gate is asked", testbed::PATIENCE, async || {
        let asked = t.webhook.metric("roadstead_reviews_in_flight").await?;
        ensure!(asked >= 1.0, "no review is in flight");
        Ok(())
    })
    .await
}

/// Makes the deployment controller try once more, and stops the gate's answer half-way: asked, and before its read.
pub(crate) async fn asked(t: &Stack) -> Result<Hold> {
    let hold = t.proxy().hold_request(webhook_reads_web);
    // A label starts the controller and leaves the generation, which the release is bound to, as it is.
    let labels = json!({ "again": t.deployment("web").await?.metadata.resource_version });
    t.patch("web", json!({ "metadata": { "labels": labels } })).await?;
    is_asked(t).await?;
    Ok(hold)
}

/// Changes the image. The gate's read waits meanwhile and has a limit of time, so this is done without a command.
async fn image(t: &Stack, image: &str) -> Result<()> {
    let containers = json!([{ "name": "app", "image": image }]);
    let patch = json!({ "spec": { "template": { "spec": { "containers": containers } } } });
    t.patch("web", patch).await.map(drop)
}

#[tokio::test]
async fn superseded_while_the_gate_is_asked_is_denied_and_never_runs() -> Result<()> {
    Stack::options()
        .webhook_through_proxy()
        .run(async |t| {
            second_version_waits(t).await?;
            let (denied, unsure) = (said(t, "denied").await?, said(t, "unsure").await?);
            let read = asked(t).await?;
            image(t, V3).await?;
            read.release();
            says(t, "denied", denied).await?;
            ensure!(said(t, "unsure").await? == unsure, "what is held is no matter of doubt");
            t.executor.thaw()?;
            ensure!(t.succeeded("web").await?.image() == V3);
            ensure!(t.replica_sets("web").await?.len() == 2, "the superseded change has a ReplicaSet");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn cancelled_while_the_gate_is_asked_makes_no_replica_set() -> Result<()> {
    Stack::options()
        .webhook_through_proxy()
        .run(async |t| {
            second_version_waits(t).await?;
            let unsure = said(t, "unsure").await?;
            let read = asked(t).await?;
            image(t, V1).await?;
            read.release();
            // Open, but with another template: the controller is to look again, and finds nothing to do.
            says(t, "unsure", unsure).await?;
            ensure!(t.rolled_out("web").await?.image() == V1);
            ensure!(t.replica_sets("web").await?.len() == 1, "the cancelled change has a ReplicaSet");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn deleted_and_made_again_while_the_gate_is_asked_is_another_deployment() -> Result<()> {
    Stack::options()
        .webhook_through_proxy()
        .run(async |t| {
            second_version_waits(t).await?;
            let unsure = said(t, "unsure").await?;
            let read = asked(t).await?;
            t.deployments().delete("web", &DeleteParams::default()).await?;
            t.deployments().create(&PostParams::default(), &deployment("web").image(V2).object()).await?;
            read.release();
            says(t, "unsure", unsure).await?;
            t.executor.thaw()?;
            let again = t.succeeded("web").await?;
            let sets = t.replica_sets("web").await?;
            let owners: Vec<_> =
                sets.iter().flat_map(|set| set.metadata.owner_references.iter()).flatten().collect();
            let uid = again.metadata.uid.as_deref();
            ensure!(owners.len() == 1 && Some(owners[0].uid.as_str()) == uid, "{owners:?}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn deleted_while_the_gate_is_asked_leaves_nothing() -> Result<()> {
    Stack::options()
        .webhook_through_proxy()
        .without_executor()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.held("web").await?;
            queue::has_changes(t, 1).await?;
            let read = asked(t).await?;
            t.deployments().delete("web", &DeleteParams::default()).await?;
            read.release();
            says(t, "unsure", 0).await?;
            ensure!(t.replica_sets("web").await?.is_empty(), "a ReplicaSet exists");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn an_api_server_too_slow_for_the_gate_costs_time_and_nothing_else() -> Result<()> {
    Stack::options()
        .webhook_through_proxy()
        .run(async |t| {
            second_version_waits(t).await?;
            let unsure = said(t, "unsure").await?;
            let read = asked(t).await?;
            // What the deployment controller is told, seen by asking the same.
            let dry = PostParams { dry_run: true, ..PostParams::default() };
            let growing = served::replica_set_of(&t.deployment("web").await?)?;
            let asked = std::time::Instant::now();
            let answer = t.api::<ReplicaSet>().create(&dry, &growing).await;
            let took = asked.elapsed();
            let Err(kube::Error::Api(status)) = answer else { anyhow::bail!("not denied: {answer:?}") };
            ensure!(status.code == 403 && status.message.contains("does not know"), "{status:?}");
            let causes = status.details.as_ref().map(|details| &details.causes[..]).unwrap_or_default();
            ensure!(causes.iter().all(|cause| cause.reason != "NamespaceTerminating"), "{causes:?}");
            ensure!(took < Duration::from_secs(4), "it took {took:?} of the 5 s that the API server waits");
            says(t, "unsure", unsure + 1).await?;
            // The API server is quick again: the controller comes back by itself and is now told for sure.
            let denied = said(t, "denied").await?;
            read.release();
            says(t, "denied", denied).await?;
            ensure!(t.replica_sets("web").await?.len() == 1, "a new ReplicaSet exists");
            t.executor.thaw()?;
            ensure!(t.succeeded("web").await?.image() == V2);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn released_while_the_gate_cannot_read_rolls_out_without_anybodys_help() -> Result<()> {
    Stack::options()
        .executor_through_proxy()
        .webhook_through_proxy()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            let release = t.proxy().hold_request(writes_web);
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            release.held().await?;
            let unsure = said(t, "unsure").await?;
            let read = asked(t).await?;
            release.release();
            t.deployment_that("web", "is open", |web| web.gate() == Some("open")).await?;
            says(t, "unsure", unsure).await.context("the gate was not asked while it could not read")?;
            // The reads are held to the end: what is open needs none.
            ensure!(t.succeeded("web").await?.image() == V2);
            drop(read);
            Ok(())
        })
        .await
}
