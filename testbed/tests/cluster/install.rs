//! From nothing to a change that went the whole way, by what the README says.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;
use testbed::{DeploymentView as _, PATIENCE, cluster, eventually};

use crate::release::{LONG, ROADSTEAD, deployment, install, opt_in, scale, uninstall, waits, what_runs};
use crate::web::{Requests, V1, V2, answers, rolled_out, web};

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn one_command_installs_everything_and_a_first_change_goes_the_whole_way() -> Result<()> {
    cluster(async |c| {
        uninstall(c, "helm").await?;
        // Other tests leave the history.
        c.kubectl(&["delete", "namespace", ROADSTEAD, "--ignore-not-found", "--timeout=55s"]).await?.ok()?;
        let began = Instant::now();
        let said = install(c, &[]).await?;
        println!("figure install_s {:.1} s", began.elapsed().as_secs_f32());
        ensure!(said.stdout.contains("roadstead.dev/enabled=true"), "what to type next: {said}");
        opt_in(c).await?;
        c.kubectl_with(&["--context=developer", "apply", "-f", "-"], &web(V1, 2)).await?.ok()?;
        rolled_out(c, "web").await?;
        println!("figure first_change_s {:.1} s", began.elapsed().as_secs_f32());
        let web = deployment(c, "web").await?;
        ensure!(web.gate() == Some("open") && web.change().is_some(), "it was held: {}", web.summary());
        answers(c, &c.service("web").await?, "v1 from web-").await?;
        let test = ["test", ROADSTEAD, "--namespace", ROADSTEAD, "--logs", "--timeout=170s"];
        let tested = c.tool("helm").run_within(LONG, &test, None).await?;
        ensure!(tested.success(), "{tested}\n{}", what_runs(c).await?);
        Ok(())
    })
    .await
}

/// A chart as `helm create` makes it, with the web server of the tests.
fn users_chart(version: &str) -> String {
    let values = json!({
        "image": { "repository": "registry.test/web", "tag": version },
        "service": { "port": 8080 },
        "replicaCount": 2,
        "readinessProbe": { "httpGet": { "path": "/", "port": "http" }, "periodSeconds": 1 },
    });
    values.to_string()
}

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn helm_waits_while_a_users_chart_is_held_and_the_update_loses_no_request() -> Result<()> {
    cluster(async |c| {
        install(c, &[]).await?;
        opt_in(c).await?;
        let folder = tempfile::tempdir()?;
        let chart = folder.path().join("web").display().to_string();
        c.helm(&["create", &chart]).await?.ok()?;
        let values = folder.path().join("values.json").display().to_string();
        std::fs::write(&values, users_chart("v1"))?;
        let arguments = ["web", &chart, "--values", &values, "--wait", "--timeout=180s"];
        let helm = async |verb: &str| {
            c.tool("helm").run_within(LONG, &[&[verb], &arguments[..]].concat(), None).await?.ok()
        };

        scale(c, "deployment/roadstead-executor", 0).await?;
        let released = async {
            waits(c, "web").await?;
            let status = c.helm(&["status", "web"]).await?.ok()?;
            ensure!(status.contains("pending-install"), "Helm is not done: {status}");
            let pods = c.kubectl(&["get", "pods", "-o", "name"]).await?.ok()?;
            ensure!(pods.is_empty(), "a pod of what is held: {pods}");
            scale(c, "deployment/roadstead-executor", 2).await
        };
        let (installed, released) = tokio::join!(helm("install"), released);
        released?;
        ensure!(installed?.contains("STATUS: deployed"));
        let url = c.service("web").await?;
        answers(c, &url, "v1 from web-").await?;

        std::fs::write(&values, users_chart("v2"))?;
        let requests = Requests::start(&url);
        helm("upgrade").await?;
        eventually("the old pods have ended", PATIENCE, async || {
            let pods = c
                .kubectl(&["get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}"])
                .await?
                .ok()?;
            ensure!(pods == format!("{V2} {V2}"), "{pods}");
            Ok(())
        })
        .await?;
        let seen = requests.stop().await?;
        ensure!(seen.failures.is_empty() && seen.answered > 50, "{seen:?}");
        answers(c, &url, "v2 from web-").await
    })
    .await
}
