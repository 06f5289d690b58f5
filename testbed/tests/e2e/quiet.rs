//! A change that waits makes no noise and costs nobody else anything.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::{DeploymentView as _, Stack, deployment, eventually};

use crate::{V1, V2, queue};

#[tokio::test]
async fn fifty_held_deployments_make_no_noise() -> Result<()> {
    Stack::options()
        .controller_default_limits()
        .without_executor()
        .run(async |t| {
            let all: Vec<_> = (0..50).map(|number| deployment(&format!("web-{number}")).yaml()).collect();
            t.kubectl_with(&["apply", "-f", "-"], &all.join("---\n")).await?.ok()?;
            eventually("the controller tried each", Duration::from_mins(1), async || {
                let denied = queue::said(t, "denied").await?;
                ensure!(denied >= 50, "{denied} writes were denied");
                Ok(())
            })
            .await?;
            // Somewhere else a Deployment rolls out as if they were not there.
            let elsewhere = deployment("elsewhere").namespace(&t.release).yaml();
            t.admin_kubectl_with(&["apply", "-f", "-"], &elsewhere).await?.ok()?;
            let deployments = t.api_in::<k8s_openapi::api::apps::v1::Deployment>(&t.release);
            eventually("the Deployment elsewhere rolls out", Duration::from_secs(5), async || {
                let web = deployments.get("elsewhere").await?;
                ensure!(web.rolled_out(), "{}", web.summary());
                Ok(())
            })
            .await?;
            let denied = queue::said(t, "denied").await?;
            ensure!(denied <= 100, "{denied} writes were denied: more than two each");
            let warnings = t.warning_events().await?;
            ensure!(warnings.is_empty(), "{warnings:?}");
            t.executor.start().await?;
            t.succeeded("web-49").await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn the_progress_deadline_does_not_run_while_a_change_waits() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let web = |image| deployment("web").image(image).progress_deadline(5);
            t.apply(&web(V1)).await?.ok()?;
            t.succeeded("web").await?;
            t.executor.freeze()?;
            t.apply(&web(V2)).await?.ok()?;
            t.held("web").await?;
            // The passing of time is what is tested here.
            let held = Instant::now();
            eventually("it is held for 10 s", Duration::from_secs(20), async || {
                let web = t.deployment("web").await?;
                let conditions =
                    web.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
                let late = conditions
                    .iter()
                    .any(|condition| condition.reason.as_deref() == Some("ProgressDeadlineExceeded"));
                assert!(!late, "the progress deadline fired: {conditions:?}");
                ensure!(held.elapsed() > Duration::from_secs(10), "not yet");
                Ok(())
            })
            .await?;
            t.executor.thaw()?;
            ensure!(t.succeeded("web").await?.image() == V2);
            Ok(())
        })
        .await
}
