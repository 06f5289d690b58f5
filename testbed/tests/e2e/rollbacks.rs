//! A rollout that fails goes back where its owner wants that: at once, without a loop, and without taking a field from
//! anybody.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use contract::{Phase, key::ON_FAILURE};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use testbed::{DeploymentFixture, DeploymentView as _, Method, Request, Stack, deployment, eventually};

use crate::{V1, V2, V3, events, queue};

/// The entry of a rollback's write in `managedFields`.
const MANAGER: &str = "roadstead-rollback";

fn web(image: &str) -> DeploymentFixture {
    deployment("web").image(image).replicas(2).annotation(ON_FAILURE, "Rollback").progress_deadline(3)
}

fn failing() -> DeploymentFixture {
    web(V2).unschedulable()
}

/// Waits until the first version runs again.
async fn rolled_back(t: &Stack) -> Result<Deployment> {
    let back = |web: &Deployment| {
        web.own("roadstead.dev/quarantined").is_some()
            && web.image() == V1
            && web.rolled_out()
            && web.phase().is_none()
    };
    t.deployment_that("web", "is rolled back", back).await
}

/// Waits until a phase was told of.
async fn told(t: &Stack, phase: Phase) -> Result<Vec<Phase>> {
    eventually("it is told of", testbed::PATIENCE, async || {
        let phases = queue::phases(t, "web").await?;
        ensure!(phases.contains(&phase), "{phases:?}");
        Ok(phases)
    })
    .await
}

/// Who owns which fields, but for what the executor and the deployment controller write all the time.
fn owners(web: &Deployment) -> Vec<Value> {
    let entries = web.metadata.managed_fields.iter().flatten();
    let users = entries.filter(|entry| {
        entry.subresource.as_deref() != Some("status")
            && entry.manager.as_deref() != Some("roadstead-executor")
    });
    users.map(|entry| serde_json::to_value(entry).unwrap()).collect()
}

#[tokio::test]
async fn a_failed_rollout_goes_back_and_the_same_again_is_denied_until_lifted() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&web(V1)).await?.ok()?;
            t.succeeded("web").await?;
            t.apply(&failing()).await?.ok()?;
            let back = rolled_back(t).await?;
            ensure!(back.gate() == Some("open"), "{}", back.summary());
            let phases = told(t, Phase::RolledBack).await?;
            let count = |phase| phases.iter().filter(|told| **told == phase).count();
            ensure!(count(Phase::Failed) == 1 && count(Phase::RolledBack) == 1, "{phases:?}");
            ensure!(count(Phase::Superseded) == 0 && count(Phase::Released) == 3, "{phases:?}");
            let note = events::has(t, "web", "ChangeRolledBack").await?;
            ensure!(note.contains(&format!("app {V2} → {V1}")), "{note}");
            let note = events::has(t, "web", "ChangeFailed").await?;
            ensure!(
                note.contains("within the deadline") && note.contains(&format!("app {V1} → {V2}")),
                "{note}"
            );
            for _ in 0..2 {
                let denied = t.apply(&failing()).await?.refused()?;
                ensure!(denied.contains("failed before and was rolled back"), "{denied}");
            }
            let after = t.deployment("web").await?;
            ensure!(after.metadata.generation == back.metadata.generation, "{}", after.summary());
            ensure!(queue::changes(t).await?.len() == 2, "what was denied is not queued");
            // Anything else is a change like any other.
            t.apply(&web(V3)).await?.ok()?;
            ensure!(t.succeeded("web").await?.image() == V3);
            let quarantined = after.own("roadstead.dev/quarantined").unwrap();
            let lift = format!("roadstead.dev/lift={}", &quarantined[..12]);
            t.kubectl(&["annotate", "deployment/web", &lift, "--overwrite"]).await?.ok()?;
            t.executor.freeze()?;
            t.apply(&failing()).await?.ok()?;
            ensure!(t.held("web").await?.own("roadstead.dev/quarantined").is_none());
            t.executor.thaw()?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_rollback_takes_no_field_from_those_who_apply_on_the_server() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let apply = ["apply", "--server-side", "-f", "-"];
            t.kubectl_with(&apply, &web(V1).yaml()).await?.ok()?;
            t.succeeded("web").await?;
            t.kubectl_with(&apply, &failing().yaml()).await?.ok()?;
            let before = t.released("web").await?;
            let back = rolled_back(t).await?;
            ensure!(owners(&back) == owners(&before), "{:#?}\nbefore: {:#?}", owners(&back), owners(&before));
            t.kubectl_with(&apply, &web(V3).yaml()).await?.ok()?;
            let done = t.succeeded("web").await?;
            ensure!(done.image() == V3, "{}", done.summary());
            let selector = done.spec.template.spec.and_then(|pod| pod.node_selector).unwrap_or_default();
            ensure!(selector.is_empty(), "{selector:?} of the failed template is back");
            Ok(())
        })
        .await
}

/// A user's chart whose Deployment fails where `selector` names a node that is not there.
fn chart(t: &Stack) -> Result<PathBuf> {
    let folder = t.folder.join("failing-chart");
    fs::create_dir_all(folder.join("templates"))?;
    fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: web\nversion: 1.0.0\n")?;
    fs::write(folder.join("values.yaml"), format!("image: {V1}\nselector: {{}}\n"))?;
    let mut template = web("IMAGE").json();
    template["spec"]["template"]["spec"]["nodeSelector"] = json!("SELECTOR");
    let template = serde_json::to_string(&template)?
        .replace("IMAGE", "{{ .Values.image }}")
        .replace("\"SELECTOR\"", "{{ .Values.selector | toJson }}");
    fs::write(folder.join("templates/deployment.yaml"), template)?;
    Ok(folder)
}

#[tokio::test]
async fn helm_4_upgrades_after_a_rollback_without_a_conflict() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let chart = chart(t)?;
            let chart = chart.to_str().unwrap();
            t.helm4(&["install", "web", chart]).await?.ok()?;
            t.succeeded("web").await?;
            let (v2, v3) = (format!("image={V2}"), format!("image={V3}"));
            let nowhere = r#"selector={"testbed":"nowhere"}"#;
            t.helm4(&["upgrade", "web", chart, "--set", &v2, "--set-json", nowhere]).await?.ok()?;
            rolled_back(t).await?;
            let again = t.helm4(&["upgrade", "web", chart, "--set", &v2, "--set-json", nowhere]).await?;
            let said = again.refused()?;
            ensure!(said.contains("failed before and was rolled back"), "{said}");
            t.helm4(&["upgrade", "web", chart, "--set", &v3, "--wait", "--timeout=50s"]).await?.ok()?;
            ensure!(t.succeeded("web").await?.image() == V3);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_rollback_needs_no_nats() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&web(V1)).await?.ok()?;
            t.succeeded("web").await?;
            t.apply(&failing()).await?.ok()?;
            t.released("web").await?;
            t.nats.stop().await?;
            rolled_back(t).await?;
            let denied = t.apply(&failing()).await?.refused()?;
            ensure!(denied.contains("failed before and was rolled back"), "{denied}");
            t.nats.start().await?;
            told(t, Phase::RolledBack).await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn where_no_replica_set_has_the_good_template_the_history_has_it() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&web(V1)).await?.ok()?;
            t.succeeded("web").await?;
            t.apply(&failing()).await?.ok()?;
            t.released("web").await?;
            let old = t.replica_sets("web").await?.remove(0).metadata.name.unwrap();
            t.api::<ReplicaSet>().delete(&old, &DeleteParams::background()).await?;
            rolled_back(t).await?;
            told(t, Phase::RolledBack).await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn what_never_succeeded_has_nothing_to_go_back_to() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&failing()).await?.ok()?;
            let failed = t.deployment_that("web", "failed", |web| web.phase() == Some("failed")).await?;
            ensure!(failed.image() == V2 && failed.own("roadstead.dev/quarantined").is_none());
            let note = events::has(t, "web", "ChangeFailed").await?;
            ensure!(note.contains("not rolled back: no earlier template has succeeded"), "{note}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_first_rollout_that_was_superseded_is_told_of_and_nothing_to_go_back_to() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1).unschedulable()).await?.ok()?;
            t.released("web").await?;
            t.apply(&failing()).await?.ok()?;
            let failed = t.deployment_that("web", "failed", |web| web.phase() == Some("failed")).await?;
            ensure!(failed.image() == V2 && failed.own("roadstead.dev/quarantined").is_none());
            let note = events::has(t, "web", "ChangeFailed").await?;
            ensure!(note.contains("not rolled back: no earlier template has succeeded"), "{note}");
            eventually("what was superseded is told of", testbed::PATIENCE, async || {
                let phases = queue::phases(t, "web").await?;
                let superseded = phases.iter().filter(|phase| **phase == Phase::Superseded).count();
                ensure!(superseded == 1, "{phases:?}");
                Ok(())
            })
            .await
        })
        .await
}

#[tokio::test]
async fn without_the_wish_for_it_nothing_is_rolled_back() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let keep = |image| deployment("web").image(image).progress_deadline(2);
            t.apply(&keep(V1).annotation(ON_FAILURE, "Keep")).await?.ok()?;
            t.succeeded("web").await?;
            t.apply(&keep(V2).annotation(ON_FAILURE, "Keep").unschedulable()).await?.ok()?;
            let failed = t.deployment_that("web", "failed", |web| web.phase() == Some("failed")).await?;
            ensure!(failed.image() == V2 && failed.own("roadstead.dev/quarantined").is_none());
            Ok(())
        })
        .await
}

#[tokio::test]
async fn containers_that_crash_again_and_again_fail_a_rollout_before_its_deadline() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let patient = |web: DeploymentFixture| web.replicas(1).progress_deadline(600);
            t.apply(&patient(web(V1))).await?.ok()?;
            t.succeeded("web").await?;
            t.apply(&patient(failing())).await?.ok()?;
            let pod = eventually("a new pod is there", testbed::PATIENCE, async || {
                let pods = t.pods("web").await?;
                let new = pods
                    .into_iter()
                    .find(|pod| pod.spec.as_ref().is_some_and(|spec| spec.node_selector.is_some()));
                new.context("none is there")
            })
            .await?;
            let crashed = json!({ "status": { "containerStatuses": [{
                "name": "app", "image": V2, "imageID": "", "ready": false, "restartCount": 5,
                "state": { "waiting": { "reason": "CrashLoopBackOff" } },
                "lastState": { "terminated": { "exitCode": 137, "reason": "OOMKilled" } },
            }]}});
            let name = pod.metadata.name.unwrap();
            let crashed = Patch::Strategic(crashed);
            t.api::<Pod>().patch_status(&name, &PatchParams::default(), &crashed).await?;
            rolled_back(t).await?;
            let note = events::has(t, "web", "ChangeFailed").await?;
            ensure!(note.contains(&format!("container app of pod {name} restarted 5 times")), "{note}");
            ensure!(note.contains("exit code 137 (OOMKilled)"), "{note}");
            Ok(())
        })
        .await
}

fn rolls_back(request: &Request) -> bool {
    request.method == Method::PATCH && request.uri.query().is_some_and(|query| query.contains(MANAGER))
}

#[tokio::test]
async fn an_executor_killed_within_a_rollback_owns_nothing_in_the_end() -> Result<()> {
    Stack::options()
        .executor_through_proxy()
        .run(async |t| {
            t.kubectl_with(&["apply", "--server-side", "-f", "-"], &web(V1).yaml()).await?.ok()?;
            t.succeeded("web").await?;
            let hold = t.proxy().hold_response(rolls_back);
            t.kubectl_with(&["apply", "--server-side", "-f", "-"], &failing().yaml()).await?.ok()?;
            hold.held().await?;
            t.executor.kill()?;
            drop(hold);
            let owned = |web: &Deployment| owners(web).iter().any(|entry| entry["manager"] == MANAGER);
            ensure!(owned(&t.deployment("web").await?), "the rollback was not cut in two");
            t.executor.start().await?;
            let back = rolled_back(t).await?;
            ensure!(!owned(&back), "{:#?}", owners(&back));
            let phases = told(t, Phase::Failed).await?;
            ensure!(phases.iter().filter(|phase| **phase == Phase::Failed).count() == 1, "{phases:?}");
            t.kubectl_with(&["apply", "--server-side", "-f", "-"], &web(V3).yaml()).await?.ok()?;
            ensure!(t.succeeded("web").await?.image() == V3);
            Ok(())
        })
        .await
}
