//! Scene 2: a wave of changes queues up, and an urgent one overtakes it.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::board::Board;
use super::history::{History, What};
use super::timeline::milliseconds;
use super::{Demo, SLOTS};
use crate::{DeploymentFixture, deployment};

const SIZE: usize = 40;
const URGENT: &str = "hotfix";

/// Selects the Deployments of the wave.
pub(super) const LABEL: (&str, &str) = ("demo", "wave");

/// Names of the Deployments of the wave.
pub(super) fn names() -> Vec<String> {
    (1..=SIZE).map(|number| format!("wave-{number:02}")).collect()
}

pub(super) async fn tell(demo: &Demo) -> anyhow::Result<()> {
    let Demo { shell, console, recorder, .. } = demo;
    console.title("2. A wave, and an urgent change that overtakes it");
    console.say(&format!(
        "wave.yaml holds {SIZE} Deployments whose pods count as available after a second (minReadySeconds: 1). \
         {SLOTS} rollouts may be in flight at a time. hotfix.yaml is one more, with roadstead.dev/lane: urgent, and \
         comes last."
    ));
    let wave = names();
    let manifests = wave.iter().map(|name| slow(&deployment(name).label(LABEL.0, LABEL.1)));
    let manifests: Vec<_> = manifests.collect();
    shell.kubectl_with("apply -f -", "wave.yaml", &manifests.join("---\n")).await?.ok()?;
    let hotfix = slow(&deployment(URGENT).lane("urgent"));
    let applied = Instant::now();
    shell.kubectl_with("apply -f -", "hotfix.yaml", &hotfix).await?.ok()?;

    let board = Board { wave: &wave, beside: Some(URGENT) };
    let over = |history: &History| history.counts(&wave).done == SIZE && history.state(URGENT) == "done";
    board.follow(demo, "the wave and the urgent change are done", over).await?;

    let (done, waiting, most) = recorder
        .read(|history| {
            let ended = at(history, URGENT, &What::Ended)?;
            let waiting =
                wave.iter().filter(|name| at(history, name, &What::Opened).is_none_or(|at| at > ended));
            Some((ended, waiting.count(), history.most_in_flight()))
        })
        .context("the end of the urgent change was not seen")?;
    ensure!(
        waiting > 0,
        "the urgent change overtook nobody: all of the wave had left the queue before its end"
    );
    console.fact(&format!(
        "{URGENT} came last and was done {} ms after its kubectl apply began; {waiting} of the {SIZE} changes that came before \
         it still waited then",
        milliseconds(done.duration_since(applied)),
    ));
    ensure!(most <= SLOTS as usize, "{most} rollouts were in flight at one time, with {SLOTS} slots");
    console.fact(&format!("never more than {most} rollouts in flight, with {SLOTS} slots"));
    Ok(())
}

/// When this happened to the newest change of a Deployment.
fn at(history: &History, name: &str, what: &What) -> Option<Instant> {
    history.first(history.change(name)?, |seen| seen == what).map(|seen| seen.at)
}

/// The manifest of a Deployment whose pods count as available after a second: fake nodes are too fast to watch.
fn slow(fixture: &DeploymentFixture) -> String {
    let mut object = fixture.json();
    object["spec"]["minReadySeconds"] = json!(1);
    // JSON is YAML.
    format!("{object:#}\n")
}
