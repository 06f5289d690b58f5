//! Scene 1: one change. First without an executor, so that the waiting can be looked at; then with everything
//! running, so that the time can be measured.

use std::time::Instant;

use anyhow::{Context as _, ensure};

use super::Demo;
use super::history::{History, What};
use super::timeline::{self, Step};
use crate::{deployment, served};

const NAME: &str = "web";

pub(super) async fn tell(demo: &Demo) -> anyhow::Result<()> {
    demo.console.title("1. One change");
    waits(demo).await?;
    goes_on(demo).await?;
    timed(demo).await
}

/// Held: nothing rolls out, clients say "in progress", the message is on the queue.
async fn waits(demo: &Demo) -> anyhow::Result<()> {
    let Demo { shell, console, recorder, stack } = demo;
    console.say(
        "web.yaml is an ordinary Deployment of 3 pods; nothing in it knows of Roadstead. The executor, which lets \
         changes through, is not started yet: so the change has to wait.",
    );
    let web = deployment(NAME).image("registry.test/web:1").replicas(3);
    shell.kubectl_with("apply -f -", "web.yaml", &web.yaml()).await?.ok()?;
    let change = recorder.until("web is held", |history| Some(history.change(NAME)?.to_owned())).await?;
    let subject = recorder.until("its message is on the queue", |history| queued(history, &change)).await?;
    console.fact(&format!("accepted, and held as change {change}"));

    let rows = shell.kubectl("roadstead get").await?.ok()?;
    ensure!(
        rows.contains(&change) && rows.contains("held"),
        "kubectl roadstead get does not show the change"
    );
    shell.kubectl("get replicasets,pods").await?.ok()?;
    ensure!(stack.replica_sets(NAME).await?.is_empty(), "a ReplicaSet exists while the change is held");
    console.fact("no ReplicaSet, no pod: nothing rolls out while it waits");

    let status = shell.kubectl(&format!("rollout status deployment/{NAME} --timeout=1s")).await?;
    ensure!(!status.success(), "kubectl rollout status calls a held change done");
    console.fact("kubectl rollout status says that it is in progress, not that it is done");

    let subjects = shell.nats("stream subjects ROADSTEAD_CHANGES").await?.ok()?;
    ensure!(subjects.contains(&subject), "the stream does not have the subject {subject}");
    let message = shell.nats(&format!("stream get ROADSTEAD_CHANGES --last-for {subject}")).await?.ok()?;
    ensure!(message.contains(&change), "the last message on {subject} is not of change {change}");
    let whole = [r#""specversion":"1.0""#, r#""deployment":{"#].iter().all(|part| message.contains(part));
    ensure!(whole, "the message of change {change} is no CloudEvent with a Deployment in it");
    console.fact("its message is on NATS JetStream: a CloudEvent with the whole Deployment in it");
    Ok(())
}

/// The executor is started: what waited goes on by itself.
async fn goes_on(demo: &Demo) -> anyhow::Result<()> {
    let Demo { shell, console, recorder, stack } = demo;
    console.say("Now the executor is started. It finds the message and lets the change through.");
    stack.executor.start().await?;
    served::swept(&stack.client, &stack.release, &stack.fullname, &stack.namespaces).await?;
    shell.kubectl(&format!("rollout status deployment/{NAME} --timeout=30s")).await?.ok()?;
    let change = recorder.read(|history| history.change(NAME).map(str::to_owned)).context("web is gone")?;
    recorder.until("web ended", |history| ended(history, &change)).await?;
    shell.kubectl(&format!("get deployment {NAME}")).await?.ok()?;
    let rows = shell.kubectl("roadstead get").await?;
    ensure!(rows.stdout.is_empty() && rows.stderr.contains("No changes wait"), "something still waits");
    console.fact("let through and rolled out");
    Ok(())
}

/// Everything runs: how long does the detour take?
async fn timed(demo: &Demo) -> anyhow::Result<()> {
    let Demo { shell, console, recorder, .. } = demo;
    console.say("The same with everything running and nothing else to do: a new image.");
    let before = recorder.read(|history| history.change(NAME).map(str::to_owned)).context("web is gone")?;
    shell.kubectl(&format!("set image deployment/{NAME} app=registry.test/web:2")).await?.ok()?;
    let answered = Instant::now();
    let newer = |history: &History| history.change(NAME).filter(|id| *id != before).map(str::to_owned);
    let change = recorder.until("web is held again", newer).await?;
    recorder.until("web ended again", |history| ended(history, &change)).await?;
    let (mut steps, times) = recorder.read(|history| {
        let steps: Vec<_> = history.of_change(&change).map(Step::of).collect();
        let at = |what: What| history.first(&change, |seen| *seen == what).map(|seen| seen.at);
        (steps, (at(What::Held), at(What::Opened), at(What::RolledOut)))
    });
    let (Some(held), Some(opened), Some(rolled_out)) = times else {
        anyhow::bail!("change {change} was not seen to be held, let through and rolled out: {steps:?}")
    };
    ensure!(held < opened && opened < rolled_out, "change {change} did not go its way in order");
    steps.push(Step {
        at: answered,
        what: "kubectl has the API server's answer and ended".into(),
        source: "shell",
    });
    console.line("");
    for line in timeline::lines(steps, held) {
        console.line(&line);
    }
    console.fact(&format!(
        "held, queued and let through within {} ms, rolled out after {} ms",
        timeline::milliseconds(opened - held),
        timeline::milliseconds(rolled_out - held),
    ));
    Ok(())
}

fn queued(history: &History, change: &str) -> Option<String> {
    history.of_change(change).find_map(|seen| match &seen.what {
        What::Queued(subject) => Some(subject.clone()),
        _ => None,
    })
}

/// The label is gone, and the event of success was published.
fn ended(history: &History, change: &str) -> Option<()> {
    let succeeded = What::Event(contract::Phase::Succeeded);
    (history.count(change, &What::Ended) > 0 && history.count(change, &succeeded) > 0).then_some(())
}
