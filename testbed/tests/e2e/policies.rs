//! Rules at the release: a change waits for each, says so, and goes as soon as it may.

use anyhow::{Context as _, Result, ensure};
use contract::{ChangeEvent, Phase, envelope::open, stream::EVENTS, subject};
use serde_json::{Value, json};
use testbed::{DeploymentView as _, Stack, deployment, eventually};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{V1, V2, events};

/// Applies a policy or a freeze of the test's namespace.
pub(crate) async fn put(t: &Stack, kind: &str, name: &str, spec: Value) -> Result<()> {
    let object = json!({
        "apiVersion": "roadstead.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": t.namespace}, "spec": spec,
    });
    t.admin_kubectl_with(&["apply", "-f", "-"], &object.to_string()).await?.ok()?;
    Ok(())
}

async fn delete(t: &Stack, kind: &str, name: &str) -> Result<()> {
    t.admin_kubectl(&["delete", kind, name, "-n", &t.namespace]).await?.ok()?;
    Ok(())
}

/// So many seconds from now, as it stands in a manifest.
fn after(seconds: i64) -> Result<String> {
    let at = OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
    Ok(at.replace_nanosecond(0)?.format(&Rfc3339)?)
}

pub(crate) fn freeze(seconds: i64) -> Result<Value> {
    Ok(json!({"reason": "we count the stock", "owner": "ann@example.com", "until": after(seconds)?}))
}

/// A window that is open for a minute each leap day.
pub(crate) fn closed() -> Value {
    json!({"windows": [{"name": "leap-day", "kind": "Allow", "schedule": "0 0 29 2 *", "duration": "1m"}]})
}

/// What was told last of a Deployment's change in a phase.
pub(crate) async fn told(t: &Stack, name: &str, phase: Phase) -> Result<ChangeEvent> {
    let stream = t.jetstream().await?.get_stream(EVENTS).await?;
    let subject = subject::event(&t.cluster, &t.namespace, name, phase)?;
    Ok(open(&stream.get_last_raw_message_by_subject(&subject).await?.payload)?)
}

/// Waits until it is an Event that a change waits for a rule, and checks that it is held.
pub(crate) async fn waits(t: &Stack, name: &str, word: &str) -> Result<String> {
    let note = eventually("it is told for which rule it waits", testbed::PATIENCE, async || {
        let notes = events::all(t, name, "HeldByPolicy").await?;
        notes.iter().find(|note| note.contains(word)).cloned().with_context(|| format!("{notes:?}"))
    })
    .await?;
    t.held(name).await?;
    Ok(note)
}

#[tokio::test]
async fn outside_its_window_a_change_waits_and_goes_at_once_when_the_policy_is_deleted() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            put(t, "ReleasePolicy", "rare", closed()).await?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            let note = waits(t, "web", "leap-day").await?;
            ensure!(note.contains(&format!("ReleasePolicy {}/rare", t.namespace)), "{note}");
            ensure!(note.contains("-02-29T00:00:00"), "until when: {note}");
            let event = told(t, "web", Phase::Held).await?;
            ensure!(event.obstacles.len() == 1 && event.next_try.is_some(), "{event:?}");
            eventually("it is counted", testbed::PATIENCE, async || {
                let waiting =
                    t.executor.metric_where("roadstead_waiting_for_rule", &[r#"rule="window""#]).await?;
                ensure!((waiting - 1.0).abs() < f64::EPSILON, "{waiting} wait");
                Ok(())
            })
            .await?;
            delete(t, "releasepolicy", "rare").await?;
            ensure!(t.succeeded("web").await?.image() == V2);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_freeze_holds_until_it_ends_and_says_who_and_why() -> Result<()> {
    Stack::options()
        .run(async |t| {
            put(t, "Freeze", "inventory", freeze(8)?).await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            let note = waits(t, "web", "we count the stock").await?;
            ensure!(note.contains("ann@example.com"), "{note}");
            t.succeeded("web").await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_freeze_that_is_edited_to_end_sooner_thaws_sooner() -> Result<()> {
    Stack::options()
        .run(async |t| {
            put(t, "Freeze", "inventory", freeze(3_600)?).await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            waits(t, "web", "we count the stock").await?;
            put(t, "Freeze", "inventory", freeze(3)?).await?;
            t.succeeded("web").await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn two_people_approve_and_the_change_goes() -> Result<()> {
    Stack::options()
        .run(async |t| {
            put(t, "ReleasePolicy", "two", json!({"approvals": {"required": 2}})).await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            waits(t, "web", "approv").await?;
            let order =
                format!("roadstead.dev/approve={}", t.held("web").await?.change().context("no change")?);
            for person in ["ann", "bob"] {
                t.held("web").await?;
                let who = format!("--as={person}");
                let args = [
                    "annotate",
                    "deployment/web",
                    "-n",
                    &t.namespace,
                    &order,
                    &who,
                    "--as-group=system:masters",
                ];
                t.admin_kubectl(&args).await?.ok()?;
            }
            let done = t.succeeded("web").await?;
            let approvals = done.own("roadstead.dev/approvals").context("the record is gone")?;
            ensure!(approvals.contains("ann") && approvals.contains("bob"), "{approvals}");
            ensure!(approvals.matches(r#""at":"#).count() == 2, "{approvals}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn between_two_releases_of_one_deployment_there_is_the_time_that_a_policy_says() -> Result<()> {
    Stack::options()
        .run(async |t| {
            put(t, "ReleasePolicy", "slow", json!({"limits": {"minInterval": "8s"}})).await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            let first = told(t, "web", Phase::Released).await?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            waits(t, "web", "8s").await?;
            ensure!(t.succeeded("web").await?.image() == V2);
            let second = told(t, "web", Phase::Released).await?;
            ensure!(first.change != second.change, "{second:?}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_change_comes_after_another_deployment_succeeded_and_not_after_it_failed() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let spec = json!({
                "selector": {"matchLabels": {"tier": "web"}}, "limits": {"after": ["db-migrate"]},
            });
            put(t, "ReleasePolicy", "order", spec).await?;
            let web = |image| deployment("web").label("tier", "web").image(image);
            t.apply(&deployment("db-migrate").unschedulable()).await?.ok()?;
            t.released("db-migrate").await?;
            t.apply(&web(V1)).await?.ok()?;
            waits(t, "web", "db-migrate").await?;
            t.apply(&deployment("db-migrate").image(V1)).await?.ok()?;
            t.succeeded("db-migrate").await?;
            t.succeeded("web").await?;

            t.apply(&deployment("db-migrate").unschedulable().progress_deadline(1)).await?.ok()?;
            t.deployment_that("db-migrate", "has failed", |it| it.phase() == Some("failed")).await?;
            t.apply(&web(V2)).await?.ok()?;
            waits(t, "web", "failed").await?;
            t.apply(&deployment("db-migrate").image(V2)).await?.ok()?;
            ensure!(t.succeeded("web").await?.image() == V2);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn of_three_changes_of_a_policy_with_one_slot_one_is_in_flight_at_a_time() -> Result<()> {
    Stack::options()
        .slots(4)
        .run(async |t| {
            put(t, "ReleasePolicy", "one", json!({"limits": {"slots": 1}})).await?;
            t.apply(&deployment("first").unschedulable()).await?.ok()?;
            t.released("first").await?;
            for name in ["second", "third"] {
                t.apply(&deployment(name).image(V1)).await?.ok()?;
                waits(t, name, "one").await?;
            }
            t.apply(&deployment("first").image(V1)).await?.ok()?;
            for name in ["first", "second", "third"] {
                t.succeeded(name).await?;
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn the_floor_of_the_cluster_is_not_weakened_by_a_policy_of_the_namespace() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let floor = format!("floor-{}", t.namespace);
            let mut spec = closed();
            spec["namespaceSelector"] = json!({"matchLabels": {"kubernetes.io/metadata.name": t.namespace}});
            let object = json!({
                "apiVersion": "roadstead.dev/v1alpha1", "kind": "ClusterReleasePolicy",
                "metadata": {"name": floor}, "spec": spec,
            });
            t.admin_kubectl_with(&["apply", "-f", "-"], &object.to_string()).await?.ok()?;
            let always =
                json!({"windows": [{"name": "always", "kind": "Allow", "schedule": "0 0 * * *", "duration": "24h"}]});
            put(t, "ReleasePolicy", "always", always).await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            let note = waits(t, "web", "leap-day").await?;
            ensure!(note.contains(&format!("ClusterReleasePolicy {floor}")), "{note}");
            t.admin_kubectl(&["delete", "clusterreleasepolicy", &floor]).await?.ok()?;
            t.succeeded("web").await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn an_order_to_release_passes_every_rule_and_leaves_a_record() -> Result<()> {
    Stack::options()
        .run(async |t| {
            put(t, "Freeze", "inventory", freeze(3_600)?).await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            waits(t, "web", "we count the stock").await?;
            let change = t.held("web").await?.change().context("no change")?.to_owned();
            let order = format!("roadstead.dev/release={change} the shop is down");
            t.admin_kubectl(&["annotate", "deployment/web", "-n", &t.namespace, &order]).await?.ok()?;
            let done = t.succeeded("web").await?;
            ensure!(done.own("roadstead.dev/override").is_some_and(|it| it.contains("the shop is down")));
            let note = events::has(t, "web", "ChangeReleased").await?;
            ensure!(note.contains("the shop is down"), "{note}");
            let event = told(t, "web", Phase::Released).await?;
            ensure!(event.obstacles.len() == 1 && event.r#override.is_some(), "{event:?}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_validation_denies_at_the_release_what_the_world_made_wrong_meanwhile() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let validation = json!({
                "name": "no-production", "message": "not in production",
                "expression": "namespaceObject.metadata.?labels[?'stage'].orValue('') != 'production'",
            });
            put(t, "Freeze", "inventory", freeze(3_600)?).await?;
            put(t, "ReleasePolicy", "stages", json!({"validations": [validation]})).await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            waits(t, "web", "we count the stock").await?;
            t.admin_kubectl(&["label", "namespace", &t.namespace, "stage=production"]).await?.ok()?;
            waits(t, "web", "not in production").await?;
            delete(t, "freeze", "inventory").await?;
            t.held("web").await?;
            t.admin_kubectl(&["label", "namespace", &t.namespace, "stage=test", "--overwrite"])
                .await?
                .ok()?;
            t.succeeded("web").await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_policy_that_observes_tells_what_it_would_have_held_and_holds_nothing() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let mut spec = closed();
            spec["mode"] = json!("Observe");
            put(t, "ReleasePolicy", "watch", spec).await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            let note = events::has(t, "web", "WouldBeHeld").await?;
            ensure!(note.contains("leap-day"), "{note}");
            let event = told(t, "web", Phase::Released).await?;
            ensure!(event.observed.len() == 1 && event.obstacles.is_empty(), "{event:?}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn what_waits_for_a_rule_goes_although_the_executor_was_killed_meanwhile() -> Result<()> {
    Stack::options()
        .run(async |t| {
            put(t, "Freeze", "inventory", freeze(10)?).await?;
            for name in ["web", "api"] {
                t.apply(&deployment(name).image(V1)).await?.ok()?;
                waits(t, name, "we count the stock").await?;
            }
            t.executor.kill()?;
            t.executor.start().await?;
            for name in ["web", "api"] {
                t.succeeded(name).await?;
            }
            Ok(())
        })
        .await
}
