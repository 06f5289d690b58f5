//! Roadstead goes: whatever waited rolls out, whatever runs is left alone, and from then on a Deployment is what it is
//! in plain Kubernetes.

use std::{collections::BTreeSet, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use contract::Key;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    apps::v1::Deployment,
    core::v1::Secret,
};
use kube::{
    Api, ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};
use testbed::{DeploymentView as _, Method, Request, Stack, deployment, eventually, kubeconfig};

use crate::{
    V1, V2, V3,
    hooks::{self, Hook},
    queue,
};

/// Own keys of a Deployment, but for the one that stays.
fn ours(web: &Deployment) -> Vec<&'static str> {
    let names = Key::ALL.map(Key::name).into_iter().chain([contract::key::PHASE_LABEL]);
    names
        .filter(|name| web.own(name).is_some() && (*name, web.gate()) != (Key::Gate.name(), Some("open")))
        .collect()
}

/// Nothing of ours is left on it.
pub(crate) async fn is_plain(t: &Stack, name: &str) -> Result<()> {
    let web = t.deployment(name).await?;
    ensure!(ours(&web).is_empty(), "{:?} of {}", ours(&web), web.summary());
    Ok(())
}

/// Writes as the executor does, past the webhook.
async fn forge(t: &Stack, name: &str, patch: &Value) -> Result<()> {
    let executor = format!("system:serviceaccount:{}:{}-executor", t.release, t.fullname);
    let patch = patch.to_string();
    let args =
        ["patch", "deployment", name, "-n", &t.namespace, "--type=merge", "--as", &executor, "-p", &patch];
    t.admin_kubectl(&args).await?.ok().map(drop)
}

/// `name` runs its first version.
async fn runs(t: &Stack, names: &[&str]) -> Result<()> {
    for name in names {
        let web = deployment(name).image(V1);
        let web = if *name == "anew" { web.recreate() } else { web };
        t.apply(&web).await?.ok()?;
    }
    for name in names {
        t.succeeded(name).await?;
    }
    Ok(())
}

async fn set_image(t: &Stack, name: &str, image: &str) -> Result<()> {
    t.kubectl(&["set", "image", &format!("deployment/{name}"), &format!("app={image}")]).await?.ok().map(drop)
}

/// Waits until a Deployment runs that image.
pub(crate) async fn rolls_out(t: &Stack, name: &str, image: &str) -> Result<()> {
    let done = |web: &Deployment| web.image() == image && web.rolled_out();
    t.deployment_that(name, &format!("runs {image}"), done).await.map(drop)
}

/// The revision of the ReplicaSet of an image that is annotated `closed`.
async fn closed_revision(t: &Stack, name: &str, image: &str) -> Result<String> {
    eventually("the old ReplicaSet is annotated closed", testbed::PATIENCE, async || {
        let sets = t.replica_sets(name).await?;
        let of_image = |set: &&k8s_openapi::api::apps::v1::ReplicaSet| {
            serde_json::to_value(&set.spec.template)
                .is_ok_and(|template| template.to_string().contains(image))
        };
        let set = sets.iter().find(of_image).context("a ReplicaSet of that image")?;
        let gate = set.annotations().get(Key::Gate.name());
        ensure!(gate.is_some_and(|gate| gate == "closed"), "its gate is {gate:?}");
        set.annotations().get("deployment.kubernetes.io/revision").cloned().context("a revision")
    })
    .await
}

/// The two webhook configurations are gone.
pub(crate) async fn holds_no_more(t: &Stack) -> Result<()> {
    let holds = Api::<MutatingWebhookConfiguration>::all(t.client.clone());
    let gates = Api::<ValidatingWebhookConfiguration>::all(t.client.clone());
    ensure!(holds.get_opt(&format!("zz-{}", t.fullname)).await?.is_none(), "the hold is there");
    ensure!(gates.get_opt(&t.fullname).await?.is_none(), "the gate is there");
    Ok(())
}

pub(crate) async fn secret(t: &Stack, name: &str, made_by: &str) -> Result<()> {
    let labels = json!({ "app.kubernetes.io/name": "roadstead", "app.kubernetes.io/managed-by": made_by });
    let secret = json!({ "metadata": { "name": format!("{}-{name}", t.fullname), "labels": labels } });
    let secrets = t.api_in::<Secret>(&t.release);
    secrets.create(&PostParams::default(), &serde_json::from_value(secret)?).await?;
    Ok(())
}

/// What is left of Secrets, without the release's prefix.
pub(crate) async fn secrets(t: &Stack) -> Result<BTreeSet<String>> {
    let secrets = t.api_in::<Secret>(&t.release).list(&ListParams::default()).await?;
    let prefix = format!("{}-", t.fullname);
    Ok(secrets
        .iter()
        .filter_map(|secret| Some(secret.name_any().strip_prefix(&prefix)?.to_owned()))
        .collect())
}

#[tokio::test]
async fn everything_that_waited_rolls_out_as_in_plain_kubernetes_with_all_of_roadstead_dead() -> Result<()> {
    Stack::options()
        .own_control_plane()
        .value("namespaces", json!([]))
        .run(async |t| {
            runs(t, &["web", "anew", "paused", "old", "dead", "failed", "still"]).await?;
            set_image(t, "old", V2).await?;
            t.succeeded("old").await?;
            t.apply(&deployment("flight").image(V1).unschedulable()).await?.ok()?;
            t.released("flight").await?;
            t.executor.freeze()?;
            t.kubectl(&["rollout", "pause", "deployment/paused"]).await?.ok()?;
            for name in ["web", "anew", "paused", "dead"] {
                set_image(t, name, V2).await?;
                t.held(name).await?;
            }
            t.apply(&deployment("fresh").image(V2)).await?.ok()?;
            t.held("fresh").await?;
            // Held on the way back to an old template, whose ReplicaSet is annotated `closed` by that, then superseded.
            set_image(t, "old", V1).await?;
            let revision = closed_revision(t, "old", V1).await?;
            set_image(t, "old", V3).await?;
            ensure!(t.deployment("anew").await?.own("roadstead.dev/paused") == Some("true"), "our pause");
            forge(t, "dead", &json!({ "metadata": { "labels": { "roadstead.dev/phase": "dead" } } })).await?;
            let quarantined =
                json!({ "roadstead.dev/quarantined": "sha256:abc", "roadstead.dev/attempt": "2" });
            forge(t, "failed", &json!({ "metadata": { "annotations": quarantined } })).await?;
            let own = deployment("never").namespace("default").annotation("roadstead.dev/lane", "bulk");
            t.admin_kubectl_with(&["apply", "-f", "-"], &own.yaml()).await?.ok()?;
            let never = Api::<Deployment>::namespaced(t.client.clone(), "default");
            let before = never.get("never").await?.metadata.generation;
            for (name, by) in [
                ("webhook-tls", "roadstead-certs"),
                ("nats-keys", "roadstead-certs"),
                ("nats-server", "roadstead-certs"),
                ("webhook-authorities", "cert-manager"),
            ] {
                secret(t, name, by).await?;
            }
            for part in [&t.webhook, &t.executor, &t.nats.part] {
                part.kill()?;
            }

            let hook = Hook::prepare(t, "pre-delete").await?;
            let said = hook.run(&[]).await?.ok()?;
            ensure!(said.contains("Deployments opened") && said.contains("helm uninstall"), "{said}");
            holds_no_more(t).await?;
            for (name, image) in [("web", V2), ("anew", V2), ("dead", V2), ("fresh", V2), ("old", V3)] {
                rolls_out(t, name, image).await?;
            }
            for name in ["web", "anew", "paused", "old", "dead", "failed", "still", "flight", "fresh"] {
                is_plain(t, name).await?;
            }
            let left = secrets(t).await?;
            ensure!(left == ["nats-keys", "webhook-authorities"].map(str::to_owned).into(), "{left:?}");
            ensure!(
                never.get("never").await?.metadata.generation == before,
                "what was never ours was written"
            );

            let again = hook.run(&[]).await?.ok()?;
            ensure!(again.contains("nothing of release") && again.contains("nats-keys"), "{again}");

            let paused = t.deployment("paused").await?;
            ensure!(
                paused.paused() && paused.gate() == Some("open"),
                "a user's pause stays: {}",
                paused.summary()
            );
            t.kubectl(&["rollout", "resume", "deployment/paused"]).await?.ok()?;
            rolls_out(t, "paused", V2).await?;
            set_image(t, "still", V2).await?;
            rolls_out(t, "still", V2).await?;
            t.kubectl(&["rollout", "undo", "deployment/old", &format!("--to-revision={revision}")])
                .await?
                .ok()?;
            rolls_out(t, "old", V1).await
        })
        .await
}

#[tokio::test]
async fn next_to_a_living_roadstead_it_is_killed_half_way_and_run_again() -> Result<()> {
    Stack::options()
        .slots(1)
        .run(async |t| {
            t.apply(&deployment("stuck").unschedulable()).await?.ok()?;
            t.released("stuck").await?;
            let names: Vec<_> = (0..12).map(|number| format!("web-{number}")).collect();
            for name in &names {
                t.apply(&deployment(name).image(V1)).await?.ok()?;
                t.held(name).await?;
            }
            Hook::prepare(t, "pre-delete").await?;
            let user = testbed::release::service_account(
                &t.client,
                &t.release,
                &format!("{}-uninstall", t.fullname),
            )
            .await?;
            let through_proxy = t.folder.join("proxy.kubeconfig");
            kubeconfig::write(&through_proxy, &t.proxy().server(), &[user], &t.namespace)?;
            let tool = hooks::cli(&through_proxy)?;
            let args = ["uninstall", "-n", &t.release, "--release", &t.release, "--namespaces", &t.namespace];
            // The last one is not let through: the process dies with half of its work done.
            let last = names[11].clone();
            let hold = t.proxy().hold_request(move |request: &Request| {
                request.method == Method::PATCH && request.uri.path().ends_with(&format!("/{last}"))
            });
            let mut killed = tokio::process::Command::new(&tool.program);
            killed.args(args).envs(tool.env.iter().cloned()).stdout(Stdio::null()).kill_on_drop(true);
            let mut killed = killed.spawn()?;
            hold.held().await?;
            killed.kill().await?;
            hold.release();

            tool.run(&args, None).await?.ok()?;
            holds_no_more(t).await?;
            for name in &names {
                rolls_out(t, name, V1).await?;
                is_plain(t, name).await?;
            }
            is_plain(t, "stuck").await
        })
        .await
}

#[tokio::test]
async fn a_users_write_in_between_is_not_lost() -> Result<()> {
    Stack::options()
        .executor_through_proxy()
        .run(async |t| {
            queue::second_version_waits(t).await?;
            let account = format!("{}-executor", t.fullname);
            let user = testbed::release::service_account(&t.client, &t.release, &account).await?;
            // Any identity that may patch; what it may not do is said, and does not stop it.
            let through_proxy = t.folder.join("proxy.kubeconfig");
            kubeconfig::write(&through_proxy, &t.proxy().server(), &[user], &t.namespace)?;
            for (kind, name) in
                [("mutating", format!("zz-{}", t.fullname)), ("validating", t.fullname.clone())]
            {
                t.admin_kubectl(&["delete", &format!("{kind}webhookconfiguration"), &name]).await?.ok()?;
            }
            let opens = |request: &Request| {
                request.method == Method::PATCH && request.uri.path().ends_with("/deployments/web")
            };
            let hold = t.proxy().hold_request(opens);
            let tool = hooks::cli(&through_proxy)?;
            let args = ["uninstall", "-n", &t.release, "--release", &t.release, "--namespaces", &t.namespace];
            let user = async {
                hold.held().await?;
                t.kubectl(&["scale", "deployment/web", "--replicas=3"]).await?.ok()?;
                t.kubectl(&["rollout", "pause", "deployment/web"]).await?.ok()?;
                hold.release();
                Ok::<_, anyhow::Error>(())
            };
            let (uninstalled, user) = tokio::join!(tool.run(&args, None), user);
            user?;
            let uninstalled = uninstalled?;
            ensure!(uninstalled.status.code() == Some(6), "{uninstalled}");
            ensure!(uninstalled.stderr.contains("webhookconfiguration"), "{uninstalled}");
            let web = t.deployment("web").await?;
            ensure!(web.spec.replicas == Some(3) && web.paused() && web.image() == V2, "{}", web.summary());
            is_plain(t, "web").await
        })
        .await
}

#[tokio::test]
async fn a_thousand_deployments_are_opened_in_one_run() -> Result<()> {
    const MANY: usize = 1_000;
    Stack::options()
        .without_executor()
        .run(async |t| {
            let deployments = t.deployments();
            let created = (0..MANY).map(|number| {
                let (deployments, web) =
                    (deployments.clone(), deployment(&format!("web-{number}")).replicas(0).object());
                async move { deployments.create(&PostParams::default(), &web).await }
            });
            futures::stream::iter(created).buffer_unordered(16).try_for_each(async |_| Ok(())).await?;
            let held = deployments.list(&ListParams::default().labels("roadstead.dev/phase=held")).await?;
            ensure!(held.items.len() == MANY, "{} are held", held.items.len());
            let said = Hook::prepare(t, "pre-delete").await?.run(&[]).await?;
            eprintln!("{MANY} Deployments: {:.1} s", said.took.as_secs_f64());
            ensure!(said.success() && said.stdout.contains("1000 Deployments opened"), "{said}");
            let left = deployments.list(&ListParams::default()).await?;
            let left: Vec<_> = left
                .iter()
                .filter(|web| !ours(web).is_empty())
                .map(testbed::DeploymentView::summary)
                .collect();
            ensure!(left.is_empty(), "{left:?}");
            Ok(())
        })
        .await
}
