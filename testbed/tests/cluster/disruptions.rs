//! Pods of Roadstead go and come, and its certificate rotates: whoever deploys meanwhile does not notice.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use certs::rotation::ROTATE;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{EvictParams, ListParams};
use testbed::endpoint::Endpoint;
use testbed::{Cluster, DeploymentView as _, PATIENCE, cluster, eventually};

use crate::release::{ROADSTEAD, deployment, install, opt_in, scale, waits, without_a_failed_admission};
use crate::web::{V1, V2, rolled_out, web};

/// A Secret reaches the pods that have it mounted within a minute or two.
const MOUNTED: Duration = Duration::from_mins(4);
const WEBHOOKS: &str = "app.kubernetes.io/component=webhook";

/// The running pods of the webhook.
async fn webhooks(c: &Cluster) -> Result<Vec<Pod>> {
    let pods = Api::<Pod>::namespaced(c.client(), ROADSTEAD);
    let all = pods.list(&ListParams::default().labels(WEBHOOKS)).await?.items;
    Ok(all.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect())
}

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn no_admission_fails_while_the_webhooks_are_drained() -> Result<()> {
    cluster(async |c| {
        install(c, &[]).await?;
        opt_in(c).await?;
        let drained = async || {
            let before = webhooks(c).await?;
            ensure!(before.len() == 2, "{} webhooks", before.len());
            let pods = Api::<Pod>::namespaced(c.client(), ROADSTEAD);
            for pod in &before {
                let name = pod.metadata.name.as_deref().context("a pod has a name")?;
                // The budget refuses the second until the first one's successor is ready, as a drain meets it, too.
                eventually("the budget lets it go", PATIENCE * 2, async || {
                    Ok(pods.evict(name, &EvictParams::default()).await?)
                })
                .await?;
            }
            eventually("all are others", PATIENCE * 2, async || {
                let now = webhooks(c).await?;
                let of_before = |pod: &&Pod| before.iter().any(|old| old.metadata.uid == pod.metadata.uid);
                ensure!(now.len() == 2 && !now.iter().any(|pod| of_before(&pod)), "not yet");
                Ok(())
            })
            .await?;
            c.kubectl(&[
                "-n",
                ROADSTEAD,
                "rollout",
                "status",
                "deployment/roadstead-webhook",
                "--timeout=55s",
            ])
            .await?
            .ok()?;
            c.kubectl(&[
                "-n",
                ROADSTEAD,
                "wait",
                "--for=delete",
                "pod",
                before[1].metadata.name.as_deref().unwrap_or_default(),
                "--timeout=55s",
            ])
            .await?
            .ok()
            .map(drop)
        };
        without_a_failed_admission(c, drained).await
    })
    .await
}

/// When the certificate expires that each webhook shows.
async fn shown(c: &Cluster) -> Result<BTreeMap<String, String>> {
    let mut shown = BTreeMap::new();
    for pod in webhooks(c).await? {
        let ip = pod.status.and_then(|status| status.pod_ip).context("a pod without an address")?;
        let admin = Endpoint { url: format!("http://{ip}:9090"), ca_pem: None, ready: "/readyz".to_owned() };
        let metrics = admin.get("/metrics").await?;
        let expiry = metrics
            .lines()
            .find_map(|line| line.strip_prefix("roadstead_certificate_expiry_timestamp_seconds "));
        shown.insert(ip, expiry.context("no expiry in the metrics")?.to_owned());
    }
    Ok(shown)
}

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn no_admission_fails_while_the_certificate_and_its_authority_rotate() -> Result<()> {
    cluster(async |c| {
        install(c, &["--set=certificates.settle=5s"]).await?;
        opt_in(c).await?;
        let rotated = async || {
            let before = shown(c).await?;
            let ask = format!("{ROTATE}=now");
            c.kubectl(&["-n", ROADSTEAD, "annotate", "secret/roadstead-webhook-authorities", &ask])
                .await?
                .ok()?;
            eventually("every webhook shows another certificate", MOUNTED, async || {
                let now = shown(c).await?;
                let others = now.iter().all(|(pod, expiry)| before.get(pod).is_some_and(|old| old != expiry));
                ensure!(now.len() == 2 && others, "before {before:?}, now {now:?}");
                Ok(())
            })
            .await
        };
        without_a_failed_admission(c, rotated).await
    })
    .await
}

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn after_everything_was_killed_at_once_everything_starts_again_and_what_waited_goes_on() -> Result<()> {
    cluster(async |c| {
        install(c, &[]).await?;
        opt_in(c).await?;
        c.kubectl_with(&["apply", "-f", "-"], &web(V1, 1)).await?.ok()?;
        rolled_out(c, "web").await?;
        scale(c, "deployment/roadstead-executor", 0).await?;
        c.kubectl(&["set", "image", "deployment/web", &format!("web={V2}")]).await?.ok()?;
        waits(c, "web").await?;
        c.kubectl(&["-n", ROADSTEAD, "scale", "deployment/roadstead-executor", "--replicas=2"])
            .await?
            .ok()?;
        // Also what resolves names. From here on no webhook answers until one of these pods has started.
        let kill = ["delete", "pods", "--all", "--all-namespaces", "--force", "--grace-period=0"];
        c.kubectl(&kill).await?.ok()?;
        eventually("the change goes on", PATIENCE * 4, async || {
            let web = deployment(c, "web").await?;
            ensure!(web.phase().is_none() && web.image() == V2 && web.rolled_out(), "{}", web.summary());
            Ok(())
        })
        .await?;
        testbed::served::held(&c.client(), c.namespace()).await
    })
    .await
}
