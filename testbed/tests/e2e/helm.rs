//! Helm 3 and Helm 4: what `--wait` reports while a change waits is true.

use std::{fs, path::PathBuf};

use anyhow::{Result, bail, ensure};
use contract::Key;
use k8s_openapi::api::apps::v1::ReplicaSet;
use testbed::{DeploymentView as _, Output, Stack, deployment};

use crate::{V1, V2, queue};

/// A user's chart of one Deployment.
fn chart(t: &Stack) -> Result<PathBuf> {
    let folder = t.folder.join("user-chart");
    fs::create_dir_all(folder.join("templates"))?;
    fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: web\nversion: 1.0.0\n")?;
    fs::write(folder.join("values.yaml"), format!("image: {V1}\n"))?;
    let template =
        deployment("web").replicas(2).image("IMAGE").yaml().replace("IMAGE", "{{ .Values.image }}");
    fs::write(folder.join("templates/deployment.yaml"), template)?;
    Ok(folder)
}

/// A run of Helm that must still wait when its change is held, and succeed after the release.
async fn waits(t: &Stack, helm: impl Future<Output = Result<Output>>) -> Result<()> {
    let denied = queue::said(t, "denied").await?;
    let waits = async {
        t.held("web").await?;
        queue::says(t, "denied", denied).await
    };
    tokio::pin!(helm);
    tokio::select! {
        ended = &mut helm => bail!("Helm ended while its change was held: {ended:?}"),
        waited = waits => waited?,
    }
    t.executor.thaw()?;
    helm.await?.ok()?;
    // Helm looks at the new ReplicaSet; the Deployment's own status may follow a moment later.
    let web = t.deployment("web").await?;
    let is_new = |set: &ReplicaSet| {
        set.metadata.annotations.as_ref().and_then(|all| all.get(Key::Change.name()).map(String::as_str))
            == web.change()
    };
    let sets = t.replica_sets("web").await?;
    let new = sets.iter().find(|set| is_new(set)).and_then(|set| set.status.as_ref()?.ready_replicas);
    ensure!(new == Some(2), "Helm was done before the rollout: {new:?} pods are ready, {}", web.summary());
    t.succeeded("web").await?;
    t.executor.freeze()
}

#[tokio::test]
async fn helm_3_waits_while_held_and_succeeds_after_the_release() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let chart = chart(t)?;
            let chart = chart.to_str().unwrap();
            t.executor.freeze()?;
            waits(t, t.helm3(&["install", "web", chart, "--wait", "--timeout=55s"])).await?;
            let image = format!("image={V2}");
            waits(t, t.helm3(&["upgrade", "web", chart, "--set", &image, "--wait", "--timeout=55s"])).await
        })
        .await
}

#[tokio::test]
async fn helm_4_waits_while_held_and_succeeds_after_the_release() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let chart = chart(t)?;
            let chart = chart.to_str().unwrap();
            t.executor.freeze()?;
            waits(t, t.helm4(&["install", "web", chart, "--wait", "--timeout=55s"])).await?;
            let image = format!("image={V2}");
            waits(t, t.helm4(&["upgrade", "web", chart, "--set", &image, "--wait", "--timeout=55s"])).await
        })
        .await
}

#[tokio::test]
async fn helm_4_rolls_back_a_change_that_was_never_released() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let chart = chart(t)?;
            let chart = chart.to_str().unwrap();
            t.helm4(&["install", "web", chart, "--wait", "--timeout=50s"]).await?.ok()?;
            t.succeeded("web").await?;
            t.executor.freeze()?;
            let image = format!("image={V2}");
            let upgrade = ["upgrade", "web", chart, "--set", &image, "--rollback-on-failure", "--timeout=5s"];
            let failed = t.helm4(&upgrade).await?;
            ensure!(!failed.success(), "{failed:?}");
            let web = t.rolled_out("web").await?;
            ensure!(web.image() == V1 && web.gate() == Some("open"), "{}", web.summary());
            ensure!(
                t.replica_sets("web").await?.len() == 1,
                "the change that was never released has a ReplicaSet"
            );
            Ok(())
        })
        .await
}
