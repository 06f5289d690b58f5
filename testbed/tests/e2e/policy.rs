//! The optional policy that lets only the deployment controller make ReplicaSets, let them grow or change their
//! template, by which people who may write them are inside the gate as well.

use anyhow::{Result, ensure};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::PostParams;
use serde_json::json;
use testbed::{DeploymentView as _, Options, Stack, control_plane::DEVELOPER, deployment, eventually};

use crate::{V1, V2};

fn options() -> Options {
    Stack::options().value("policy.limitReplicaSets.enabled", true)
}

/// A ReplicaSet that no Deployment owns.
fn bare() -> String {
    let pod = json!({ "containers": [{ "name": "app", "image": V2 }] });
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": { "name": "bare" },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app": "bare" } },
            "template": { "metadata": { "labels": { "app": "bare" } }, "spec": pod },
        },
    })
    .to_string()
}

/// What a developer does is denied by the policy.
async fn is_denied(t: &Stack, what: &[&str], stdin: &str) -> Result<()> {
    let told = t.kubectl_with(what, stdin).await?.refused()?;
    let fix = "change the Deployment, or add the user to the chart value policy.limitReplicaSets.users";
    ensure!(told.contains(fix), "{what:?}: {told}");
    Ok(())
}

/// Waits until the API server knows the policy.
async fn in_force(t: &Stack) -> Result<()> {
    eventually("the policy is in force", testbed::PATIENCE, async || {
        is_denied(t, &["create", "--dry-run=server", "-f", "-"], &bare()).await
    })
    .await
}

/// The one ReplicaSet of `web`, as an argument of kubectl.
async fn the_set(t: &Stack) -> Result<String> {
    let sets = t.replica_sets("web").await?;
    ensure!(sets.len() == 1, "{} ReplicaSets", sets.len());
    Ok(format!("replicaset/{}", sets[0].metadata.name.as_deref().unwrap_or_default()))
}

#[tokio::test]
async fn only_a_deployment_makes_its_replica_sets_grow() -> Result<()> {
    options()
        .run(async |t| {
            in_force(t).await?;
            t.apply(&deployment("web").image(V1).replicas(2)).await?.ok()?;
            t.succeeded("web").await?;
            let set = the_set(t).await?;
            let image = |image| {
                let containers = json!([{ "name": "app", "image": image }]);
                json!({ "spec": { "template": { "spec": { "containers": containers } } } }).to_string()
            };
            is_denied(t, &["create", "-f", "-"], &bare()).await?;
            is_denied(t, &["scale", &set, "--replicas=5"], "").await?;
            is_denied(t, &["patch", &set, "--patch", r#"{"spec":{"replicas":5}}"#], "").await?;
            // Its pods would come back with it when they are deleted.
            is_denied(t, &["patch", &set, "--patch", &image(V2)], "").await?;
            // Nothing new runs by these.
            t.kubectl(&["label", &set, "team=web"]).await?.ok()?;
            t.kubectl(&["patch", &set, "--patch", &image(V1)]).await?.ok()?;
            t.kubectl(&["scale", &set, "--replicas=1"]).await?.ok()?;
            t.rolled_out("web").await?;

            t.kubectl(&["scale", "deployment/web", "--replicas=3"]).await?.ok()?;
            t.rolled_out("web").await?;
            let autoscaler: HorizontalPodAutoscaler = serde_json::from_value(json!({
                "metadata": { "name": "web" },
                "spec": {
                    "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" },
                    "minReplicas": 4, "maxReplicas": 5,
                },
            }))?;
            t.api().create(&PostParams::default(), &autoscaler).await?;
            eventually("the autoscaler's minimum is there", testbed::PATIENCE, async || {
                let pods = t.pods("web").await?.len();
                ensure!(pods == 4, "{pods} pods");
                Ok(())
            })
            .await?;
            t.apply(&deployment("web").image(V2).replicas(4)).await?.ok()?;
            ensure!(t.succeeded("web").await?.image() == V2);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn with_the_webhook_away_a_replica_set_is_denied_and_a_deployment_scales() -> Result<()> {
    options()
        .value("webhook.failurePolicy", "Ignore")
        .run(async |t| {
            in_force(t).await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            t.webhook.kill()?;
            is_denied(t, &["create", "-f", "-"], &bare()).await?;
            t.kubectl(&["scale", "deployment/web", "--replicas=3"]).await?.ok()?;
            t.rolled_out("web").await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn whom_the_values_name_and_who_did_not_opt_in_are_not_limited() -> Result<()> {
    options()
        .namespaces(2)
        .value("policy.limitReplicaSets.users", json!([DEVELOPER]))
        .run(async |t| {
            let admin = async |namespace: &str| {
                let create = ["create", "--dry-run=server", "-n", namespace, "-f", "-"];
                t.admin_kubectl_with(&create, &bare()).await?.ok()
            };
            eventually("the policy is in force", testbed::PATIENCE, async || {
                ensure!(admin(&t.namespace).await.is_err(), "an administrator makes a ReplicaSet");
                Ok(())
            })
            .await?;
            t.kubectl_with(&["create", "-f", "-"], &bare()).await?.ok()?;
            t.kubectl(&["scale", "replicaset/bare", "--replicas=2"]).await?.ok()?;
            let other = &t.namespaces[1];
            ensure!(admin(other).await.is_err(), "an administrator makes a ReplicaSet");
            t.admin_kubectl(&["label", "namespace", other, "roadstead.dev/enabled-"]).await?.ok()?;
            eventually("the other namespace is free", testbed::PATIENCE, async || {
                admin(other).await.map(drop)
            })
            .await
        })
        .await
}
