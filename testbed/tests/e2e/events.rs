//! What people see of a change on its Deployment: Kubernetes Events.

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use testbed::{Stack, deployment, eventually};

use crate::{V1, V2, queue};

/// The Events of a Deployment that are ours: reason, type and note, in the order in which it happened.
async fn of(t: &Stack, name: &str) -> Result<Vec<(String, String, String)>> {
    let list = t.api::<Event>().list(&ListParams::default()).await?.items;
    let ours = |event: &Event| {
        let regards = event.regarding.as_ref().and_then(|regarding| regarding.name.as_deref());
        regards == Some(name) && event.reporting_controller.as_deref() == Some("roadstead.dev/executor")
    };
    let mut events: Vec<_> = list.into_iter().filter(ours).collect();
    events.sort_by_key(|event| event.event_time.as_ref().map(|time| time.0));
    let text = |text: Option<String>| text.unwrap_or_default();
    Ok(events.into_iter().map(|event| (text(event.reason), text(event.type_), text(event.note))).collect())
}

/// Waits for an Event with a reason; answers its note.
pub(crate) async fn has(t: &Stack, name: &str, reason: &str) -> Result<String> {
    eventually("there is an Event", testbed::PATIENCE, async || {
        let events = of(t, name).await?;
        let found = events.iter().find(|event| event.0 == reason);
        found.map(|event| event.2.clone()).with_context(|| format!("no {reason} in {events:?}"))
    })
    .await
}

/// The notes of every Event with a reason so far.
pub(crate) async fn all(t: &Stack, name: &str, reason: &str) -> Result<Vec<String>> {
    let events = of(t, name).await?;
    Ok(events.into_iter().filter(|event| event.0 == reason).map(|event| event.2).collect())
}

#[tokio::test]
async fn the_way_of_a_change_is_told_on_its_deployment_once_by_two_executors() -> Result<()> {
    Stack::options()
        .executors(2)
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            let created = has(t, "web", "ChangeSucceeded").await?;
            ensure!(created.ends_with(&format!("app {V1}")), "{created}");
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            t.succeeded("web").await?;
            let events = eventually("both changes are told of", testbed::PATIENCE, async || {
                let events = of(t, "web").await?;
                ensure!(events.len() == 6, "{events:?}");
                Ok(events)
            })
            .await?;
            let reasons: Vec<_> = events[3..].iter().map(|event| &*event.0).collect();
            ensure!(reasons == ["ChangeHeld", "ChangeReleased", "ChangeSucceeded"], "{events:?}");
            for (_, kind, note) in &events[3..] {
                ensure!(kind == "Normal" && note.ends_with(&format!("app {V1} → {V2}")), "{events:?}");
            }
            let described = t.kubectl(&["describe", "deployment/web"]).await?.ok()?;
            ensure!(described.contains("ChangeReleased"), "{described}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_change_that_waits_is_told_of_while_it_waits() -> Result<()> {
    Stack::options()
        .slots(1)
        .run(async |t| {
            t.apply(&deployment("first").unschedulable()).await?.ok()?;
            t.released("first").await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            let note = has(t, "web", "ChangeHeld").await?;
            ensure!(note.contains(&format!("app {V1}")), "{note}");
            t.held("web").await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn how_far_a_rollout_is_is_told_while_it_goes_on() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1).replicas(3)).await?.ok()?;
            t.succeeded("web").await?;
            t.apply(&deployment("web").image(V2).replicas(3).unschedulable()).await?.ok()?;
            // One more than wanted is made at a time, and it never serves.
            eventually("it is told of", testbed::PATIENCE, async || {
                let told = queue::progress(t, "web").await?;
                ensure!(told.last() == Some(&(1, 3, 3)), "{told:?}");
                Ok(())
            })
            .await
        })
        .await
}
