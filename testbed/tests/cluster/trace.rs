//! A node leaves no process, cgroup or mount behind, whoever ends it. These tests start one of their own, inside the
//! network of the one that all tests share: that it can be done shows that nodes do not get into each other's way.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testbed::process::Lifetime;
use testbed::{Node, eventually};

/// Starting a second node on two cores.
const START: Duration = Duration::from_mins(4);
const GONE: Duration = Duration::from_secs(30);

/// What is left of a node on the machine.
fn left(folder: &Path) -> Result<Vec<String>> {
    let name = folder.to_string_lossy().into_owned();
    let plan = serde_json::from_slice::<serde_json::Value>(&std::fs::read(folder.join("plan.json"))?)?;
    let cgroup = format!("roadstead-node-{}", plan["id"].as_str().context("a plan has an id")?);
    let mut left = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let process = entry?.path();
        let command = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let groups = std::fs::read_to_string(process.join("cgroup")).unwrap_or_default();
        // The tests themselves name the folder only in their environment.
        if String::from_utf8_lossy(&command).contains(&name) || groups.contains(&cgroup) {
            left.push(format!("process {}", process.display()));
        }
    }
    for entry in std::fs::read_dir("/sys/fs/cgroup")? {
        let group = entry?.path().join(&cgroup);
        if group.exists() {
            left.push(group.display().to_string());
        }
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    left.extend(mounts.lines().filter(|line| line.contains(&name)).map(str::to_owned));
    Ok(left)
}

async fn nothing_left(folder: &Path) -> Result<()> {
    eventually("nothing is left of the node", GONE, async || {
        let left = left(folder)?;
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn a_node_that_is_stopped_leaves_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let node = Node::start(folder.path(), Lifetime::Ours, |_| ()).await?;
    ensure!(left(folder.path())?.len() > 10, "a running node is not seen");
    let interfaces = node.inside("ip")?.run(&["-brief", "link"], None).await?.ok()?;
    ensure!(interfaces.contains("veth"), "{interfaces}");
    node.stop().await?;
    ensure!(left(folder.path())?.is_empty(), "{:?}", left(folder.path())?);
    Ok(())
}

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn a_node_whose_starter_is_killed_leaves_nothing() -> Result<()> {
    // The starter is what runs these tests, too; its one test says where its node is, and does not end.
    let folder = tempfile::tempdir()?;
    let (script, told) = (folder.path().join("tests"), folder.path().join("told"));
    let waits = format!("echo $ROADSTEAD_NODE >{0}.new; mv {0}.new {0}; exec sleep 600", told.display());
    std::fs::write(
        &script,
        format!("#!/bin/sh\ncase $* in\n*--list*) echo waits: test ;;\n*) {waits} ;;\nesac\n"),
    )?;
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755))?;
    let mut starter = Command::new(env!("CARGO_BIN_EXE_testbed"))
        .args(["node", "test"])
        .arg(&script)
        .stdout(Stdio::null())
        .spawn()?;
    let node = eventually("the other process has started a node", START, async || {
        // Its end is an answer, too, and a better one than the deadline's.
        if let Some(ended) = starter.try_wait()? {
            return Ok(ended.to_string());
        }
        std::fs::read_to_string(&told).context("not yet")
    })
    .await?;
    let node = Path::new(node.trim());
    ensure!(left(node)?.len() > 10, "a running node is not seen");
    starter.kill()?;
    starter.wait()?;
    nothing_left(node).await
}
