//! The node itself does what any node does.

use anyhow::{Result, ensure};
use serde_json::json;
use testbed::{PATIENCE, cluster, eventually};

use crate::web::{Requests, V1, V2, answers, rolled_out, service, web};

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn a_deployment_runs_and_its_service_answers_to_the_node() -> Result<()> {
    cluster(async |c| {
        c.kubectl_with(&["--context=developer", "apply", "-f", "-"], &web(V1, 2)).await?.ok()?;
        rolled_out(c, "web").await?;
        answers(c, &c.service("web").await?, "v1 from web-").await?;
        let logs = c.kubectl(&["logs", "deployment/web"]).await?.ok()?;
        ensure!(logs.contains("serving initial configuration"), "{logs}");
        let adapt = ["exec", "deployment/web", "--", "/caddy", "adapt", "--config=/etc/caddy/Caddyfile"];
        let said = c.kubectl(&adapt).await?.ok()?;
        ensure!(said.contains("v1 from"), "{said}");
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn a_pod_reaches_a_service_by_its_name() -> Result<()> {
    cluster(async |c| {
        let behind = format!("web.{}.svc.cluster.local:80", c.namespace());
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": "proxy", "labels": { "app": "proxy" } },
            "spec": { "containers": [{
                "name": "proxy",
                "image": V1,
                "command": ["/caddy", "reverse-proxy", "--from=:8080", format!("--to={behind}")],
            }] },
        });
        let objects = format!("{}---\n{pod}\n---\n{}\n", web(V2, 1), service("proxy"));
        c.kubectl_with(&["apply", "-f", "-"], &objects).await?.ok()?;
        rolled_out(c, "web").await?;
        c.kubectl(&["wait", "--for=condition=Ready", "pod/proxy", "--timeout=50s"]).await?.ok()?;
        answers(c, &c.service("proxy").await?, "v2 from web-").await
    })
    .await
}

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn a_rolling_update_fails_no_request() -> Result<()> {
    cluster(async |c| {
        c.kubectl_with(&["apply", "-f", "-"], &web(V1, 2)).await?.ok()?;
        rolled_out(c, "web").await?;
        let url = c.service("web").await?;
        answers(c, &url, "v1").await?;
        let requests = Requests::start(&url);
        c.kubectl(&["set", "image", "deployment/web", &format!("web={V2}")]).await?.ok()?;
        rolled_out(c, "web").await?;
        // Until the old ones have ended as well: they still answered after they were told to.
        eventually("only the new version is left", PATIENCE, async || {
            let images =
                c.kubectl(&["get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}"]).await?;
            let images = images.ok()?;
            ensure!(images == format!("{V2} {V2}"), "{images}");
            Ok(())
        })
        .await?;
        let seen = requests.stop().await?;
        eprintln!("{} requests answered", seen.answered);
        ensure!(seen.failures.is_empty() && seen.answered > 50, "{seen:?}");
        answers(c, &url, "v2").await
    })
    .await
}

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn the_claim_of_a_stateful_set_is_bound_and_a_user_that_is_not_root_writes_to_it() -> Result<()> {
    cluster(async |c| {
        let nats = json!({
            "name": "nats",
            "image": "nats:2.15.2-scratch",
            "args": ["--jetstream", "--store_dir=/data", "--http_port=8222"],
            "readinessProbe": { "httpGet": { "path": "/healthz", "port": 8222 }, "periodSeconds": 1 },
            "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
            },
        });
        let security = json!({
            "runAsNonRoot": true,
            "runAsUser": 65532,
            "fsGroup": 65532,
            "seccompProfile": { "type": "RuntimeDefault" },
        });
        let set = json!({
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": { "name": "nats" },
            "spec": {
                "serviceName": "nats",
                "selector": { "matchLabels": { "app": "nats" } },
                "template": {
                    "metadata": { "labels": { "app": "nats" } },
                    "spec": { "containers": [nats], "securityContext": security },
                },
                "volumeClaimTemplates": [{
                    "metadata": { "name": "data" },
                    "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
                }],
            },
        });
        let restricted = "pod-security.kubernetes.io/enforce=restricted";
        c.kubectl(&["label", "namespace", c.namespace(), restricted]).await?.ok()?;
        c.kubectl_with(&["apply", "-f", "-"], &set.to_string()).await?.ok()?;
        c.kubectl(&["rollout", "status", "statefulset/nats", "--timeout=55s"]).await?.ok()?;
        let bound = c.kubectl(&["get", "pvc", "data-nats-0", "-o", "jsonpath={.status.phase}"]).await?.ok()?;
        ensure!(bound == "Bound", "{bound}");
        // It writes its store when it starts, or it would not have become healthy.
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn helm_installs_a_chart_and_waits_until_it_runs() -> Result<()> {
    cluster(async |c| {
        let folder = tempfile::tempdir()?;
        let chart = folder.path().join("web").display().to_string();
        c.helm(&["create", &chart]).await?.ok()?;
        let image = ["--set=image.repository=registry.test/web,image.tag=v1", "--set=service.port=8080"];
        for helm in ["helm", "helm3"] {
            let helm = c.tool(helm);
            let install = ["install", "web", &chart, "--wait", "--timeout=50s"];
            helm.run(&[&install[..], &image].concat(), None).await?.ok()?;
            answers(c, &c.service("web").await?, "v1 from web-").await?;
            helm.run(&["uninstall", "web", "--wait", "--timeout=50s"], None).await?.ok()?;
        }
        Ok(())
    })
    .await
}
