//! The webhook is away, all replicas of it: what waits goes on waiting, what was let through goes on, and nothing
//! that was accepted is lost.

use anyhow::{Result, ensure};
use testbed::{DeploymentView as _, Stack, deployment, eventually};

use crate::{V1, V2, V3, queue};

/// `name` runs its first version and waits, on the queue, with its second; the executor is frozen.
async fn waits(t: &Stack, name: &str) -> Result<()> {
    t.apply(&deployment(name).image(V1)).await?.ok()?;
    t.succeeded(name).await?;
    t.executor.freeze()?;
    let denied = queue::said(t, "denied").await?;
    t.apply(&deployment(name).image(V2)).await?.ok()?;
    t.held(name).await?;
    queue::says(t, "denied", denied).await
}

/// Scales by the scale subresource, which nobody reviews, and waits for so many pods of the first version: the
/// deployment controller has looked, and did what it could.
async fn scales(t: &Stack, name: &str, replicas: usize) -> Result<()> {
    t.kubectl(&["scale", &format!("deployment/{name}"), &format!("--replicas={replicas}")]).await?.ok()?;
    eventually("the old pods are scaled", testbed::PATIENCE, async || {
        let pods = t.pods(name).await?.len();
        ensure!(pods == replicas, "{pods} pods");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_is_held_stays_held_and_scales_and_is_released_without_any_webhook() -> Result<()> {
    Stack::options()
        .webhooks(2)
        .run(async |t| {
            waits(t, "web").await?;
            queue::has_changes(t, 2).await?;
            t.webhooks().try_for_each(|webhook| webhook.kill().map(drop))?;
            scales(t, "web", 4).await?;
            ensure!(t.replica_sets("web").await?.len() == 1, "a new ReplicaSet exists");
            let refused = t.apply(&deployment("other")).await?.refused()?;
            ensure!(refused.contains("hold.roadstead.dev"), "{refused}");
            t.executor.thaw()?;
            ensure!(t.succeeded("web").await?.image() == V2);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn where_the_policy_is_ignore_a_change_passes_and_what_is_held_stays_held() -> Result<()> {
    Stack::options()
        .value("webhook.failurePolicy", "Ignore")
        .run(async |t| {
            t.apply(&deployment("other").image(V1)).await?.ok()?;
            t.succeeded("other").await?;
            waits(t, "web").await?;
            t.webhook.kill()?;
            t.apply(&deployment("other").image(V2)).await?.ok()?;
            ensure!(t.rolled_out("other").await?.image() == V2);
            scales(t, "web", 3).await?;
            ensure!(t.replica_sets("web").await?.len() == 1, "what is held has a new ReplicaSet");
            t.webhook.start().await?;
            testbed::served::held(&t.client, &t.namespace).await?;
            t.apply(&deployment("other").image(V3)).await?.ok()?;
            t.held("other").await?;
            t.executor.thaw()?;
            ensure!(t.succeeded("web").await?.image() == V2 && t.succeeded("other").await?.image() == V3);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn what_the_webhook_had_not_published_when_it_died_is_published_by_the_next() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.nats.stop().await?;
            t.apply(&deployment("web")).await?.ok()?;
            t.held("web").await?;
            t.webhook.kill()?;
            t.nats.start().await?;
            t.webhook.start().await?;
            t.succeeded("web").await?;
            ensure!(queue::changes(t).await?.len() == 1);
            Ok(())
        })
        .await
}
