//! One change stays one, going back cancels, the newest wins, and a dry run does nothing.

use anyhow::{Result, ensure};
use contract::Phase;
use testbed::{DeploymentView as _, Stack, deployment, eventually};

use crate::{V1, V2, V3, queue};

#[tokio::test]
async fn applying_twice_is_one_change() -> Result<()> {
    Stack::options()
        .without_executor()
        .run(async |t| {
            let web = deployment("web").image(V1);
            t.apply(&web).await?.ok()?;
            let first = t.held("web").await?;
            t.apply(&web.clone().replicas(2)).await?.ok()?;
            let second = t.held("web").await?;
            ensure!(first.change() == second.change(), "{} then {}", first.summary(), second.summary());
            // Something that comes later stands on the queue, so what was to come before it is there, too.
            t.apply(&deployment("other")).await?.ok()?;
            let changes = queue::has_changes(t, 2).await?;
            ensure!(changes[0].name == "web" && changes[1].name == "other", "{changes:?}");
            t.executor.start().await?;
            t.succeeded("web").await?;
            ensure!(t.replica_sets("web").await?.len() == 1);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn going_back_to_what_runs_cancels_the_change() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            t.executor.freeze()?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            t.held("web").await?;
            queue::has_changes(t, 2).await?;
            let said = t.apply(&deployment("web").image(V1)).await?;
            ensure!(said.stderr.contains("is cancelled"), "{:?}", said.stderr);
            // The executor is frozen: nobody but the webhook opened the gate.
            let web = t.succeeded("web").await?;
            ensure!(web.gate() == Some("open") && web.image() == V1, "{}", web.summary());
            t.executor.thaw()?;
            eventually("the change is told of as cancelled", testbed::PATIENCE, async || {
                let phases = queue::phases(t, "web").await?;
                ensure!(phases.contains(&Phase::Cancelled), "{phases:?}");
                Ok(())
            })
            .await?;
            let images = t.replica_sets("web").await?;
            ensure!(images.len() == 1, "the cancelled change has a ReplicaSet");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_newer_change_takes_the_place_of_an_older_one_that_waits() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            t.executor.freeze()?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            let older = t.held("web").await?;
            let said = t.apply(&deployment("web").image(V3)).await?;
            let older = older.change().unwrap_or_default();
            ensure!(said.stderr.contains(&format!("in place of {older}")), "{:?}", said.stderr);
            queue::has_changes(t, 3).await?;
            t.executor.thaw()?;
            ensure!(t.succeeded("web").await?.image() == V3);
            eventually("the older change is told of as superseded", testbed::PATIENCE, async || {
                let phases = queue::phases(t, "web").await?;
                ensure!(phases.contains(&Phase::Superseded), "{phases:?}");
                Ok(())
            })
            .await?;
            ensure!(t.replica_sets("web").await?.len() == 2, "the superseded change has a ReplicaSet");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_dry_run_and_a_diff_publish_nothing_and_change_nothing() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            let before = t.succeeded("web").await?;
            let next = deployment("web").image(V2).yaml();
            let dry =
                t.kubectl_with(&["apply", "--dry-run=server", "-o", "yaml", "-f", "-"], &next).await?.ok()?;
            ensure!(
                dry.contains("roadstead.dev/gate: closed"),
                "a dry run shows that the change would wait: {dry}"
            );
            let diff = t.kubectl_with(&["diff", "-f", "-"], &next).await?;
            ensure!(diff.stdout.contains(V2), "{diff:?}");
            let after = t.deployment("web").await?;
            ensure!(
                after.metadata.resource_version == before.metadata.resource_version,
                "{}",
                after.summary()
            );
            t.apply(&deployment("other")).await?.ok()?;
            t.succeeded("other").await?;
            let changes = queue::changes(t).await?;
            ensure!(changes.len() == 2, "{changes:?}");
            Ok(())
        })
        .await
}
