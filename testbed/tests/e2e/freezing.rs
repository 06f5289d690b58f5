//! `kubectl roadstead freeze`, `thaw`, `pause` and `resume`, as a plugin of kubectl and with the rights of its user.

use anyhow::{Context as _, Result, ensure};
use policy::resource::Freeze;
use serde_json::{Value, json};
use testbed::{DeploymentView as _, Output, Stack, deployment, eventually};

use crate::{V1, V2, policies, soak, steering::ended};

/// `kubectl roadstead` as the administrator, in the test's namespace.
async fn admin(t: &Stack, args: &[&str]) -> Result<Output> {
    t.admin_kubectl(&[&["roadstead"][..], args, &["-n", &t.namespace]].concat()).await
}

#[tokio::test]
async fn a_freeze_is_made_listed_and_ended_by_who_administers_the_namespace() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let freeze =
                ["freeze", "stock", "--for", "2h", "--reason", "we count", "-l", "tier in (front,back)"];
            let may_not = t.kubectl(&[&["roadstead"][..], &freeze[..]].concat()).await?;
            ended(&may_not, 4, &["you may not freeze namespace", "ClusterRole admin gives that right"])?;
            let tried = admin(t, &[&freeze[..], &["--dry-run=server"]].concat()).await?.ok()?;
            ensure!(tried.starts_with("freeze.roadstead.dev/stock created (server dry run): "), "{tried}");
            ensure!(t.api::<Freeze>().get_opt("stock").await?.is_none(), "a dry run froze");

            let done = admin(t, &freeze).await?.ok()?;
            ensure!(done.contains("kubectl roadstead thaw stock -n") && done.contains("(for 2h)"), "{done}");
            let made = t.api::<Freeze>().get("stock").await?.spec;
            ensure!(made.owner == "admin" && made.reason == "we count", "{made:?}");
            ended(&admin(t, &freeze).await?, 1, &["already", "kubectl roadstead thaw stock"])?;

            t.apply(&deployment("web").label("tier", "front").image(V1)).await?.ok()?;
            policies::waits(t, "web", "we count").await?;
            t.apply(&deployment("other").image(V1)).await?.ok()?;
            t.succeeded("other").await?;

            let listed = admin(t, &["thaw"]).await?;
            ended(&listed, 2, &["say which is to end: kubectl roadstead thaw NAME"])?;
            ensure!(
                listed.stdout.lines().any(|line| line.starts_with("stock") && line.contains("now")),
                "{listed}"
            );
            ended(
                &admin(t, &["thaw", "sale"]).await?,
                3,
                &["sale", "which there are: kubectl roadstead thaw"],
            )?;
            let thawed = admin(t, &["thaw", "stock", "-o", "name"]).await?.ok()?;
            ensure!(thawed == "freeze.roadstead.dev/stock\n", "{thawed}");
            t.succeeded("web").await?;
            let none = admin(t, &["thaw"]).await?;
            ensure!(none.success() && none.stderr.contains("No freezes in namespace"), "{none}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_freeze_of_the_cluster_holds_in_the_namespaces_that_it_selects() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let name = format!("cli-{}", t.namespace);
            let here = format!("kubernetes.io/metadata.name={}", t.namespace);
            let freeze =
                ["roadstead", "freeze", &name, "--cluster", "--namespace-selector", &here, "--for", "1h"];
            let freeze = [&freeze[..], &["--reason", "we count", "--owner", "#ops", "-o", "json"]].concat();
            let may_not = t.kubectl(&freeze).await?;
            ended(
                &may_not,
                4,
                &["you may not freeze the cluster", "ClusterRole cluster-admin has that right"],
            )?;
            let done: Value = serde_json::from_str(&t.admin_kubectl(&freeze).await?.ok()?)?;
            let item = &done["items"][0];
            ensure!(
                item["resource"] == "clusterfreeze.roadstead.dev" && item["namespace"].is_null(),
                "{done}"
            );
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            ensure!(policies::waits(t, "web", "we count").await?.contains("#ops"));
            t.admin_kubectl(&["roadstead", "thaw", &name, "--cluster"]).await?.ok()?;
            t.succeeded("web").await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_namespace_is_paused_until_somebody_resumes_and_what_rolls_out_goes_on() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("flies").unschedulable()).await?.ok()?;
            t.released("flies").await?;
            let nothing = admin(t, &["resume"]).await?;
            ended(&nothing, 3, &["nothing is paused in namespace"])?;
            let paused = admin(t, &["pause", "--reason", "incident 4711"]).await?.ok()?;
            ensure!(paused.contains("freeze.roadstead.dev/roadstead-paused created: "), "{paused}");
            ended(&admin(t, &["pause", "--reason", "again"]).await?, 1, &["kubectl roadstead resume"])?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            policies::waits(t, "web", "incident 4711").await?;
            let flies = t.deployment("flies").await?;
            ensure!(flies.phase() == Some("released") && !flies.paused(), "{}", flies.summary());
            admin(t, &["resume"]).await?.ok()?;
            t.succeeded("web").await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_queue_that_a_failure_paused_goes_on_when_it_is_resumed() -> Result<()> {
    Stack::options()
        .run(async |t| {
            soak::policy(t, "careful", json!({ "onFailure": "Pause" })).await?;
            ended(&admin(t, &["resume", "careful"]).await?, 3, &["is not paused"])?;
            t.apply(&deployment("bad").unschedulable().progress_deadline(1)).await?.ok()?;
            let bad = t.deployment_that("bad", "has failed", |bad| bad.phase() == Some("failed")).await?;
            let change = bad.change().context("no change")?;
            let status =
                soak::status_that(t, "careful", "is paused", |status| status.paused.is_some()).await?;
            ensure!(status.paused.context("no pause")?.change.as_str() == change);
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            policies::waits(t, "web", "paused").await?;
            let which = admin(t, &["resume"]).await?;
            ended(
                &which,
                3,
                &["failures have paused queues", "kubectl roadstead resume careful -n", change],
            )?;
            let other = admin(t, &["resume", "careful", "--change", "zzzzzzzzzz"]).await?;
            ended(&other, 3, &["another failure", change])?;
            let done = admin(t, &["resume", "careful"]).await?.ok()?;
            ensure!(done.contains("releasepolicy.roadstead.dev/careful told to go on: "), "{done}");
            t.succeeded("web").await?;
            eventually("the policy is paused no more", testbed::PATIENCE, async || {
                ended(&admin(t, &["resume", "careful"]).await?, 3, &["is not paused"])
            })
            .await
        })
        .await
}
