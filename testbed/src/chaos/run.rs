//! One run: the plan is drawn and played, what it broke is repaired, and when all is quiet the history is checked.

use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;

use super::check::{Rule, Violation, check};
use super::evidence;
use super::history::History;
use super::plan::{self, Plan};
use super::play::{Played, play};
use super::progress::Progress;
use super::report;
use super::scene::{Binaries, Cast, Scene};
use crate::{DeploymentView as _, PATIENCE, Part, eventually};

/// How long it may take until all is quiet after the last fault. A message that was pulled by a process which then
/// died comes again after 30 s, and one of an opted-out namespace after up to a minute.
const QUIET: Duration = Duration::from_mins(3);
/// How long events may be behind.
const TOLD: Duration = Duration::from_secs(30);

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// The plan.
    pub plan: Plan,
    /// What was done of it.
    pub played: Played,
    /// What was violated.
    pub violations: Vec<Violation>,
    /// How long it took until all was quiet, in milliseconds.
    pub quiet_after: u64,
    /// Releases that were seen.
    pub releases: usize,
}

/// Draws and plays a plan, and checks what happened.
///
/// # Errors
/// When something of the testbed itself fails.
pub async fn run(seed: u64, actions: usize, faults: usize) -> anyhow::Result<Outcome> {
    let plan = plan::draw(seed, actions, faults);
    let scene = Scene::start(plan::NAMESPACES).await?;
    let cast = scene.enter(&Binaries::default()).await?;
    let progress = Progress::of(actions, faults);
    let played = tokio::select! {
        played = play(&scene, &cast, &plan, &progress) => played,
        never = progress.tell() => never,
    };
    Progress::end();
    let played = played.context("the run is broken off")?;
    let quiet_from = scene.recorder.now();
    repair(&scene, &cast).await?;
    if let Err(left) = quiet(&scene, QUIET).await {
        eprintln!("chaos: {left:#}");
        evidence::keep(&scene, &cast, &scene.stack.folder).await?;
    }
    let quiet_after = scene.recorder.now() - quiet_from;
    let (history, violations) = judged(&scene).await?;
    let folder = scene.stack.folder.clone();
    if !violations.is_empty() {
        std::fs::write(folder.join("chaos.txt"), report::whole(&history, &played.log))?;
        eprintln!("{}", report::report(seed, &violations, &history, &played.log, &folder));
    }
    let releases = releases(&history);
    drop(cast);
    let Scene { stack, recorder, .. } = scene;
    drop(recorder);
    if violations.is_empty() {
        stack.finish().await?;
    }
    Ok(Outcome { plan, played, violations, quiet_after, releases })
}

/// Brings back what the faults and the users took away: processes, namespaces that are opted in, rollouts that go on.
pub(super) async fn repair(scene: &Scene, cast: &Cast) -> anyhow::Result<()> {
    let stack = &scene.stack;
    stack.control_plane.apiserver.start().await?;
    stack.nats.start().await?;
    let parts: Vec<&Part> = cast
        .webhooks
        .iter()
        .chain(&cast.executors)
        .chain([&stack.control_plane.controllers, &stack.control_plane.scheduler, &stack.control_plane.kwok])
        .collect();
    for part in &parts {
        part.start().await?;
    }
    for namespace in &stack.namespaces {
        let all = Api::<Namespace>::all(stack.client.clone());
        let opted_in = json!({ "metadata": { "labels": { contract::key::ENABLED_LABEL: "true" } } });
        all.patch(namespace, &PatchParams::default(), &Patch::Merge(opted_in)).await?;
        let api = stack.api_in::<Deployment>(namespace);
        for deployment in api.list(&ListParams::default()).await? {
            let ours = deployment.own(contract::Key::Paused.name()) == Some("true");
            if deployment.paused() && !ours {
                let name = deployment.metadata.name.clone().unwrap_or_default();
                eventually("a paused Deployment is resumed", PATIENCE, async || {
                    let resumed = Patch::Merge(json!({ "spec": { "paused": false } }));
                    Ok(api.patch(&name, &PatchParams::default(), &resumed).await.map(drop)?)
                })
                .await?;
            }
        }
    }
    Ok(())
}

/// Waits until nothing is left of any change.
pub(super) async fn quiet(scene: &Scene, within: Duration) -> anyhow::Result<()> {
    eventually("all is quiet", within, async || {
        let left = scene.left().await?;
        anyhow::ensure!(left.is_empty(), "{}", left.join("; "));
        // A poll of the whole cluster is no cheap look.
        Ok(())
    })
    .await
}

/// The history and what is violated in it; events that are still on their way are waited for.
async fn judged(scene: &Scene) -> anyhow::Result<(History, Vec<Violation>)> {
    let deadline = tokio::time::Instant::now() + TOLD;
    loop {
        let history = scene.history(true).await?;
        let violations = check(&history);
        let only_late = violations.iter().all(|violation| violation.rule == Rule::Ends);
        if violations.is_empty() || !only_late || tokio::time::Instant::now() > deadline {
            return Ok((history, violations));
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

fn releases(history: &History) -> usize {
    history.told.iter().filter(|told| told.phase == contract::Phase::Released).count()
}
