//! Rolling restarts of the webhook under a constant load of applies: how many admissions fail? Two replicas stand
//! behind a balancer that follows readiness; one after the other is stopped, started and waited for.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::figure;
use crate::{Part, Stack, deployment, eventually, stack::Options};

/// Restarts of the whole measurement; in each, every replica is restarted once.
const RESTARTS: usize = 20;
/// Clients that change Deployments at the same time, each its own; half of them by dry runs.
const CLIENTS: usize = 16;
/// Pause of each client between two requests: together 160 a second.
const PACE: Duration = Duration::from_millis(100);
/// How many failures are kept word by word.
const KEPT: usize = 5;

/// What the clients met.
#[derive(Debug, Default)]
pub struct Applies {
    sent: AtomicUsize,
    failed: AtomicUsize,
    said: Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Applies {
    /// Requests answered so far.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// How many of them with an error.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }

    /// Checks that no request failed.
    ///
    /// # Errors
    /// How many did, and what the first of them said.
    pub fn all_served(&self) -> Result<()> {
        let (failed, sent) = (self.failed(), self.sent());
        anyhow::ensure!(failed == 0, "{failed} of {sent} failed: {:?}", self.said());
        Ok(())
    }

    /// What the first few errors said.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, answer: Result<Deployment, kube::Error>) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let Err(error) = answer else { return };
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() < KEPT {
            said.push(error.to_string());
        }
    }
}

/// The Roadstead that is measured: two webhooks behind a balancer. Nothing is let through, so that every change
/// asks the gate as well.
#[must_use]
pub fn options() -> Options {
    Stack::options().webhooks(2).without_executor()
}

/// [`load`] of the measured Roadstead, in its namespace.
///
/// # Errors
/// As [`load`].
pub async fn under_load(t: &Stack, meanwhile: impl AsyncFnOnce() -> Result<()>) -> Result<Applies> {
    let connect = async || Ok(Api::namespaced(t.developer_client().await?, &t.namespace));
    load(CLIENTS, connect, meanwhile).await
}

/// Runs `meanwhile` under the load of so many clients, each with a connection of its own, and tells what they met, from
/// well before until well after. No pod is asked for.
///
/// # Errors
/// Those of `meanwhile`, and when the load cannot be started.
pub async fn load(
    count: usize,
    connect: impl AsyncFn() -> Result<Api<Deployment>>,
    meanwhile: impl AsyncFnOnce() -> Result<()>,
) -> Result<Applies> {
    let applies = Applies::default();
    let mut clients = Vec::new();
    for number in 0..count {
        let deployments = connect().await?;
        let changing = deployment(&name(number)).replicas(0).object();
        deployments.create(&PostParams::default(), &changing).await?;
        clients.push(client(number, deployments, &applies));
    }
    let measured = async {
        more(&applies, count).await?;
        let done = meanwhile().await;
        more(&applies, count).await?;
        applies.over.store(true, Ordering::Relaxed);
        done
    };
    let (done, _) = tokio::join!(measured, futures::future::join_all(clients));
    done?;
    Ok(applies)
}

/// Stops each replica, starts it and waits until the balancer sends it connections again, so many times.
///
/// # Errors
/// When a replica does not end well or is not ready in time.
pub async fn roll(t: &Stack, restarts: usize, stop: impl AsyncFn(&Part) -> Result<()>) -> Result<()> {
    let replicas = t.webhooks().count();
    for _ in 0..restarts {
        for replica in t.webhooks() {
            stop(replica).await?;
            replica.start().await?;
            eventually("the balancer sends it connections", crate::PATIENCE, async || {
                let ready = t.balancer()?.ready();
                anyhow::ensure!(ready == replicas, "{ready} replicas are ready");
                Ok(())
            })
            .await?;
        }
    }
    Ok(())
}

/// As a Deployment's controller stops a pod: SIGTERM, and what it says at its end counts.
///
/// # Errors
/// When it does not end by itself, and well.
pub async fn in_order(replica: &Part) -> Result<()> {
    let ended = replica.stop().await?;
    anyhow::ensure!(ended.success(), "{}: {ended}: {}", replica.name(), replica.log());
    Ok(())
}

/// One client: a real change or a dry run each [`PACE`], until it is over.
async fn client(number: usize, deployments: Api<Deployment>, applies: &Applies) {
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let params = PatchParams { dry_run: number % 2 == 1, ..PatchParams::default() };
    let mut change = 0_u64;
    while !applies.over.load(Ordering::Relaxed) {
        pace.tick().await;
        change += 1;
        let annotations = json!({ "change": change.to_string() });
        let patch = json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } });
        applies.count(deployments.patch(&name(number), &params, &Patch::Merge(patch)).await);
    }
}

/// Waits until every client had some more answers.
async fn more(applies: &Applies, clients: usize) -> Result<()> {
    let before = applies.sent();
    eventually("the clients get answers", crate::PATIENCE, async || {
        anyhow::ensure!(applies.sent() > before + 3 * clients, "only {}", applies.sent() - before);
        Ok(())
    })
    .await
}

fn name(number: usize) -> String {
    format!("load-{number}")
}

/// Measures and prints.
pub(super) async fn run() -> Result<()> {
    let measured = options().run(async |t| {
        let applies = under_load(t, async || roll(t, RESTARTS, in_order).await).await?;
        let calls = failed_calls(t).await?;
        println!("{RESTARTS} rolling restarts of 2 webhooks under {CLIENTS} clients:");
        println!("{} of {} applies failed", applies.failed(), applies.sent());
        println!("{calls} calls of the webhooks failed, those for the controllers' writes included");
        println!("connections to each replica: {:?}", t.balancer()?.connections());
        applies.said().iter().for_each(|said| println!("  {said}"));
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        for (name, count) in [
            ("restarts", RESTARTS),
            ("applies", applies.sent()),
            ("failed_admissions", applies.failed()),
            ("failed_webhook_calls", calls),
        ] {
            figure(name, count as f64, "");
        }
        anyhow::ensure!(applies.failed() + calls == 0, "not every admission was served");
        Ok(())
    });
    measured.await
}

/// How many calls of our webhooks failed as the API server counts them; it is this measurement's alone.
pub(super) async fn failed_calls(t: &Stack) -> Result<usize> {
    let request = hyper::Request::get("/metrics").body(Vec::new())?;
    let page = t.client.request_text(request).await?;
    let failed = page.lines().filter(|line| {
        line.starts_with("apiserver_admission_webhook_rejection_count{")
            && line.contains("error_type=\"calling_webhook_error\"")
            && line.contains("roadstead.dev")
    });
    let counts = failed.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok());
    Ok(counts.sum())
}
