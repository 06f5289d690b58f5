//! The queue of a policy that a failed rollout pauses, until a person lets it go on; and what else the status says.

use anyhow::{Context as _, Result, ensure};
use policy::resource::{Freeze, PolicyStatus, ReleasePolicy};
use serde_json::json;
use testbed::{DeploymentFixture, DeploymentView as _, Stack, deployment, eventually};

use crate::{
    V1, V2, events,
    soak::{policy, status_that},
};

/// `status` of a condition.
fn says<'a>(status: &'a PolicyStatus, kind: &str) -> &'a str {
    let mut conditions = status.conditions.iter();
    conditions.find(|condition| condition.type_ == kind).map_or("", |condition| &condition.status)
}

fn team(name: &str, team: &str) -> DeploymentFixture {
    deployment(name).label("team", team).progress_deadline(3)
}

/// Tells a policy that its queue may go on after a change.
async fn resume(t: &Stack, policy: &str, change: &str) -> Result<()> {
    let order = format!("roadstead.dev/resume={change}");
    t.admin_kubectl(&["annotate", "releasepolicy", policy, "-n", &t.namespace, &order, "--overwrite"])
        .await?
        .ok()?;
    Ok(())
}

#[tokio::test]
async fn a_failed_rollout_pauses_the_queue_of_its_policy_until_a_person_resumes_it() -> Result<()> {
    Stack::options()
        .executors(2)
        .run(async |t| {
            for name in ["a", "b"] {
                let selector = json!({ "matchLabels": { "team": name } });
                policy(t, name, json!({ "selector": selector, "onFailure": "Pause" })).await?;
            }
            t.apply(&team("web", "a").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            t.apply(&team("web", "a").image(V2).unschedulable()).await?.ok()?;
            let web = t.deployment_that("web", "has failed", |web| web.phase() == Some("failed")).await?;
            ensure!(web.image() == V2, "the failed template stays: {}", web.summary());
            let change = web.change().context("no change")?.to_owned();
            let paused = status_that(t, "a", "is paused", |status| says(status, "Paused") == "True").await?;
            let reason = paused.paused.context("it says not why")?;
            ensure!(reason.change.as_str() == change && reason.deployment == "web", "{reason:?}");
            let note = events::has(t, "web", "ChangeFailed").await?;
            let command =
                format!("kubectl annotate releasepolicy a -n {} roadstead.dev/resume={change}", t.namespace);
            ensure!(note.contains(&command), "{note}");

            // Another policy's queue goes on, and this one's does not.
            t.apply(&team("api", "a").image(V1)).await?.ok()?;
            t.apply(&team("worker", "b").image(V1)).await?.ok()?;
            t.succeeded("worker").await?;
            for executor in [&t.executor, &t.more_executors[0]] {
                executor.kill()?;
                executor.start().await?;
            }
            t.apply(&deployment("other").image(V1)).await?.ok()?;
            t.succeeded("other").await?;
            let api = t.deployment("api").await?;
            ensure!(api.phase() == Some("held"), "{}", api.summary());
            ensure!(
                t.api::<ReleasePolicy>().get("b").await?.status.is_some_and(|status| status.paused.is_none())
            );

            resume(t, "a", "aaaaaaaaaa").await?;
            let mistaken = |status: &PolicyStatus| {
                let paused = status.conditions.iter().find(|condition| condition.type_ == "Paused");
                paused.is_some_and(|paused| paused.message.contains("another change"))
            };
            status_that(t, "a", "says that the order is for another change", mistaken).await?;
            resume(t, "a", &change).await?;
            let runs = |status: &PolicyStatus| status.paused.is_none() && says(status, "Paused") == "False";
            status_that(t, "a", "runs", runs).await?;
            t.succeeded("api").await?;
            let note = events::has(t, "web", "QueueResumed").await?;
            ensure!(note.contains("ReleasePolicy") && note.contains(&change), "{note}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn every_policy_and_freeze_says_how_it_stands() -> Result<()> {
    Stack::options()
        .run(async |t| {
            policy(t, "calm", json!({ "soak": "1s" })).await?;
            let ready = status_that(t, "calm", "is ready", |status| says(status, "Ready") == "True").await?;
            ensure!(
                says(&ready, "Paused") == "False" && says(&ready, "ExpressionsHold") == "True",
                "{ready:?}"
            );
            let since = |status: &PolicyStatus| status.conditions[0].last_transition_time.clone();
            policy(t, "calm", json!({ "soak": "2s" })).await?;
            let edited =
                status_that(t, "calm", "was read again", |status| status.observed_generation == Some(2))
                    .await?;
            ensure!(since(&edited) == since(&ready), "nothing changed: {edited:?}");
            for (name, from, until, active) in [
                ("now", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "True"),
                ("over", "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z", "False"),
                ("later", "2998-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "False"),
            ] {
                let spec = json!({ "reason": "sale", "owner": "ann", "from": from, "until": until });
                let freeze = json!({
                    "apiVersion": "roadstead.dev/v1alpha1", "kind": "Freeze",
                    "metadata": { "name": name, "namespace": t.namespace }, "spec": spec,
                });
                t.admin_kubectl_with(&["create", "-f", "-"], &freeze.to_string()).await?.ok()?;
                eventually("the freeze says how it stands", testbed::PATIENCE, async || {
                    let status = t.api::<Freeze>().get(name).await?.status.context("no status")?;
                    let condition = status.conditions.first().context("no condition")?;
                    ensure!(condition.type_ == "Active" && condition.status == active, "{condition:?}");
                    Ok(())
                })
                .await?;
            }
            Ok(())
        })
        .await
}
