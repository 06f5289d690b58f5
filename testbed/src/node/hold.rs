//! The keeper of a node: a process outside of its namespaces that starts its first process, forwards its API server to
//! the machine, and takes everything away when it is told to end, when the node ends, or when its owner does, however.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::cgroups::{Cgroups, hierarchies};
use super::plan::{Plan, forget_namespaces, network, record_namespaces};
use super::{forward::forward, init};
use crate::eventually::{PATIENCE, eventually};
use crate::part::Part;
use crate::process::{Lifetime, Process, Spec};

/// Joins cgroups, then becomes what follows `--`.
const JOIN: &str = r#"while [ "$1" != -- ]; do echo $$ >"$1" || exit 1; shift; done; shift; exec "$@""#;
/// New namespaces whose first process dies with us, and everything in them with it.
const UNSHARE: [&str; 11] = [
    "unshare",
    "--cgroup",
    "--mount",
    "--propagation=private",
    "--net",
    "--pid",
    "--uts",
    "--ipc",
    "--fork",
    "--kill-child=KILL",
    "--mount-proc",
];
const LOOK: Duration = Duration::from_millis(200);

/// Keeps the node of this folder until one of its three ends.
///
/// # Errors
/// When it cannot be started, or something of it cannot be taken away.
pub(super) async fn hold(folder: &Path, owner: Option<u32>) -> anyhow::Result<()> {
    let plan = Plan::read(folder)?;
    let cgroups = Cgroups::create(&hierarchies()?, &plan.id)?;
    let node = Part::new(first_process(folder, &cgroups)?, None, Lifetime::Ours);
    let kept = keep(folder, &plan, &node, owner).await;
    if node.is_running() {
        node.kill()?;
    }
    forget_namespaces(folder);
    cgroups.remove().await?;
    kept
}

async fn keep(folder: &Path, plan: &Plan, node: &Part, owner: Option<u32>) -> anyhow::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    node.spawn()?;
    let pid = node.pid().context("the node ended at once")?;
    // Ours until unshare has made its own.
    let ours = std::fs::read_link("/proc/self/ns/net")?;
    let theirs = format!("/proc/{pid}/ns/net");
    eventually("the namespaces are there", PATIENCE, async || {
        anyhow::ensure!(std::fs::read_link(&theirs)? != ours);
        Ok(())
    })
    .await?;
    record_namespaces(folder, pid)?;
    let network = network(folder)?;
    tokio::select! {
        _ = term.recv() => Ok(()),
        _ = int.recv() => Ok(()),
        owner = ended(owner) => owner,
        node = ends(node) => node,
        forward = forward(plan.api_port, &network) => forward,
    }
}

/// Resolves when this process has ended; never, without one.
async fn ended(pid: Option<u32>) -> anyhow::Result<()> {
    let Some(pid) = pid else { return std::future::pending().await };
    // Gone before it could be watched: as if it ended now.
    let Some(mut process) = Process::running(pid) else { return Ok(()) };
    let mut look = tokio::time::interval(LOOK);
    while process.exited()?.is_none() {
        look.tick().await;
    }
    Ok(())
}

/// Resolves, with an error, when the node ends by itself.
async fn ends(node: &Part) -> anyhow::Result<()> {
    let mut look = tokio::time::interval(LOOK);
    while node.is_running() {
        look.tick().await;
    }
    anyhow::bail!("the node ended by itself; {} says why", node.log_path().display())
}

fn first_process(folder: &Path, cgroups: &Cgroups) -> anyhow::Result<Spec> {
    let own = std::env::current_exe()?.display().to_string();
    let folder_text = folder.display().to_string();
    let mut args = vec!["-c".to_owned(), JOIN.to_owned(), "sh".to_owned()];
    args.extend(cgroups.doors());
    args.push("--".to_owned());
    args.extend(UNSHARE.map(str::to_owned));
    args.extend([own, "node".to_owned(), init::COMMAND.to_owned(), folder_text]);
    let log = folder.join("node.log");
    Ok(Spec { name: "node".to_owned(), program: "/bin/sh".into(), args, env: vec![], log })
}
