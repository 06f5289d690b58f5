//! Any part may die at any moment: nothing is lost and nothing happens twice.

use anyhow::{Result, ensure};
use contract::{Phase, stream::CHANGES};
use testbed::{DeploymentView as _, Method, Request, Stack, deployment, eventually};

use crate::{V1, V2, queue};

/// The executor's writes to the Deployment `web`.
fn writes_web(request: &Request) -> bool {
    request.method == Method::PATCH && request.uri.path().ends_with("/deployments/web")
}

/// Waits until the queue has nothing that is delivered and not yet settled.
async fn settled(t: &Stack) -> Result<()> {
    let stream = t.jetstream().await?.get_stream(CHANGES).await?;
    eventually("every message is settled", queue::REDELIVERY, async || {
        use futures::TryStreamExt as _;
        let consumers: Vec<_> = stream.consumers().try_collect().await?;
        let open: u64 = consumers.iter().map(|info| info.num_pending + info.num_ack_pending as u64).sum();
        ensure!(!consumers.is_empty() && open == 0, "{open} messages are not settled");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_executor_killed_between_release_and_ack_leaves_one_rollout() -> Result<()> {
    Stack::options()
        .executor_through_proxy()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            let hold = t.proxy().hold_response(writes_web);
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            hold.held().await?;
            t.executor.kill()?;
            drop(hold);
            let released = t.rolled_out("web").await?;
            ensure!(released.image() == V2, "the release was applied: {}", released.summary());
            t.executor.start().await?;
            let done = t.succeeded("web").await?;
            settled(t).await?;
            let after = t.deployment("web").await?;
            ensure!(after.metadata.generation == done.metadata.generation, "{}", after.summary());
            ensure!(t.replica_sets("web").await?.len() == 2);
            let phases = queue::phases(t, "web").await?;
            let succeeded = phases.iter().filter(|phase| **phase == Phase::Succeeded).count();
            ensure!(succeeded == 2, "{phases:?}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn an_executor_killed_before_the_release_lets_the_change_wait_for_the_next() -> Result<()> {
    Stack::options()
        .executor_through_proxy()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            let hold = t.proxy().hold_request(writes_web);
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            hold.held().await?;
            t.executor.kill()?;
            hold.abandoned().await?;
            drop(hold);
            ensure!(t.held("web").await?.image() == V2);
            t.executor.start().await?;
            eventually("the change is delivered again and rolls out", queue::REDELIVERY, async || {
                let web = t.deployment("web").await?;
                ensure!(
                    web.rolled_out() && web.phase().is_none() && web.gate() == Some("open"),
                    "{}",
                    web.summary()
                );
                Ok(())
            })
            .await?;
            settled(t).await?;
            ensure!(t.replica_sets("web").await?.len() == 2);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn twenty_changes_are_admitted_without_nats_and_roll_out_when_it_is_back() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.nats.stop().await?;
            for number in 0..20 {
                t.apply(&deployment(&format!("web-{number}"))).await?.ok()?;
            }
            for number in 0..20 {
                t.held(&format!("web-{number}")).await?;
            }
            t.nats.start().await?;
            for number in 0..20 {
                t.succeeded(&format!("web-{number}")).await?;
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn whether_nats_is_there_is_a_metric_of_both_workloads() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let connected = async |wanted: f64| {
                eventually("the metric follows", testbed::PATIENCE, async || {
                    for part in [&t.webhook, &t.executor] {
                        let now = part.metric("roadstead_nats_connected").await?;
                        ensure!((now - wanted).abs() < f64::EPSILON, "{}: {now}", part.name());
                    }
                    Ok(())
                })
                .await
            };
            connected(1.0).await?;
            t.nats.stop().await?;
            connected(0.0).await?;
            t.nats.start().await?;
            connected(1.0).await
        })
        .await
}

#[tokio::test]
async fn a_deleted_stream_is_made_again_and_filled_from_what_is_held() -> Result<()> {
    Stack::options()
        .slots(1)
        .run(async |t| {
            // One change takes the only slot and keeps it; the others wait.
            t.apply(&deployment("first").unschedulable()).await?.ok()?;
            t.released("first").await?;
            for name in ["a", "b", "c"] {
                t.apply(&deployment(name)).await?.ok()?;
                t.held(name).await?;
            }
            queue::has_changes(t, 4).await?;
            t.jetstream().await?.delete_stream(CHANGES).await?;
            t.kubectl(&["delete", "deployment/first"]).await?.ok()?;
            for name in ["a", "b", "c"] {
                eventually("it rolls out", queue::REDELIVERY, async || {
                    let web = t.deployment(name).await?;
                    ensure!(web.rolled_out() && web.gate() == Some("open"), "{}", web.summary());
                    Ok(())
                })
                .await?;
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_wiped_nats_is_filled_from_what_is_held() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.executor.freeze()?;
            for name in ["a", "b", "c"] {
                t.apply(&deployment(name)).await?.ok()?;
                t.held(name).await?;
            }
            queue::has_changes(t, 3).await?;
            t.nats.wipe().await?;
            t.executor.thaw()?;
            for name in ["a", "b", "c"] {
                eventually("it rolls out", queue::REDELIVERY, async || {
                    let web = t.deployment(name).await?;
                    ensure!(web.rolled_out() && web.gate() == Some("open"), "{}", web.summary());
                    Ok(())
                })
                .await?;
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn with_the_webhook_dead_a_released_change_rolls_out_to_its_end() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let web = |image| deployment("web").image(image).replicas(12).max_surge(1).max_unavailable(1);
            t.apply(&web(V1)).await?.ok()?;
            t.succeeded("web").await?;
            t.apply(&web(V2)).await?.ok()?;
            t.deployment_that("web", "in flight", |web| web.phase() == Some("released")).await?;
            t.webhook.kill()?;
            ensure!(t.succeeded("web").await?.image() == V2);
            let refused = t.apply(&web(V1)).await?.refused()?;
            ensure!(refused.contains("hold.roadstead.dev"), "a change is refused, not let past: {refused}");
            t.webhook.start().await?;
            t.apply(&web(V1)).await?.ok()?;
            ensure!(t.succeeded("web").await?.image() == V1);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn held_stays_held_when_the_controller_manager_restarts() -> Result<()> {
    Stack::options()
        .own_control_plane()
        .run(async |t| {
            queue::second_version_waits(t).await?;
            let before = queue::said(t, "denied").await?;
            t.control_plane.controllers.restart().await?;
            queue::says(t, "denied", before).await?;
            ensure!(t.replica_sets("web").await?.len() == 1, "a new ReplicaSet exists");
            t.executor.thaw()?;
            ensure!(t.succeeded("web").await?.image() == V2);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn no_more_rollouts_are_in_flight_than_there_are_slots_over_all_replicas() -> Result<()> {
    Stack::options()
        .slots(2)
        .executors(2)
        .run(async |t| {
            for number in 0..6 {
                t.apply(&deployment(&format!("web-{number}")).unschedulable()).await?.ok()?;
            }
            queue::has_changes(t, 6).await?;
            let phase = |wanted: &'static str| async move {
                let selected =
                    kube::api::ListParams::default().labels(&format!("roadstead.dev/phase={wanted}"));
                anyhow::Ok(t.deployments().list(&selected).await?.items.len())
            };
            eventually("two are in flight", testbed::PATIENCE, async || {
                let in_flight = phase("released").await?;
                ensure!(in_flight == 2, "{in_flight} are in flight");
                Ok(())
            })
            .await?;
            // One of them ends; exactly one other takes its place. Never were there more than two.
            for ended in 1..=4 {
                let in_flight = phase("released").await?;
                ensure!(in_flight <= 2, "{in_flight} are in flight");
                let selected = kube::api::ListParams::default().labels("roadstead.dev/phase=released");
                let name = t.deployments().list(&selected).await?.items[0].metadata.name.clone().unwrap();
                t.kubectl(&["delete", &format!("deployment/{name}")]).await?.ok()?;
                eventually("another one takes the slot", testbed::PATIENCE, async || {
                    let (in_flight, held) = (phase("released").await?, phase("held").await?);
                    assert!(in_flight <= 2, "{in_flight} are in flight");
                    ensure!(in_flight == 2 && held == 4 - ended, "{in_flight} are in flight, {held} held");
                    Ok(())
                })
                .await?;
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn an_urgent_change_finds_a_slot_while_all_others_are_taken() -> Result<()> {
    Stack::options()
        .slots(1)
        .urgent_slots(1)
        .namespace_annotation("roadstead.dev/urgent", "allowed")
        .run(async |t| {
            t.apply(&deployment("takes-long").unschedulable()).await?.ok()?;
            t.released("takes-long").await?;
            t.apply(&deployment("waits")).await?.ok()?;
            t.apply(&deployment("fix").lane("urgent")).await?.ok()?;
            t.succeeded("fix").await?;
            let used = t.executor.metric("roadstead_slots_in_use").await?;
            ensure!((used - 1.0).abs() < 0.1, "{used} in use");
            t.held("waits").await?;
            t.kubectl(&["delete", "deployment/takes-long"]).await?.ok()?;
            t.succeeded("waits").await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn parts_that_are_told_to_stop_end_well_although_the_api_server_stays_connected() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web")).await?.ok()?;
            t.succeeded("web").await?;
            for part in [&t.webhook, &t.executor] {
                let ended = part.stop().await?;
                ensure!(ended.success(), "{ended}: {}", part.log());
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn parts_started_without_nats_say_so_and_go_on_when_it_is_there() -> Result<()> {
    Stack::options()
        .without_executor()
        .without_nats()
        .run(async |t| {
            t.executor.spawn()?;
            for part in [&t.webhook, &t.executor] {
                eventually("it says what it misses", testbed::PATIENCE, async || {
                    let log = part.log();
                    ensure!(log.contains("cannot connect to NATS; check --nats-url"), "{log}");
                    Ok(())
                })
                .await?;
            }
            t.apply(&deployment("web")).await?.ok()?;
            t.held("web").await?;
            t.nats.start().await?;
            t.succeeded("web").await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn parts_started_without_the_api_server_say_so_and_go_on_when_it_is_there() -> Result<()> {
    Stack::options()
        .own_control_plane()
        .without_executor()
        .run(async |t| {
            t.control_plane.apiserver.stop().await?;
            t.executor.spawn()?;
            eventually("it says what it misses", testbed::PATIENCE, async || {
                let log = t.executor.log();
                ensure!(log.contains("cannot reach the Kubernetes API server"), "{log}");
                Ok(())
            })
            .await?;
            t.control_plane.apiserver.start().await?;
            t.executor.ready().await?;
            t.apply(&deployment("web")).await?.ok()?;
            t.succeeded("web").await?;
            Ok(())
        })
        .await
}
