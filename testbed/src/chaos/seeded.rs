//! Seeded bugs: the checker is proved by mistakes on purpose, built into the binaries by the feature `seeded-bugs`. For
//! each there is a short directed scenario that brings it out, and the rule that has to find it. The same scenario
//! without the bug has to violate nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use contract::stream::CHANGES;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::check::{Rule, Violation, check};
use super::history::Millis;
use super::plan::{Manifest, Template};
use super::report;
use super::run::quiet;
use super::scene::{Binaries, Cast, Scene};
use super::users::fixture;
use crate::{Hold, Method, PATIENCE, Part, eventually};

/// The variable by which a binary with seeded bugs is told which one to have.
pub const VARIABLE: &str = "ROADSTEAD_SEEDED_BUG";

/// How long a scenario takes to be quiet where nothing has to be delivered again.
const SOON: Duration = Duration::from_secs(20);
/// The same where a message has to come again after the ack wait of 30 s.
const REDELIVERED: Duration = Duration::from_secs(45);
/// How often the history is looked at before all is quiet.
const LOOK: Duration = Duration::from_secs(1);
/// How long a ReplicaSet that must not be made is waited for.
const NEVER: Duration = Duration::from_secs(3);

/// A seeded bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bug {
    /// What the binaries know it by.
    pub name: &'static str,
    /// The rule that has to find it.
    pub rule: Rule,
    scenario: Scenario,
    within: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    ChangedDuringRelease,
    StrategyDuringRelease,
    HeldWithoutExecutors,
    Updated,
    KilledDuringRelease,
    NatsWiped,
    Crowd,
    OldMessageFirst,
}

/// Every seeded bug.
pub const BUGS: [Bug; 8] = [
    bug("release-without-verify", Rule::Match, Scenario::ChangedDuringRelease, SOON),
    bug("skip-test-generation", Rule::Match, Scenario::StrategyDuringRelease, SOON),
    bug("gate-allows-all", Rule::Growth, Scenario::HeldWithoutExecutors, SOON),
    bug("hold-lets-updates-pass", Rule::Match, Scenario::Updated, SOON),
    bug("ack-before-release", Rule::Quiet, Scenario::KilledDuringRelease, REDELIVERED),
    bug("forget-refill", Rule::Quiet, Scenario::NatsWiped, SOON),
    bug("ignore-slots", Rule::Slots, Scenario::Crowd, REDELIVERED),
    bug("older-after-newer", Rule::Order, Scenario::OldMessageFirst, SOON),
];

const fn bug(name: &'static str, rule: Rule, scenario: Scenario, within: Duration) -> Bug {
    Bug { name, rule, scenario, within }
}

/// What came of the seeded bugs.
#[derive(Debug, Default)]
pub struct Proof {
    /// Bugs that were not found.
    pub missed: Vec<&'static str>,
    /// Scenarios that violated something without their bug.
    pub false_alarms: Vec<&'static str>,
}

/// Runs each scenario with its bug, and without; `folder` holds the binaries with the bugs.
///
/// # Errors
/// When the testbed itself fails.
pub async fn prove(folder: &Path) -> anyhow::Result<Proof> {
    let scene = Scene::start(1).await?;
    let mut proof = Proof::default();
    for bug in BUGS {
        let well = Binaries::default();
        if play(&scene, bug, &well, "well").await?.is_some() {
            proof.false_alarms.push(bug.name);
        }
        let seeded = Binaries { folder: Some(folder.to_owned()), bug: Some(bug.name) };
        let found = play(&scene, bug, &seeded, "seeded").await?;
        eprintln!("chaos: seeded bug {}: {}", bug.name, found.as_deref().unwrap_or("MISSED"));
        if found.is_none() {
            proof.missed.push(bug.name);
        }
    }
    let Scene { stack, recorder, .. } = scene;
    drop(recorder);
    if proof.missed.is_empty() && proof.false_alarms.is_empty() {
        stack.finish().await?;
    }
    Ok(proof)
}

/// Plays the scenario of a bug; answers what was violated: with the bug by its rule, without it by any.
async fn play(scene: &Scene, bug: Bug, binaries: &Binaries, kind: &str) -> anyhow::Result<Option<String>> {
    let cast = scene.enter(binaries).await?;
    let begin = scene.recorder.now();
    let name = format!("{}-{kind}", bug.name);
    let actor = Actor { scene, cast: &cast, name: &name };
    actor.act(bug.scenario).await.with_context(|| format!("the scenario {name}"))?;
    // What does not become quiet is what the checker is about to find.
    let calm = async { quiet(scene, bug.within).await.is_ok() };
    let by_then = tokio::select! { _ = calm => true, () = early(scene, bug, begin) => false };
    let history = scene.history(by_then).await?;
    let mut violations = check(&history);
    violations.retain(|violation| violation.at >= begin);
    let counts = |rule: Rule| binaries.bug.is_none() || rule == bug.rule;
    let found = violations.iter().find(|violation| counts(violation.rule)).map(ToString::to_string);
    if binaries.bug.is_none() && found.is_some() {
        eprintln!(
            "chaos: without a bug, {}",
            report::report(0, &violations, &history, &[], &scene.stack.folder)
        );
    }
    actor.sweep_up().await?;
    Ok(found)
}

/// Waits until the rule of a bug has found it; for ever where only the quiet end can tell.
async fn early(scene: &Scene, bug: Bug, begin: Millis) {
    let is_it = |violation: &Violation| violation.rule == bug.rule && violation.at >= begin;
    loop {
        tokio::time::sleep(LOOK).await;
        if let Ok(history) = scene.history(false).await
            && check(&history).iter().any(is_it)
        {
            return;
        }
    }
}

/// Acts a scenario out with a Deployment of that name.
struct Actor<'a> {
    scene: &'a Scene,
    cast: &'a Cast,
    name: &'a str,
}

impl Actor<'_> {
    async fn act(&self, scenario: Scenario) -> anyhow::Result<()> {
        match scenario {
            Scenario::ChangedDuringRelease => {
                let hold = self.hold();
                self.create(self.name, 1).await?;
                hold.held().await?;
                self.image(2).await?;
                hold.release();
            }
            Scenario::StrategyDuringRelease => {
                let hold = self.hold();
                self.create(self.name, 1).await?;
                hold.held().await?;
                let recreate = json!({ "type": "Recreate", "rollingUpdate": null });
                self.patch(json!({ "spec": { "strategy": recreate } })).await?;
                hold.release();
            }
            Scenario::HeldWithoutExecutors => {
                self.cast.executors.iter().try_for_each(Part::freeze)?;
                self.create(self.name, 1).await?;
                // Nothing is made, unless the gate lets it.
                let _ = self.grown().await;
                self.cast.executors.iter().try_for_each(Part::thaw)?;
            }
            Scenario::Updated => {
                self.create(self.name, 1).await?;
                quiet(self.scene, SOON).await?;
                self.image(2).await?;
            }
            Scenario::KilledDuringRelease => {
                let hold = self.hold();
                self.create(self.name, 1).await?;
                hold.held().await?;
                for executor in &self.cast.executors {
                    executor.kill()?;
                }
                hold.release();
                self.cast.executors.iter().try_for_each(Part::spawn)?;
            }
            Scenario::NatsWiped => {
                self.cast.executors.iter().try_for_each(Part::freeze)?;
                let before = self.queued().await?;
                self.create(self.name, 1).await?;
                self.queued_more(before).await?;
                self.scene.stack.nats.wipe().await?;
                self.cast.executors.iter().try_for_each(Part::thaw)?;
            }
            Scenario::Crowd => {
                for number in 0..8 {
                    self.broken(&format!("{}-{number}", self.name)).await?;
                }
            }
            Scenario::OldMessageFirst => {
                // One executor alone takes the messages in their order.
                self.cast.executors[1].kill()?;
                self.cast.executors[0].freeze()?;
                let before = self.queued().await?;
                self.create(self.name, 1).await?;
                self.queued_more(before).await?;
                self.image(2).await?;
                self.queued_more(before + 1).await?;
                self.cast.executors[0].thaw()?;
            }
        }
        Ok(())
    }

    fn api(&self) -> Api<Deployment> {
        self.scene.stack.deployments()
    }

    async fn create(&self, name: &str, image: u32) -> anyhow::Result<()> {
        let template = Template { image, ..Template::default() };
        let manifest = Manifest { template, replicas: 2, ..Manifest::default() };
        self.make(name, manifest).await
    }

    async fn broken(&self, name: &str) -> anyhow::Result<()> {
        let template = Template { broken: true, ..Template::default() };
        self.make(name, Manifest { template, replicas: 1, ..Manifest::default() }).await
    }

    async fn make(&self, name: &str, manifest: Manifest) -> anyhow::Result<()> {
        let whole = fixture(&self.scene.stack.namespace, name, manifest).object();
        self.api().create(&PostParams::default(), &whole).await?;
        Ok(())
    }

    async fn image(&self, tag: u32) -> anyhow::Result<()> {
        let container = json!({ "name": "app", "image": format!("registry.test/web:{tag}") });
        self.patch(json!({ "spec": { "template": { "spec": { "containers": [container] } } } })).await
    }

    async fn patch(&self, patch: Value) -> anyhow::Result<()> {
        self.api().patch(self.name, &PatchParams::default(), &Patch::Strategic(patch)).await?;
        Ok(())
    }

    /// Holds the executors' patches of this Deployment before the API server sees them.
    fn hold(&self) -> Hold {
        let path = format!("/deployments/{}", self.name);
        self.scene.stack.proxy().hold_request(move |request| {
            request.method == Method::PATCH && request.uri.path().ends_with(&path)
        })
    }

    async fn grown(&self) -> anyhow::Result<()> {
        let sets = self.scene.stack.api::<ReplicaSet>();
        let selected = ListParams::default().labels(&format!("app={}", self.name));
        eventually("a ReplicaSet is made", NEVER, async || {
            anyhow::ensure!(!sets.list(&selected).await?.items.is_empty(), "there is none");
            Ok(())
        })
        .await
    }

    /// Messages that the queue ever took.
    async fn queued(&self) -> anyhow::Result<u64> {
        let stream = self.scene.stack.jetstream().await?.get_stream(CHANGES).await?;
        Ok(stream.cached_info().state.last_sequence)
    }

    async fn queued_more(&self, than: u64) -> anyhow::Result<()> {
        eventually("a message is queued", PATIENCE, async || {
            let now = self.queued().await?;
            anyhow::ensure!(now > than, "there are {now} messages");
            Ok(())
        })
        .await
    }

    /// Takes away whatever the scenario left, with Roadstead still there.
    async fn sweep_up(&self) -> anyhow::Result<()> {
        let all = self.api().list(&ListParams::default()).await?;
        for name in all.iter().filter_map(|deployment| deployment.metadata.name.as_ref()) {
            self.api().delete(name, &kube::api::DeleteParams::default()).await?;
        }
        eventually("all Deployments are gone", PATIENCE, async || {
            let left = self.api().list(&ListParams::default()).await?;
            let left: Vec<_> = left.iter().map(crate::DeploymentView::summary).collect();
            anyhow::ensure!(left.is_empty(), "{}", left.join("; "));
            Ok(())
        })
        .await
    }
}
