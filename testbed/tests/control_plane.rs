//! The testbed itself: a real control plane, and nothing left behind when the process ends.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use testbed::control_plane::{ADMIN, DEVELOPER};
use testbed::process::Lifetime;
use testbed::run::{Output, Tool};
use testbed::{ControlPlane, Nats, PATIENCE, deployment, eventually};

async fn kubectl(cluster: &ControlPlane, user: &str, args: &[&str], stdin: Option<&str>) -> Result<Output> {
    let kubeconfig = cluster.kubeconfig().display().to_string();
    let args = [&["--kubeconfig", &kubeconfig, "--context", user][..], args].concat();
    let tool = Tool { program: cluster.tools().path("kubectl"), args: vec![], env: vec![] };
    tool.run(&args, stdin).await
}

#[tokio::test]
async fn a_deployment_of_the_developer_rolls_out() -> Result<()> {
    let cluster = ControlPlane::shared().await?;
    kubectl(&cluster, ADMIN, &["create", "namespace", "shop"], None).await?.ok()?;
    let web = deployment("web").replicas(3).namespace("shop").yaml();
    kubectl(&cluster, DEVELOPER, &["apply", "-f", "-"], Some(&web)).await?.ok()?;
    let status = ["rollout", "status", "deployment/web", "-n", "shop", "--timeout=20s"];
    let said = kubectl(&cluster, DEVELOPER, &status, None).await?.ok()?;
    ensure!(said.contains("successfully rolled out"), "{said}");
    let pods = ["get", "pods", "-n", "shop", "-o", "jsonpath={.items[*].status.phase}"];
    let phases = kubectl(&cluster, DEVELOPER, &pods, None).await?.ok()?;
    ensure!(phases == "Running Running Running", "{phases}");
    let read = ["get", "replicasets,events,namespaces", "-n", "shop"];
    kubectl(&cluster, DEVELOPER, &read, None).await?.ok()?;
    Ok(())
}

#[tokio::test]
async fn the_developer_is_refused_what_teams_may_not_do() -> Result<()> {
    let cluster = ControlPlane::shared().await?;
    for refused in [
        &["create", "namespace", "mine"][..],
        &["create", "clusterrolebinding", "mine", "--clusterrole=cluster-admin", "--user=developer"],
        &["delete", "node", "node-0"],
    ] {
        let said = kubectl(&cluster, DEVELOPER, refused, None).await?.refused()?;
        ensure!(said.contains("Forbidden") || said.contains("forbidden"), "{refused:?}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn each_part_comes_back_on_its_port_after_it_was_killed() -> Result<()> {
    let cluster = ControlPlane::own("killed", |options| options).await?;
    // Not kwok: it plays its nodes again only when the lease of its last life has run out.
    for part in [&cluster.etcd, &cluster.apiserver, &cluster.controllers, &cluster.scheduler] {
        part.kill()?;
        part.start().await?;
    }
    kubectl(&cluster, ADMIN, &["create", "namespace", "later"], None).await?.ok()?;
    let web = deployment("web").namespace("later").yaml();
    kubectl(&cluster, DEVELOPER, &["apply", "-f", "-"], Some(&web)).await?.ok()?;
    let status = ["rollout", "status", "deployment/web", "-n", "later", "--timeout=40s"];
    kubectl(&cluster, DEVELOPER, &status, None).await?.ok()?;
    Ok(())
}

#[tokio::test]
async fn a_killed_test_leaves_no_process_of_its_control_plane() -> Result<()> {
    let (mut child, parts) = other_test("other_process_with_a_control_plane", "")?;
    ensure!(parts.len() == 5, "{parts:?}");
    child.kill()?;
    child.wait()?;
    gone(&parts).await
}

#[tokio::test]
async fn a_test_that_ends_by_ctrl_c_or_a_panic_or_its_end_leaves_no_process() -> Result<()> {
    for end in ["interrupt", "panic", "abort", "return"] {
        let (mut child, parts) = other_test("other_process_with_a_nats_server", end)?;
        ensure!(parts.len() == 1, "{parts:?}");
        if end == "interrupt" {
            kill_process(Pid::from_child(&child), Signal::INT)?;
        }
        eventually("the process ends", PATIENCE, async || child.try_wait()?.context("it goes on"))
            .await
            .with_context(|| format!("ended by: {end}"))?;
        gone(&parts).await.with_context(|| format!("ended by: {end}"))?;
    }
    Ok(())
}

/// Runs a test of this file in a process of its own, until it has named its parts.
fn other_test(name: &str, end: &str) -> Result<(Child, BTreeMap<String, u32>)> {
    // Whoever runs the tests in the background of a script has them ignore Ctrl-C, and so would this process.
    let mut child = Command::new("env")
        .arg("--default-signal=INT")
        .arg(std::env::current_exe()?)
        .args([name, "--exact", "--ignored", "--nocapture"])
        .env(END, end)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut parts = BTreeMap::new();
    let mut stdout = BufReader::new(child.stdout.take().context("no stdout")?);
    for line in stdout.by_ref().lines() {
        let line = line?;
        if let Some((name, pid)) = line.strip_prefix("part ").and_then(|part| part.split_once(' ')) {
            parts.insert(name.to_owned(), pid.parse()?);
        }
        if line == "ready" {
            break;
        }
    }
    // Kept open: it goes on writing.
    child.stdout = Some(stdout.into_inner());
    Ok((child, parts))
}

async fn gone(parts: &BTreeMap<String, u32>) -> Result<()> {
    eventually("the parts are gone", PATIENCE, async || {
        let left = parts.iter().filter(|(_, pid)| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        });
        let left: Vec<_> = left.collect();
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .await
}

/// How the other process ends after it has started its parts; empty: it waits to be killed.
const END: &str = "TESTBED_TEST_END";

#[tokio::test]
#[ignore = "run in a process of its own by the tests above"]
async fn other_process_with_a_control_plane() -> Result<()> {
    let cluster = ControlPlane::shared().await?;
    for part in cluster.parts() {
        println!("part {} {}", part.name(), part.pid().context("it runs")?);
    }
    end().await;
    Ok(())
}

#[tokio::test]
#[ignore = "run in a process of its own by the tests above"]
async fn other_process_with_a_nats_server() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let tools = testbed::tools::Tools::locate_in_background().await?;
    // Leaked: its end is not to be owed to a destructor.
    let nats = Box::leak(Box::new(Nats::new(&tools, folder.path(), Lifetime::Ours)?));
    nats.start().await?;
    println!("part nats {}", nats.part.pid().context("it runs")?);
    end().await;
    Ok(())
}

#[allow(clippy::panic, reason = "one of the ends that are tried")]
async fn end() {
    println!("ready");
    match std::env::var(END).unwrap_or_default().as_str() {
        "return" => (),
        "abort" => std::process::abort(),
        "panic" => panic!("as asked"),
        _ => std::future::pending().await,
    }
}
