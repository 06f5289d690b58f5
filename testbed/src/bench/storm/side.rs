//! One side of the comparison: a namespace in which the wave rolls, and another in which somebody has an urgent
//! change now and then.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream::FuturesUnordered};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::observer::Observer;
use crate::{DeploymentFixture, Part, deployment};

/// Time between two urgent changes.
const EVERY: Duration = Duration::from_secs(15);

/// How often the denials are counted, and the progress is shown.
const LOOK: Duration = Duration::from_millis(250);

/// Requests at a time: everybody's pipelines at once.
const CLIENTS: usize = 16;

/// The wave may take this long, each Deployment of it on average.
const SLOWEST: Duration = Duration::from_secs(2);

const OLD: &str = "registry.test/web:1";
const NEW: &str = "registry.test/web:2";

/// One side.
pub(super) struct Side<'a> {
    name: &'static str,
    wave: Api<Deployment>,
    urgent: Api<Deployment>,
    names: Vec<String>,
    urgents: Vec<String>,
    webhook: Option<&'a Part>,
}

/// What was seen; times count from the first change of the wave.
pub(super) struct Wave {
    /// When each Deployment of the wave had rolled out, in order.
    pub(super) done: Vec<Duration>,
    /// When each urgent change began, and what it took.
    pub(super) urgents: Vec<(Duration, Duration)>,
    /// When the gate had denied every Deployment of the wave once; zero without Roadstead.
    pub(super) drained: Duration,
    /// Denials of the gate.
    pub(super) denied: f64,
}

impl Wave {
    /// Seconds until the last of the wave had rolled out.
    pub(super) fn took(&self) -> f64 {
        self.done.last().copied().unwrap_or_default().as_secs_f64()
    }

    /// Seconds until the denials had drained.
    pub(super) fn drained(&self) -> f64 {
        self.drained.as_secs_f64()
    }

    /// What each urgent change took.
    pub(super) fn urgent(&self) -> Vec<Duration> {
        self.urgents.iter().map(|(_, took)| *took).collect()
    }

    /// What those took that began while the denials drained.
    pub(super) fn early(&self) -> Vec<Duration> {
        self.urgents.iter().filter(|(begun, _)| *begun < self.drained).map(|(_, took)| *took).collect()
    }

    /// What those took that began later.
    pub(super) fn late(&self) -> Vec<Duration> {
        self.urgents.iter().filter(|(begun, _)| *begun >= self.drained).map(|(_, took)| *took).collect()
    }
}

impl<'a> Side<'a> {
    pub(super) fn new(
        name: &'static str,
        client: &Client,
        wave: &str,
        urgent: &str,
        size: usize,
        webhook: Option<&'a Part>,
    ) -> Self {
        // A wave takes plain Kubernetes less than half a second each.
        let urgents = size / 30 + 5;
        Self {
            name,
            wave: Api::namespaced(client.clone(), wave),
            urgent: Api::namespaced(client.clone(), urgent),
            names: (0..size).map(|number| format!("wave-{number}")).collect(),
            urgents: (0..urgents).map(|number| format!("fix-{number}")).collect(),
            webhook,
        }
    }

    /// Creates every Deployment, and waits until it runs.
    pub(super) async fn prepare(&mut self) -> Result<()> {
        let (wave, urgent) = (Observer::new(self.wave.clone()), Observer::new(self.urgent.clone()));
        create(&self.urgent, &self.urgents, |fixture| fixture.lane("urgent")).await?;
        create(&self.wave, &self.names, |fixture| fixture).await?;
        let prepared = async {
            urgent.rolled_out(&self.urgents, OLD).await?;
            wave.rolled_out(&self.names, OLD).await
        };
        self.within(prepared, &wave, OLD, "created").await?;
        Ok(())
    }

    /// Changes all of them at once.
    pub(super) async fn wave(&mut self) -> Result<Wave> {
        let (wave, urgent) = (Observer::new(self.wave.clone()), Observer::new(self.urgent.clone()));
        let begun = Instant::now();
        let all = async {
            change(&self.wave, &self.names).await?;
            wave.rolled_out(&self.names, NEW).await
        };
        let all = self.urgents(&urgent, begun, self.within(all, &wave, NEW, "rolled out"));
        let mut denials = vec![(Duration::ZERO, self.denials().await?)];
        let (done, urgents) = self.counting(begun, &mut denials, all).await?;
        let mut done: Vec<_> = done.into_iter().map(|at| at.duration_since(begun)).collect();
        done.sort_unstable();
        let drained = drained(&denials, urgents.len());
        let denied = denials.last().zip(denials.first()).map_or(0.0, |(last, first)| last.1 - first.1);
        Ok(Wave { done, urgents, drained, denied })
    }

    /// Begins an urgent change every [`EVERY`] until the wave is over, and waits for all that were begun.
    async fn urgents<T>(
        &self,
        observer: &Observer,
        begun: Instant,
        wave: impl Future<Output = Result<T>>,
    ) -> Result<(T, Vec<(Duration, Duration)>)> {
        let mut wave = std::pin::pin!(wave);
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut waiting, mut names, mut took) = (FuturesUnordered::new(), self.urgents.iter(), Vec::new());
        let mut over = None;
        while over.is_none() || !waiting.is_empty() {
            tokio::select! {
                result = &mut wave, if over.is_none() => over = Some(result?),
                _ = tick.tick(), if over.is_none() => {
                    let name = std::slice::from_ref(names.next().context("the wave outlives the urgent changes")?);
                    waiting.push(async move {
                        change(&self.urgent, name).await?;
                        let answered = Instant::now();
                        let at = observer.rolled_out(name, NEW).await?;
                        let took = at.first().map_or_else(Duration::default, |at| at.saturating_duration_since(answered));
                        anyhow::Ok((answered.duration_since(begun), took))
                    });
                }
                Some(result) = waiting.next() => took.push(result?),
            }
        }
        took.sort_unstable();
        Ok((over.context("the wave is over")?, took))
    }

    /// Counts the gate's denials until the storm is over.
    async fn counting<T>(
        &self,
        begun: Instant,
        denials: &mut Vec<(Duration, f64)>,
        storm: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut storm = std::pin::pin!(storm);
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                result = &mut storm => return result,
                _ = look.tick() => denials.push((begun.elapsed(), self.denials().await?)),
            }
        }
    }

    /// Denials of the gate so far.
    async fn denials(&self) -> Result<f64> {
        let Some(webhook) = self.webhook else { return Ok(0.0) };
        webhook.metric_where("roadstead_reviews_total", &[r#"webhook="gate""#, r#"verdict="denied""#]).await
    }

    /// Waits with progress on the terminal, and not for ever.
    async fn within<T>(
        &self,
        all: impl Future<Output = Result<T>>,
        observer: &Observer,
        image: &str,
        what: &str,
    ) -> Result<T> {
        let limit = Duration::from_mins(2) + SLOWEST * u32::try_from(self.names.len())?;
        let mut all = std::pin::pin!(tokio::time::timeout(limit, all));
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                result = &mut all => {
                    eprintln!();
                    return result.with_context(|| format!("{}: not {what} within {limit:?}", self.name))?;
                }
                _ = look.tick() => {
                    eprint!("\r{}: {} of {} {what}   ", self.name, observer.count(image), self.names.len());
                    std::io::stderr().flush()?;
                }
            }
        }
    }
}

/// When the last of the wave was denied: those that were let through before the deployment controller looked at them
/// never are, and each urgent change may be once, at any time.
fn drained(denials: &[(Duration, f64)], urgents: usize) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "some dozens")]
    let urgents = urgents as f64;
    let all = denials.last().map_or(0.0, |(_, count)| count - urgents);
    denials.iter().find(|(_, count)| *count >= all).map_or(Duration::ZERO, |(at, _)| *at)
}

async fn create(
    api: &Api<Deployment>,
    names: &[String],
    with: impl Fn(DeploymentFixture) -> DeploymentFixture,
) -> Result<()> {
    let created = names.iter().map(async |name| {
        api.create(&PostParams::default(), &with(deployment(name).image(OLD)).object()).await.map(drop)
    });
    Ok(futures::stream::iter(created).buffer_unordered(CLIENTS).try_collect().await?)
}

/// A new image, as `kubectl set image` would send it.
async fn change(api: &Api<Deployment>, names: &[String]) -> Result<()> {
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": NEW}]}}}});
    let patch = Patch::Strategic(patch);
    let parameters = PatchParams::default();
    let changed = names.iter().map(async |name| api.patch(name, &parameters, &patch).await.map(drop));
    Ok(futures::stream::iter(changed).buffer_unordered(CLIENTS).try_collect().await?)
}
