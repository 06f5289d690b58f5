//! Where old pods would go before new ones come, a waiting change must not take them.

use anyhow::{Result, ensure};
use testbed::{DeploymentView as _, Stack, deployment, eventually};

use crate::{V1, V2};

/// Waits until the deployment controller has looked at the Deployment as it stands, and checks that every old
/// pod is still there.
async fn old_pods_live(t: &Stack, image: &str, count: usize) -> Result<()> {
    eventually("the deployment controller looked", testbed::PATIENCE, async || {
        let web = t.deployment("web").await?;
        let observed = web.status.as_ref().and_then(|status| status.observed_generation);
        // A paused Deployment is observed; one that waits at the gate is not, and there the gate was asked.
        ensure!(!web.paused() || observed == web.metadata.generation, "{}", web.summary());
        Ok(())
    })
    .await?;
    let pods = t.pods("web").await?;
    let old = pods.iter().filter(|pod| {
        pod.spec.as_ref().is_some_and(|spec| spec.containers[0].image.as_deref() == Some(image))
    });
    let old = old.count();
    ensure!(old == count, "{old} of {count} old pods live");
    Ok(())
}

#[tokio::test]
async fn recreate_keeps_its_old_pods_until_the_release() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1).replicas(2).recreate()).await?.ok()?;
            t.succeeded("web").await?;
            t.executor.freeze()?;
            t.apply(&deployment("web").image(V2).replicas(2).recreate()).await?.ok()?;
            let held = t.held("web").await?;
            ensure!(held.paused() && held.own("roadstead.dev/paused") == Some("true"), "{}", held.summary());
            old_pods_live(t, V1, 2).await?;
            t.kubectl(&["rollout", "resume", "deployment/web"]).await?.ok()?;
            ensure!(t.deployment("web").await?.paused(), "a resume while held is put back");
            old_pods_live(t, V1, 2).await?;
            t.executor.thaw()?;
            let done = t.succeeded("web").await?;
            ensure!(!done.paused() && done.own("roadstead.dev/paused").is_none(), "{}", done.summary());
            Ok(())
        })
        .await
}

#[tokio::test]
async fn without_surge_going_back_to_an_old_template_keeps_the_pods_that_run() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let web = |image| deployment("web").image(image).replicas(3).max_surge(0).max_unavailable(1);
            for image in [V1, V2] {
                t.apply(&web(image)).await?.ok()?;
                t.succeeded("web").await?;
            }
            t.executor.freeze()?;
            t.apply(&web(V1)).await?.ok()?;
            ensure!(t.held("web").await?.paused());
            old_pods_live(t, V2, 3).await?;
            t.executor.thaw()?;
            ensure!(t.succeeded("web").await?.image() == V1);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_strategy_changed_while_held_takes_no_pods() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1).replicas(2)).await?.ok()?;
            t.succeeded("web").await?;
            t.executor.freeze()?;
            t.apply(&deployment("web").image(V2).replicas(2)).await?.ok()?;
            ensure!(!t.held("web").await?.paused());
            let recreate = r#"{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}"#;
            t.kubectl(&["patch", "deployment", "web", "-p", recreate]).await?.ok()?;
            ensure!(t.held("web").await?.paused());
            old_pods_live(t, V1, 2).await?;
            t.executor.thaw()?;
            ensure!(!t.succeeded("web").await?.paused());
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_users_own_pause_survives_the_release() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let web = |image| deployment("web").image(image).replicas(2).recreate();
            t.apply(&web(V1)).await?.ok()?;
            t.succeeded("web").await?;
            t.kubectl(&["rollout", "pause", "deployment/web"]).await?.ok()?;
            t.kubectl(&["set", "image", "deployment/web", &format!("app={V2}")]).await?.ok()?;
            let open = t.released("web").await?;
            ensure!(open.paused() && open.own("roadstead.dev/paused").is_none(), "{}", open.summary());
            old_pods_live(t, V1, 2).await?;
            t.kubectl(&["rollout", "resume", "deployment/web"]).await?.ok()?;
            ensure!(t.succeeded("web").await?.image() == V2);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_rollout_that_its_owner_pauses_gives_its_slot_to_the_next() -> Result<()> {
    Stack::options()
        .slots(1)
        .run(async |t| {
            t.apply(&deployment("first").unschedulable()).await?.ok()?;
            t.released("first").await?;
            t.apply(&deployment("second").image(V1)).await?.ok()?;
            t.held("second").await?;
            t.kubectl(&["rollout", "pause", "deployment/first"]).await?.ok()?;
            t.succeeded("second").await?;
            let first = t.deployment("first").await?;
            ensure!(first.phase() == Some("released") && first.paused(), "{}", first.summary());
            // Resumed, it has its slot again.
            t.kubectl(&["rollout", "resume", "deployment/first"]).await?.ok()?;
            eventually("its slot is in use", testbed::PATIENCE, async || {
                let used = t.executor.metric("roadstead_slots_in_use").await?;
                ensure!((used - 1.0).abs() < f64::EPSILON, "{used} slots are in use");
                Ok(())
            })
            .await
        })
        .await
}
