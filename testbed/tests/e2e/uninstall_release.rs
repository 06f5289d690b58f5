//! What an uninstall does to the release itself: what it may do, what it stops, what it removes, and what Helm does with
//! its Job.

use std::time::Duration;

use anyhow::{Result, ensure};
use contract::access;
use futures::TryStreamExt as _;
use k8s_openapi::api::{
    apps::v1::Deployment,
    batch::v1::Job,
    core::v1::{Event, Namespace, PersistentVolumeClaim, Pod, ServiceAccount},
    rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;
use testbed::{DeploymentView as _, Stack, deployment, eventually, release::Release};

use crate::{
    V1, V2,
    hooks::{self, Hook},
    queue,
    uninstall::{holds_no_more, is_plain, rolls_out, secret, secrets},
};

/// How many objects of a release are left outside its namespace.
async fn left(t: &Stack, release: &str) -> Result<[usize; 4]> {
    let ours = ListParams::default().labels(&format!("app.kubernetes.io/instance={release}"));
    let client = || t.client.clone();
    Ok([
        Api::<ClusterRole>::all(client()).list(&ours).await?.items.len(),
        Api::<ClusterRoleBinding>::all(client()).list(&ours).await?.items.len(),
        Api::<Role>::namespaced(client(), &t.namespace).list(&ours).await?.items.len(),
        Api::<RoleBinding>::namespaced(client(), &t.namespace).list(&ours).await?.items.len(),
    ])
}

#[tokio::test]
async fn when_the_namespace_was_deleted_first_one_command_removes_what_it_left_in_the_cluster() -> Result<()>
{
    Stack::options()
        .own_control_plane()
        .run(async |t| {
            queue::second_version_waits(t).await?;
            let namespaces = Api::<Namespace>::all(t.client.clone());
            namespaces.delete(&t.release, &DeleteParams::default()).await?;
            for part in [&t.webhook, &t.executor, &t.nats.part] {
                part.kill()?;
            }
            let admin = hooks::admin(t)?;
            let args = ["uninstall", "--namespace", &t.release, "--release", &t.release];
            let mistyped =
                admin.run(&["uninstall", "--namespace", "elsewhere", "--release", &t.release], None).await?;
            ensure!(mistyped.status.code() == Some(3), "{mistyped}");
            ensure!(mistyped.stderr.contains(&format!("--namespace {}", t.release)), "{mistyped}");
            let dry = admin.run(&[&args[..], &["--dry-run"]].concat(), None).await?.ok()?;
            ensure!(dry.contains("deleted (dry run)") && dry.contains("/web opened (dry run)"), "{dry}");
            ensure!(t.deployment("web").await?.gate() == Some("closed"), "a dry run has opened it");

            let said = admin.run(&args, None).await?.ok()?;
            ensure!(said.contains("nothing of it is left in the cluster"), "{said}");
            holds_no_more(t).await?;
            rolls_out(t, "web", V2).await?;
            is_plain(t, "web").await?;
            let left = left(t, &t.release).await?;
            ensure!(left == [0; 4], "{left:?} objects are left");
            let again = admin.run(&args, None).await?.ok()?;
            ensure!(again.contains("nothing of release"), "{again}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn the_queue_and_its_keys_go_only_when_they_are_meant() -> Result<()> {
    Stack::options()
        .without_webhook()
        .without_executor()
        .without_nats()
        .value("uninstall.streams", true)
        .run(async |t| {
            secret(t, "nats-keys", "roadstead-certs").await?;
            let claims = t.api_in::<PersistentVolumeClaim>(&t.release);
            for name in [format!("data-{}-nats-0", t.fullname), "data-other-0".to_owned()] {
                let claim = json!({
                    "metadata": { "name": name },
                    "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
                });
                claims.create(&PostParams::default(), &serde_json::from_value(claim)?).await?;
            }
            let said = Hook::prepare(t, "pre-delete").await?.run(&[]).await?.ok()?;
            ensure!(said.contains("persistentvolumeclaim") && said.contains("nats-keys deleted"), "{said}");
            ensure!(secrets(t).await?.is_empty(), "{:?}", secrets(t).await?);
            // Who takes it away from a pod that uses it is not part of this control plane.
            let claims = claims.list(&ListParams::default()).await?;
            let left = claims.iter().filter(|claim| claim.metadata.deletion_timestamp.is_none());
            let left: Vec<_> = left.map(ResourceExt::name_any).collect();
            ensure!(left == ["data-other-0"], "{left:?}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn the_streams_of_a_nats_that_is_not_its_own_go_only_when_they_are_meant() -> Result<()> {
    Stack::options()
        .nats_identities()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            // The workloads would make them again.
            t.webhook.kill()?;
            t.executor.kill()?;
            let jetstream = async_nats::jetstream::new(t.nats.client().await?);
            let streams = async || jetstream.stream_names().try_collect::<Vec<_>>().await;
            let admin = hooks::admin(t)?;
            let (_, creds) = t.nats.env(access::Role::Uninstall);
            let nats = ["--nats-url", t.nats.url(), "--nats-creds", &creds, "--nats-cluster", &t.cluster];
            // The control plane is other tests' as well.
            let release =
                ["uninstall", "-n", &t.release, "--release", &t.release, "--namespaces", &t.namespace];
            let args = [&release[..], &nats[..]].concat();
            admin.run(&args, None).await?.ok()?;
            ensure!(streams().await?.len() == 6, "they were not meant");
            let said = admin.run(&[&args[..], &["--streams"]].concat(), None).await?.ok()?;
            ensure!(said.contains("stream KV_ROADSTEAD_LEASES deleted"), "{said}");
            ensure!(streams().await?.is_empty(), "{said}");
            let again = admin.run(&[&args[..], &["--streams"]].concat(), None).await?.ok()?;
            ensure!(!again.contains("stream"), "{again}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn its_service_account_may_not_do_what_it_does_not_need() -> Result<()> {
    Stack::options()
        .without_webhook()
        .without_executor()
        .without_nats()
        .run(async |t| {
            Hook::prepare(t, "pre-delete").await?;
            let account = format!("system:serviceaccount:{}:{}-uninstall", t.release, t.fullname);
            let ask = async |question: &str, namespace: &str| {
                let words: Vec<_> = question.split(' ').collect();
                let args = [&["auth", "can-i"], &words[..], &["-n", namespace, "--as", &account]].concat();
                Ok::<_, anyhow::Error>(t.admin_kubectl(&args).await?.stdout.trim() == "yes")
            };
            let (served, release) = (&*t.namespace, &*t.release);
            let executor = format!("patch deployments/{}-executor", t.fullname);
            ensure!(
                ask(&executor, release).await? && ask("patch deployments", served).await?,
                "the test itself"
            );
            for (question, namespace) in [
                ("patch deployments", release),
                ("patch deployments", "default"),
                ("list deployments", "default"),
                ("delete deployments", served),
                ("create deployments", served),
                ("list secrets", release),
                ("get secrets/another", release),
                ("get secrets", served),
                ("list persistentvolumeclaims", release),
                ("create pods", release),
                ("delete pods", release),
                ("delete mutatingwebhookconfigurations/another", release),
                ("patch mutatingwebhookconfigurations", release),
                ("delete namespaces", release),
                ("delete clusterroles", release),
                ("impersonate users", release),
            ] {
                ensure!(!ask(question, namespace).await?, "it may {question} in {namespace}");
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn executors_in_the_cluster_are_stopped_and_a_pod_that_never_ends_is_not_waited_for() -> Result<()> {
    Stack::options()
        .without_webhook()
        .without_executor()
        .without_nats()
        .run(async |t| {
            let name = format!("{}-executor", t.fullname);
            let executor = deployment(&name).namespace(&t.release).replicas(2);
            t.admin_kubectl_with(&["apply", "-f", "-"], &executor.yaml()).await?.ok()?;
            let pods = t.api_in::<Pod>(&t.release);
            // It belongs to nobody who would end it, as one of a dead node.
            let dead = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": { "name": "dead", "labels": { "app": name } },
                "spec": { "containers": [{ "name": "app", "image": V1 }] },
            });
            pods.create(&PostParams::default(), &serde_json::from_value(dead)?).await?;
            let said = Hook::prepare(t, "pre-delete").await?.run(&["--pods-timeout=3s"]).await?;
            ensure!(said.success() && said.stderr.contains("dead did not end in time"), "{said}");
            ensure!(said.stdout.contains(&format!("deployment {name} scaled to 0")), "{said}");
            ensure!(said.took < Duration::from_secs(30), "{said}");
            let scaled = t.api_in::<Deployment>(&t.release).get(&name).await?;
            ensure!(scaled.spec.replicas == Some(0), "{}", scaled.summary());
            Ok(())
        })
        .await
}

#[tokio::test]
async fn helm_runs_the_job_first_and_leaves_nothing_of_it() -> Result<()> {
    Stack::options()
        .without_webhook()
        .without_executor()
        .without_nats()
        .run(async |t| {
            let (chart, values) = (Release::chart(), t.folder.join("values.json"));
            let (chart, values) = (chart.display().to_string(), values.display().to_string());
            for version in ["3", "4"] {
                let helm = async |args: &[&str]| match version {
                    "3" => t.helm3(args).await?.ok(),
                    _ => t.helm4(args).await?.ok(),
                };
                let name = format!("{}-{version}", t.release);
                let install =
                    ["install", &name, &chart, "-n", &name, "--create-namespace", "--values", &values];
                helm(&install).await?;
                ensure!(left(t, &name).await? != [0; 4], "nothing was installed");
                // The Job's pod is kwok's: it ends well without doing anything.
                helm(&["uninstall", &name, "-n", &name]).await?;
                let about = ListParams::default().fields("involvedObject.kind=Job,reason=Completed");
                let ran = t.api_in::<Event>(&name).list(&about).await?.items.len();
                ensure!(ran == 1, "the Job of Helm {version} has ended {ran} times");
                eventually("nothing of the release is left", testbed::PATIENCE, async || {
                    let left = left(t, &name).await?;
                    let jobs = t.api_in::<Job>(&name).list(&ListParams::default()).await?.items.len();
                    let accounts = t.api_in::<ServiceAccount>(&name).list(&ListParams::default()).await?;
                    let accounts: Vec<_> = accounts.iter().map(ResourceExt::name_any).collect();
                    ensure!(
                        (left, jobs) == ([0; 4], 0) && accounts == ["default"],
                        "{left:?}, {jobs}, {accounts:?}"
                    );
                    Ok(())
                })
                .await?;
                let namespaces = Api::<Namespace>::all(t.client.clone());
                namespaces.delete(&name, &DeleteParams::default()).await?;
            }
            Ok(())
        })
        .await
}
