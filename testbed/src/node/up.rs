//! A node that goes on after the command that started it.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;

use super::{Node, missing, record};
use crate::process::Lifetime;

/// Starts a node for a person, or finds the one that runs, and says how long it took.
pub(super) async fn up(folder: &Path) -> anyhow::Result<Node> {
    if record(folder).exists() {
        let node = Node::attach(folder)?;
        if node.is_running() {
            eprintln!("testbed: runs already; `node down` stops it");
            return Ok(node);
        }
    }
    let missing = missing();
    anyhow::ensure!(missing.is_empty(), "a node cannot run here: {}", missing.join("; "));
    remove(folder)?;
    let began = Instant::now();
    let progress = |what: &str| eprintln!("[{:5.1} s] {what}", began.elapsed().as_secs_f32());
    let started = tokio::select! {
        started = Node::start(folder, Lifetime::Detached, progress) => started,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into).and_then(|()| anyhow::bail!("interrupted")),
    };
    if started.is_err() && record(folder).exists() {
        Node::attach(folder)?.stop().await?;
    }
    started
}

/// Stops it and removes its folder; without a node: says so.
pub(super) async fn down(folder: &Path) -> anyhow::Result<()> {
    if !record(folder).exists() {
        eprintln!("testbed: nothing runs");
        return Ok(());
    }
    Node::attach(folder)?.stop().await?;
    remove(folder)
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
