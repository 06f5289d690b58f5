//! Roadstead goes: whatever is dead by then, every gate opens, and nothing of it is left but what was asked to be kept.

use anyhow::{Result, ensure};
use testbed::{Cluster, DeploymentView as _, PATIENCE, cluster, eventually};

use crate::release::{LONG, ROADSTEAD, deployment, install, opt_in, scale, uninstall, waits, what_is_left};
use crate::web::{V1, V2, rolled_out, web};

/// What the queue and the history are read with, should the release come back.
const KEPT: [&str; 2] = ["persistentvolumeclaim/data-roadstead-nats-0", "secret/roadstead-nats-keys"];

/// A Deployment whose second version waits, because nobody lets it through.
async fn second_version_waits(c: &Cluster, settings: &[&str]) -> Result<()> {
    install(c, settings).await?;
    opt_in(c).await?;
    c.kubectl_with(&["apply", "-f", "-"], &web(V1, 1)).await?.ok()?;
    rolled_out(c, "web").await?;
    scale(c, "deployment/roadstead-executor", 0).await?;
    c.kubectl(&["set", "image", "deployment/web", &format!("web={V2}")]).await?.ok()?;
    waits(c, "web").await
}

/// The Deployment is what it is in plain Kubernetes: the second version runs, and so does the next change.
async fn plain(c: &Cluster) -> Result<()> {
    rolled_out(c, "web").await?;
    let seen = deployment(c, "web").await?;
    ensure!(seen.image() == V2 && seen.phase().is_none() && seen.change().is_none(), "{}", seen.summary());
    c.kubectl(&["set", "image", "deployment/web", &format!("web={V1}")]).await?.ok()?;
    rolled_out(c, "web").await?;
    let seen = deployment(c, "web").await?;
    ensure!(seen.image() == V1 && seen.change().is_none(), "{}", seen.summary());
    Ok(())
}

/// What is left of the release, once the garbage collector is done.
async fn left(c: &Cluster, kept: &[&str]) -> Result<()> {
    eventually("nothing else is left", PATIENCE, async || {
        let left = what_is_left(c).await?;
        ensure!(left == kept, "{left:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn helm_uninstall_opens_what_waits_and_leaves_the_history_only() -> Result<()> {
    cluster(async |c| {
        second_version_waits(c, &[]).await?;
        uninstall(c, "helm").await?;
        plain(c).await?;
        left(c, &KEPT).await?;
        // Once more, by hand: there is nothing to do, and that is no error.
        for _ in 0..2 {
            c.kubectl(&["roadstead", "uninstall", "--namespace", ROADSTEAD]).await?.ok()?;
        }
        left(c, &KEPT).await
    })
    .await
}

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn helm_uninstall_works_with_every_part_and_nats_dead_and_takes_the_history_if_asked() -> Result<()> {
    cluster(async |c| {
        second_version_waits(c, &["--set=uninstall.streams=true"]).await?;
        for workload in
            ["deployment/roadstead-webhook", "deployment/roadstead-certs", "statefulset/roadstead-nats"]
        {
            scale(c, workload, 0).await?;
        }
        uninstall(c, "helm3").await?;
        plain(c).await?;
        left(c, &[]).await
    })
    .await
}

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn one_command_cleans_up_after_the_namespace_was_deleted_first() -> Result<()> {
    cluster(async |c| {
        second_version_waits(c, &[]).await?;
        let delete = ["delete", "namespace", ROADSTEAD, "--timeout=170s"];
        c.tool("kubectl").run_within(LONG, &delete, None).await?.ok()?;
        let stuck = c.kubectl(&["set", "image", "deployment/web", &format!("web={V1}")]).await?;
        ensure!(!stuck.success(), "the webhook's configuration is still there: {stuck}");
        let by_hand = ["roadstead", "uninstall", "--namespace", ROADSTEAD, "--release", ROADSTEAD];
        c.kubectl(&by_hand).await?.ok()?;
        plain(c).await?;
        left(c, &[]).await?;
        c.kubectl(&by_hand).await?.ok().map(drop)
    })
    .await
}
