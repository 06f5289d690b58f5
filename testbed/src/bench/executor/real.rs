//! Releases a second on the real control plane: held by the webhook, queued by the outbox, let through by an executor
//! that is started last.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::{ListParams, PostParams};

use super::{count, figure};
use crate::{Stack, control_plane::ControlPlane, deployment, eventually};

/// Changes, and slots for all of them.
const CHANGES: usize = 500;
const SLOTS: u32 = 1_000;
/// Deployments that are created at a time.
const CREATING: usize = 16;
const PATIENCE: Duration = Duration::from_mins(5);

/// Measures and prints.
pub(super) async fn run() -> Result<()> {
    Stack::options().slots(SLOTS).without_executor().own_control_plane().run(measure).await
}

async fn measure(t: &Stack) -> Result<()> {
    let deployments = t.deployments();
    let created = stream::iter(0..CHANGES).map(async |number| {
        let object = deployment(&format!("web-{number}")).object();
        deployments.create(&PostParams::default(), &object).await.map(drop)
    });
    created.buffer_unordered(CREATING).try_collect::<()>().await?;
    let context = t.jetstream().await?;
    eventually("every change is queued", PATIENCE, async || {
        let stream = context.get_stream(contract::stream::CHANGES).await?;
        let queued = stream.cached_info().state.messages;
        ensure!(queued == u64::try_from(CHANGES)?, "{queued} of {CHANGES}");
        Ok(())
    })
    .await?;
    t.executor.spawn()?;
    released(t, 1.0).await?;
    let begun = Instant::now();
    let before = costs(t)?;
    released(t, count(CHANGES)).await?;
    let took = begun.elapsed();
    let after = costs(t)?;
    println!("{CHANGES} changes on the real API server in {took:.2?}:");
    for ((name, before), (_, after)) in before.into_iter().zip(after) {
        println!("{name:<14} {:>5.2} cores", after.saturating_sub(before).as_secs_f64() / took.as_secs_f64());
    }
    figure("real_releases_per_second", count(CHANGES) / took.as_secs_f64(), "releases/s");
    eventually("every rollout ended", PATIENCE, async || {
        let phased = ListParams::default().labels("roadstead.dev/phase");
        let left = deployments.list_metadata(&phased).await?.items.len();
        ensure!(left == 0, "{left} are not at their end");
        Ok(())
    })
    .await
}

async fn released(t: &Stack, wanted: f64) -> Result<()> {
    eventually("the changes are released", PATIENCE, async || {
        let released = t.executor.metric("roadstead_releases_total").await?;
        ensure!(released >= wanted, "{released} of {wanted}");
        Ok(())
    })
    .await
}

/// Processor time of every process that has a share.
fn costs(t: &Stack) -> Result<Vec<(&'static str, Duration)>> {
    let ControlPlane { etcd, apiserver, controllers, .. } = &*t.control_plane;
    let parts = [
        ("executor", &t.executor),
        ("webhook", &t.webhook),
        ("nats-server", &t.nats.part),
        ("API server", apiserver),
        ("etcd", etcd),
        ("controllers", controllers),
    ];
    parts.into_iter().map(|(name, part)| Ok((name, part.cpu()?))).collect()
}
