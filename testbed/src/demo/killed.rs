//! Scene 3: the executor is killed in the middle of a wave. Nothing is lost, and nothing happens twice.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use contract::{Phase, subject};
use futures::TryStreamExt as _;
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::ResourceExt as _;
use kube::api::ListParams;

use super::Demo;
use super::board::Board;
use super::history::{History, What};
use super::wave::{self, LABEL};
use crate::Stack;

/// How many of the wave are done when the executor is killed.
const DONE_BEFORE: usize = 10;
const REVISION: &str = "deployment.kubernetes.io/revision";

pub(super) async fn tell(demo: &Demo) -> anyhow::Result<()> {
    let Demo { shell, console, recorder, stack } = demo;
    let names = wave::names();
    console.title("3. The executor is killed in the middle");
    console.say(&format!("The same {} Deployments get a new image, all at once.", names.len()));
    let before = recorder.read(|history| ids(history, &names));
    let selector = format!("-l {}={}", LABEL.0, LABEL.1);
    shell.kubectl(&format!("set image deployment {selector} app=registry.test/web:2")).await?.ok()?;
    let fresh = |history: &History| {
        let ids = ids(history, &names);
        ids.iter().all(|(name, id)| before.get(name) != Some(id)).then_some(ids)
    };
    let changes = recorder.until("the whole wave was held", fresh).await?;
    let done = |history: &History| changes.values().filter(|id| history.count(id, &What::Ended) > 0).count();

    let board = Board { wave: &names, beside: None };
    let middle = |history: &History| done(history) >= DONE_BEFORE && history.counts(&names).in_flight > 0;
    board.follow(demo, "a part of the wave is done, and a part in flight", middle).await?;
    let pid = stack.executor.pid().context("the executor does not run")?;
    console.line("");
    console.command(&format!("kill -9 {pid}    # the executor"));
    let died = stack.executor.kill()?;
    let (opened, at_death) = recorder.read(|history| (openings(history, &changes), history.counts(&names)));
    ensure!(at_death.held > 0, "the wave was over before the executor was killed");
    console.line(&format!("  {died}"));
    shell.kubectl(&format!("roadstead get {selector}")).await?.ok()?;

    console.say("What was let through rolls out all the same: that is Kubernetes' own work.");
    let in_flight = |history: &History| {
        let mut open = changes.values().filter(|id| history.count(id, &What::Opened) > 0);
        open.all(|id| history.count(id, &What::RolledOut) > 0).then_some(())
    };
    recorder.until("what was in flight has rolled out", in_flight).await?;
    let (now, counts) = recorder.read(|history| (openings(history, &changes), history.counts(&names)));
    ensure!(counts.held > 0, "nothing waits any more, although the executor is dead");
    console.fact(&format!(
        "all {now} changes let through so far have rolled out, {} with nobody following; {} wait",
        counts.in_flight, counts.held
    ));
    ensure!(now >= opened, "an opened gate was forgotten");

    console.say(
        "Started again. A message that was in its hands when it died comes again when its ack wait is over, up \
         to half a minute later.",
    );
    let started = Instant::now();
    stack.executor.start().await?;
    board.follow(demo, "the whole wave is done", |history| done(history) == names.len()).await?;
    console.fact(&format!("the rest is done {:.1} s after the new start", started.elapsed().as_secs_f32()));
    proof(demo, &changes).await
}

/// Nothing lost, nothing twice: asked of the watch, of the cluster as it is now, and of the stream of events.
async fn proof(demo: &Demo, changes: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let Demo { shell, console, recorder, stack } = demo;
    let all = changes.len();
    let told = |history: &History| {
        let succeeded = What::Event(Phase::Succeeded);
        changes.values().all(|id| history.count(id, &succeeded) > 0).then_some(())
    };
    recorder.until("every change has its event of success", told).await?;
    recorder.read(|history| {
        for (name, id) in changes {
            let times = history.count(id, &What::Opened);
            ensure!(times == 1, "the gate of {name} was opened {times} times for change {id}");
        }
        Ok(())
    })?;
    console.fact(&format!("each of the {all} gates was opened exactly once (watch)"));

    let mut revisions = revisions(stack).await?;
    for name in changes.keys() {
        let revisions = revisions.remove(name).unwrap_or_default();
        ensure!(revisions == ["1", "2"], "{name} has the revisions {revisions:?}, not one a change");
    }
    console
        .fact(&format!("each of the {all} Deployments has exactly two ReplicaSets, one a change (cluster)"));

    let events = stack.jetstream().await?.get_stream(contract::stream::EVENTS).await?;
    for (name, id) in changes {
        let subject = subject::event(&stack.cluster, &stack.namespace, name, Phase::Succeeded)?;
        let mut counts = events.info_with_subjects(&subject).await?;
        let count = counts.try_next().await?.map_or(0, |(_, count)| count);
        // One from scene 2, when it was created.
        ensure!(count == 2, "{subject} has {count} events, not one of scene 2 and one of {id}");
    }
    console.fact(&format!("each of the {all} changes has exactly one event of success (stream)"));
    let left = shell.kubectl("roadstead get").await?;
    ensure!(left.stdout.is_empty() && left.stderr.contains("No changes wait"), "something still waits");
    Ok(())
}

/// Revisions of the ReplicaSets of each Deployment, in order.
async fn revisions(stack: &Stack) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut revisions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for set in stack.api::<ReplicaSet>().list(&ListParams::default()).await?.items {
        let revision = set.annotations().get(REVISION).cloned().unwrap_or_default();
        let owner = set.owner_references().first().map(|owner| owner.name.clone()).unwrap_or_default();
        revisions.entry(owner).or_default().push(revision);
    }
    for list in revisions.values_mut() {
        list.sort();
    }
    Ok(revisions)
}

/// The newest change of each Deployment.
fn ids(history: &History, names: &[String]) -> BTreeMap<String, String> {
    let id = |name: &String| Some((name.clone(), history.change(name)?.to_owned()));
    names.iter().filter_map(id).collect()
}

/// How many of these changes were let through.
fn openings(history: &History, changes: &BTreeMap<String, String>) -> usize {
    changes.values().filter(|id| history.count(id, &What::Opened) > 0).count()
}
