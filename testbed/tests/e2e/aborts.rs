//! Rollouts that go wrong, and the ways back: aborting never queues.

use anyhow::{Result, ensure};
use contract::Phase;
use testbed::{DeploymentView as _, Stack, deployment, eventually};

use crate::{V1, V2, V3, queue};

#[tokio::test]
async fn changed_and_changed_back_before_anything_ran_stays_held() -> Result<()> {
    Stack::options()
        .without_executor()
        .run(async |t| {
            for image in [V1, V2, V1] {
                t.apply(&deployment("web").image(image)).await?.ok()?;
                t.held("web").await?;
            }
            queue::says(t, "denied", 0).await?;
            ensure!(t.replica_sets("web").await?.is_empty(), "a ReplicaSet exists");
            t.executor.start().await?;
            ensure!(t.succeeded("web").await?.image() == V1);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn an_aborted_rollout_goes_back_at_once_and_a_scale_does_not_leave_it_stuck() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let good = deployment("web").image(V1).replicas(4);
            t.apply(&good).await?.ok()?;
            t.succeeded("web").await?;
            t.apply(&deployment("web").image(V2).replicas(4).unschedulable()).await?.ok()?;
            t.deployment_that("web", "in flight", |web| web.phase() == Some("released")).await?;
            eventually("the new ReplicaSet has pods", testbed::PATIENCE, async || {
                let pods = t.pods("web").await?.len();
                ensure!(pods > 4, "{pods} pods");
                Ok(())
            })
            .await?;
            // Nobody but the webhook may open the gate: the executor is frozen.
            t.executor.freeze()?;
            t.kubectl(&["scale", "deployment/web", "--replicas=5"]).await?.ok()?;
            t.apply(&good.clone().replicas(5)).await?.ok()?;
            let back = t.rolled_out("web").await?;
            ensure!(back.image() == V1 && back.gate() == Some("open"), "{}", back.summary());
            t.executor.thaw()?;
            t.succeeded("web").await?;
            t.executor.freeze()?;
            t.apply(&deployment("web").image(V2).replicas(5).unschedulable()).await?.ok()?;
            t.held("web").await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_fix_for_a_failed_rollout_waits_and_what_clients_say_is_as_documented() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1).replicas(2)).await?.ok()?;
            t.succeeded("web").await?;
            t.apply(&deployment("web").image(V2).replicas(2).progress_deadline(2).unschedulable())
                .await?
                .ok()?;
            eventually("the rollout is told of as failed", testbed::PATIENCE, async || {
                let phases = queue::phases(t, "web").await?;
                ensure!(phases.contains(&Phase::Failed), "{phases:?}");
                Ok(())
            })
            .await?;
            t.executor.freeze()?;
            let fix = deployment("web").image(V3).replicas(2).progress_deadline(2);
            t.apply(&fix).await?.ok()?;
            t.held("web").await?;
            let status = ["rollout", "status", "deployment/web", "--watch=false"];
            let held = t.kubectl(&status).await?.ok()?;
            ensure!(held.contains("Waiting for deployment spec update to be observed"), "{held}");
            t.kubectl(&["scale", "deployment/web", "--replicas=3"]).await?.ok()?;
            // The scale is observed, and with it the condition of the rollout that failed before: documented.
            eventually("the scale is observed", testbed::PATIENCE, async || {
                let web = t.deployment("web").await?;
                let observed = web.status.as_ref().and_then(|status| status.observed_generation);
                ensure!(observed == web.metadata.generation, "{}", web.summary());
                Ok(())
            })
            .await?;
            let scaled = t.kubectl(&status).await?;
            ensure!(
                !scaled.success() && scaled.stderr.contains("exceeded its progress deadline"),
                "{scaled:?}"
            );
            t.executor.thaw()?;
            ensure!(t.succeeded("web").await?.image() == V3);
            Ok(())
        })
        .await
}
