//! Three NATS servers, with the values for high availability: one is killed, and changes go on.

use anyhow::{Context as _, Result, ensure};
use testbed::release::Release;
use testbed::{DeploymentView as _, PATIENCE, cluster, eventually};

use crate::release::{ROADSTEAD, deployment, install, opt_in, uninstall};
use crate::web::{V1, V2, rolled_out, web};

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn three_nats_servers_in_restricted_pods_go_on_when_one_is_killed() -> Result<()> {
    cluster(async |c| {
        uninstall(c, "helm").await?;
        let restricted = "pod-security.kubernetes.io/enforce=restricted";
        c.kubectl(&["create", "namespace", ROADSTEAD]).await?; // it may be there
        c.kubectl(&["label", "namespace", ROADSTEAD, restricted, "--overwrite"]).await?.ok()?;
        let values = Release::chart().join("values-ha.yaml").display().to_string();
        // There is one node for all of them.
        install(
            c,
            &[
                "--values",
                &values,
                "--set=pods.spread=ScheduleAnyway,webhook.replicas=2,uninstall.streams=true",
            ],
        )
        .await?;
        opt_in(c).await?;
        c.kubectl_with(&["apply", "-f", "-"], &web(V1, 1)).await?.ok()?;
        rolled_out(c, "web").await?;
        for killed in ["roadstead-nats-0", "roadstead-nats-1"] {
            let version = if killed.ends_with('0') { V2 } else { V1 };
            c.kubectl(&["-n", ROADSTEAD, "delete", "pod", killed, "--force", "--grace-period=0"])
                .await?
                .ok()?;
            c.kubectl(&["set", "image", "deployment/web", &format!("web={version}")]).await?.ok()?;
            eventually("the change goes through", PATIENCE * 2, async || {
                let web = deployment(c, "web").await?;
                ensure!(
                    web.phase().is_none() && web.image() == version && web.rolled_out(),
                    "{}",
                    web.summary()
                );
                web.change().context("it was held").map(drop)
            })
            .await?;
            c.kubectl(&["-n", ROADSTEAD, "rollout", "status", "statefulset/roadstead-nats", "--timeout=55s"])
                .await?
                .ok()?;
        }
        uninstall(c, "helm").await
    })
    .await
}
