//! The parts of a running cluster, found again by what was written when they were started.

use std::path::Path;

use anyhow::Context as _;
use testbed::Part;
use testbed::part::RECORD;

/// The order in which parts are started, listed and, backwards, stopped.
const ORDER: [&str; 8] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
    "nats",
    "webhook",
    "executor",
];

/// All parts of the cluster in this folder; none where no cluster is.
pub(super) fn all(folder: &Path) -> anyhow::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for place in ["cluster", "roadstead"] {
        let Ok(entries) = std::fs::read_dir(folder.join(place)) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(RECORD) {
                parts.push(Part::from_record(&path)?);
            }
        }
    }
    parts.sort_by_key(|part| ORDER.iter().position(|name| *name == part.name()));
    Ok(parts)
}

/// Kills what runs and removes the folder.
pub(super) fn remove(folder: &Path, parts: &[Part]) -> anyhow::Result<()> {
    for part in parts.iter().rev().filter(|part| part.is_running()) {
        part.kill()?;
    }
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Stops the cluster and removes its folder; without a cluster: says so.
pub(crate) fn down(folder: &Path) -> anyhow::Result<()> {
    let parts = all(folder)?;
    let running = parts.iter().filter(|part| part.is_running()).count();
    remove(folder, &parts)?;
    match running {
        0 => eprintln!("testbed: nothing runs"),
        running => eprintln!("testbed: stopped {running} parts"),
    }
    Ok(())
}

/// Stops one part in order.
pub(crate) async fn stop(folder: &Path, name: &str) -> anyhow::Result<()> {
    let part = find(folder, name)?;
    if !part.is_running() {
        eprintln!("testbed: {name} does not run");
        return Ok(());
    }
    part.stop().await?;
    eprintln!("testbed: stopped {name}");
    Ok(())
}

/// Starts one part again. That it is not ready may have its reason in another part that is stopped.
pub(crate) async fn start(folder: &Path, name: &str) -> anyhow::Result<()> {
    let part = find(folder, name)?;
    if part.is_running() {
        eprintln!("testbed: {name} runs already");
        return Ok(());
    }
    part.spawn()?;
    match part.ready().await {
        Ok(()) => eprintln!("testbed: {name} is ready"),
        Err(_) if part.is_running() => eprintln!(
            "testbed: {name} runs, but is not ready: is another part stopped (`status`)? Its log: {}",
            part.log_path().display()
        ),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Prints the parts, whether they run and are ready, and where their logs are.
pub(crate) async fn status(folder: &Path) -> anyhow::Result<()> {
    let parts = all(folder)?;
    anyhow::ensure!(!parts.is_empty(), "no cluster is up; `up` starts one");
    println!("{:<25}{:<10}{:<8}LOG", "PART", "STATE", "PID");
    for part in parts {
        let state = match (part.is_running(), part.is_ready().await) {
            (false, _) => "stopped",
            (true, false) => "not ready",
            (true, true) => "ready",
        };
        let pid = part.pid().map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        println!("{:<25}{state:<10}{pid:<8}{}", part.name(), part.log_path().display());
    }
    Ok(())
}

fn find(folder: &Path, name: &str) -> anyhow::Result<Part> {
    let parts = all(folder)?;
    anyhow::ensure!(!parts.is_empty(), "no cluster is up; `up` starts one");
    let names = parts.iter().map(Part::name).collect::<Vec<_>>().join(", ");
    let found = parts.into_iter().find(|part| part.name() == name);
    found.with_context(|| format!("there is no part {name}; there are: {names}"))
}
