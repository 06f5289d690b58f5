//! The demo: a story told with real commands on a real control plane, in a state of its own that is gone at the
//! end. Every sentence that claims something is checked first; one that is not true ends the demo with an error.

mod board;
mod console;
mod history;
mod killed;
mod one_change;
mod recorder;
mod shell;
mod timeline;
mod wave;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use contract::key::URGENT;
use tokio::signal::unix::{SignalKind, signal};

use crate::Stack;
use console::Console;
use recorder::Recorder;
use shell::Shell;

/// Rollouts in flight at a time: few, so that a wave waits long enough to be looked at.
const SLOTS: u32 = 4;

/// What every scene plays with.
struct Demo {
    stack: Stack,
    shell: Shell,
    console: Console,
    recorder: Recorder,
}

/// Tells the story. Interrupted or not, nothing of it is left; only where it failed its logs are kept.
///
/// # Errors
/// When something that the story says is not true, or it was interrupted.
pub async fn run() -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut interrupted = async || tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} };
    let (console, began) = (Console::standard(), Instant::now());
    // What is dropped half-way takes its processes with it.
    let demo = tokio::select! {
        demo = set_up(&console) => demo?,
        () = interrupted() => anyhow::bail!("interrupted while it started; nothing of it runs any more"),
    };
    let told = tokio::select! {
        told = story(&demo, began) => Some(told?),
        () = interrupted() => None,
    };
    take_down(demo).await?;
    anyhow::ensure!(told.is_some(), "interrupted; everything that the demo started is stopped and removed");
    console.fact("everything that the demo started is stopped, and its files are removed");
    console.say("To go on: `make up` starts such a cluster for you to play with, `make down` takes it away.");
    Ok(())
}

async fn set_up(console: &Console) -> anyhow::Result<Demo> {
    let began = Instant::now();
    console.title("Roadstead: changes wait for a berth");
    console.say(
        "A control plane of its own starts: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, fake \
         nodes by kwok; beside it nats-server and the webhook. The chart's objects are installed.",
    );
    let options = Stack::options().own_control_plane().slots(SLOTS).without_executor();
    let stack = options.namespace_annotation(URGENT, "allowed").start().await?;
    let shell = Shell::new(&stack, console)?;
    let recorder = Recorder::start(&stack).await?;
    console.fact(&format!("ready after {:.1} s", began.elapsed().as_secs_f32()));
    Ok(Demo { stack, shell, console: console.clone(), recorder })
}

async fn story(demo: &Demo, began: Instant) -> anyhow::Result<()> {
    one_change::tell(demo).await?;
    wave::tell(demo).await?;
    killed::tell(demo).await?;
    let (changes, once) = demo.recorder.read(|history| (history.changes(), history.changes_opened_once()));
    anyhow::ensure!(changes == once, "of {changes} changes {once} were let through once");
    demo.console.title("That was all of it");
    demo.console.fact(&format!(
        "{changes} changes were held and let through, each of them once, in {:.0} s with all starts",
        began.elapsed().as_secs_f32()
    ));
    Ok(())
}

async fn take_down(demo: Demo) -> anyhow::Result<()> {
    let Demo { stack, recorder, .. } = demo;
    drop(recorder);
    let run = stack.folder.parent().map(PathBuf::from).context("the demo's files lie in a run's folder")?;
    stack.finish().await?;
    std::fs::remove_dir_all(&run).with_context(|| format!("cannot remove {}", run.display()))
}
