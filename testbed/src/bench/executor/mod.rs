//! What the executor does a second, and what it needs: against a generated API that answers at once, with a real
//! nats-server that syncs every message; and on the real control plane.

mod backlog;
mod real;
mod rig;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use self::rig::Spent;
pub use self::{
    backlog::Backlog,
    rig::{Rig, Store},
};
use super::figure;
use crate::generated::Rollouts;

/// Changes whose releases are counted, and slots, which are not to be the limit.
const THROUGHPUT: Backlog = Backlog { namespaces: 100, deployments: 20_000, held: 20_000 };
const SLOTS: usize = 1_000;
/// The cluster and the backlog that memory and start are measured with.
const LARGE: Backlog = Backlog { namespaces: 100, deployments: 150_000, held: 100_000 };
/// Releases after which the memory is read in the large cluster.
const AFTER: usize = 2_000;
/// Longest wait for a measurement.
const PATIENCE: Duration = Duration::from_mins(10);

/// Measures and prints.
pub(super) async fn run() -> Result<()> {
    throughput(Store::Memory, "verified_releases_per_second").await?;
    throughput(Store::Disk, "verified_releases_per_second_synced").await?;
    large().await?;
    real::run().await
}

/// Releases a second, queue full and slots free.
async fn throughput(store: Store, name: &str) -> Result<()> {
    let rig = Rig::start(THROUGHPUT, Rollouts::AtOnce, SLOTS, store).await?;
    rig.executor.spawn()?;
    // Start-up is measured elsewhere.
    rig.opened(1, PATIENCE).await?;
    let (begun, before) = (Instant::now(), rig.spent()?);
    rig.opened(THROUGHPUT.held, PATIENCE).await?;
    let (took, spent) = (begun.elapsed(), rig.spent()?);
    let rate = rig.rate()?;
    rig.told("succeeded", THROUGHPUT.held).await?;
    let ended = begun.elapsed();
    check(&rig, THROUGHPUT.held).await?;
    println!("{} changes in {took:.1?}, every end told after {ended:.1?}", THROUGHPUT.held);
    print_costs(before, spent, took, THROUGHPUT.held);
    // One line for each Deployment would hide the others.
    for (request, count) in rig.api.requests().into_iter().filter(|(_, count)| *count > 1) {
        println!("{count:>9} {request}");
    }
    figure(name, rate, "releases/s");
    Ok(())
}

/// Memory and the time to the first release, with many Deployments and many queued changes.
async fn large() -> Result<()> {
    let rig = Rig::start(LARGE, Rollouts::AtOnce, SLOTS, Store::Disk).await?;
    for round in ["first", "second"] {
        let opened = rig.api.count_opened();
        let begun = Instant::now();
        rig.executor.spawn()?;
        rig.opened(opened + 1, PATIENCE).await?;
        let first = rig.api.opened().get(opened).context("a gate is open")?.at;
        rig.opened(opened + AFTER, PATIENCE).await?;
        let most = rig.executor.memory()?.peak;
        let first = first.saturating_duration_since(begun).as_secs_f64();
        println!(
            "{round} start: first release after {first:.2} s, {most:.1} MiB at most until {AFTER} releases"
        );
        if round == "first" {
            // It makes the consumers, the costliest start.
            figure("first_release_s", first, "s");
            rig.executor.stop().await?;
        } else {
            figure("first_release_again_s", first, "s");
            rig.opened(LARGE.held, PATIENCE).await?;
            figure("executor_rss_mib", rig.executor.memory()?.peak, "MiB");
        }
    }
    Ok(())
}

impl Rig {
    /// Releases a second, from the first to the last.
    ///
    /// # Errors
    /// When there are less than two.
    pub fn rate(&self) -> Result<f64> {
        let opened = self.api.opened();
        let (first, last) = opened.first().zip(opened.last()).context("nothing was released")?;
        let took = last.at.saturating_duration_since(first.at);
        ensure!(!took.is_zero(), "one release has no rate");
        Ok(count(opened.len()) / took.as_secs_f64())
    }
}

/// Everything was released once, and told of once.
///
/// # Errors
/// When it was not.
pub async fn check(rig: &Rig, held: usize) -> Result<()> {
    let mut opened: Vec<_> = rig.api.opened().into_iter().map(|opened| opened.deployment).collect();
    ensure!(opened.len() == held, "{} gates opened, not {held}", opened.len());
    opened.sort_unstable();
    opened.dedup();
    ensure!(opened.len() == held, "a gate opened twice");
    let events = rig.events().await?;
    let wanted = u64::try_from(held)?;
    for phase in ["released", "succeeded"] {
        ensure!(events.get(phase) == Some(&wanted), "{phase} events: {events:?}");
    }
    Ok(())
}

/// Where the processor time goes.
fn print_costs(before: Spent, after: Spent, took: Duration, releases: usize) {
    let line = |name: &str, before: Duration, after: Duration| {
        let spent = after.saturating_sub(before).as_secs_f64();
        let (cores, micros) = (spent / took.as_secs_f64(), spent * 1e6 / count(releases));
        println!("{name:<14} {cores:>5.2} cores, {micros:>5.0} microseconds a release");
    };
    line("executor", before.executor, after.executor);
    line("nats-server", before.nats, after.nats);
    line("generated API", before.api, after.api);
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn count(number: usize) -> f64 {
    number as f64
}
