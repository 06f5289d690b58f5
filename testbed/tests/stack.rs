//! What a test gets: a Roadstead of its own, commands, faults and a proxy.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use testbed::{DeploymentView as _, Method, PATIENCE, Proxy, Stack, deployment, eventually, kubeconfig};

#[tokio::test]
async fn a_change_of_the_developer_is_held_by_the_tests_own_webhook() -> Result<()> {
    let mut release = String::new();
    Stack::options()
        .without_executor()
        .run(async |t| {
            release.clone_from(&t.release);
            t.apply(&deployment("web").image("nginx:1").replicas(3)).await?.ok()?;
            let held = t.held("web").await?;
            ensure!(held.image() == "nginx:1");
            ensure!(t.replica_sets("web").await?.is_empty());
            ensure!(t.warning_events().await?.is_empty());
            ensure!(t.webhook.metrics().await?.contains("# TYPE"));
            Ok(())
        })
        .await?;
    let client = testbed::ControlPlane::shared().await?.client().await?;
    let configurations = Api::<MutatingWebhookConfiguration>::all(client);
    ensure!(configurations.get_opt(&format!("zz-{release}")).await?.is_none(), "left behind");
    Ok(())
}

#[tokio::test]
async fn a_namespace_that_is_not_opted_in_is_left_alone() -> Result<()> {
    let stack = Stack::options().without_executor().not_opted_in().namespaces(2);
    stack
        .run(async |t| {
            t.apply(&deployment("web").namespace(&t.namespaces[1])).await?.ok()?;
            t.apply(&deployment("web").replicas(2)).await?.ok()?;
            let web = t.succeeded("web").await?;
            ensure!(web.gate().is_none(), "{}", web.summary());
            ensure!(t.pods("web").await?.len() == 2);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_frozen_webhook_and_a_wiped_nats_are_faults_of_this_test_alone() -> Result<()> {
    let stack = Stack::options().without_executor().value("webhook.timeoutSeconds", 1);
    stack
        .run(async |t| {
            t.webhook.freeze()?;
            let said = t.apply(&deployment("web")).await?.refused()?;
            ensure!(said.contains("hold.roadstead.dev"), "{said}");
            t.webhook.thaw()?;
            t.apply(&deployment("web")).await?.ok()?;
            t.held("web").await?;
            let jetstream = t.jetstream().await?;
            let config = async_nats::jetstream::stream::Config { name: "MINE".into(), ..Default::default() };
            jetstream.create_stream(config).await?;
            t.nats.wipe().await?;
            eventually("the stream is gone", PATIENCE, async || {
                ensure!(t.jetstream().await?.get_stream("MINE").await.is_err());
                Ok(())
            })
            .await?;
            t.nats_cli(&["server", "check", "connection"]).await?.ok()?;
            Ok(())
        })
        .await
}

#[test]
fn a_failed_test_keeps_its_logs_and_what_the_cluster_looked_like() -> Result<()> {
    let failed = std::process::Command::new(std::env::current_exe()?)
        .args(["other_process_whose_test_fails", "--exact", "--ignored", "--nocapture"])
        .output()?;
    ensure!(!failed.status.success());
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    let folder =
        said.lines().find_map(|line| line.split_once("failed test are in ")).context(said.clone())?.1;
    let folder = Path::new(folder);
    let objects = std::fs::read_to_string(folder.join("objects-at-failure.yaml"))?;
    ensure!(objects.contains("kind: Deployment"), "{objects}");
    ensure!(folder.join("webhook.log").exists() && folder.join("../cluster/etcd.log").exists());
    // Not a failure that anybody wants to look at.
    std::fs::remove_dir_all(folder.parent().context("a run has a folder")?)?;
    Ok(())
}

#[tokio::test]
#[ignore = "run in a process of its own by the test above"]
async fn other_process_whose_test_fails() -> Result<()> {
    let stack = Stack::options().without_executor();
    stack
        .run(async |t| {
            t.apply(&deployment("web")).await?.ok()?;
            anyhow::bail!("as asked")
        })
        .await
}

#[tokio::test]
async fn the_proxy_holds_a_request_before_it_is_applied_and_an_answer_after() -> Result<()> {
    let cluster = testbed::ControlPlane::shared().await?;
    let proxy = Proxy::start(cluster.server()).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("kubeconfig");
    let admin = std::slice::from_ref(&cluster.identities().admin);
    kubeconfig::write(&file, &proxy.server(), admin, "default")?;
    let through = Api::<ConfigMap>::default_namespaced(kubeconfig::client(&file).await?);
    let direct = Api::<ConfigMap>::default_namespaced(cluster.client().await?);
    let create = async |name: &str| {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.to_owned());
        through.create(&PostParams::default(), &object).await
    };

    let hold = proxy.hold_request(|request| request.method == Method::POST);
    tokio::join!(create("before"), async {
        hold.held().await?;
        let there = direct.get_opt("before").await?;
        ensure!(there.is_none(), "it was applied while it was held");
        hold.release();
        Ok(())
    })
    .1?;
    direct.get("before").await?;

    let hold = proxy.hold_response(|request| request.uri.path().ends_with("/configmaps"));
    let unanswered = tokio::time::timeout(Duration::from_millis(1500), create("after")).await;
    ensure!(unanswered.is_err() && hold.count() == 1, "it was answered");
    direct.get("after").await?;
    drop(hold);
    create("later").await?;
    ensure!(proxy.seen().iter().filter(|request| request.starts_with("POST ")).count() == 3);
    Ok(())
}
