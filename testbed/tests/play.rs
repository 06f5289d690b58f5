//! `testbed up` and its companions, as a person uses them.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

fn testbed(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testbed"));
    command.arg("--folder").arg(folder.join("up")).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a line of shell with what `up` printed.
fn shell(exports: &[u8], line: &str) -> Result<String> {
    let script = format!("{}\n{line}", String::from_utf8_lossy(exports));
    let output = Command::new("/bin/sh").args(["-c", &script]).output()?;
    ensure!(output.status.success(), "{line}: {}", said(&output));
    Ok(String::from_utf8(output.stdout)?)
}

/// The processes whose command line names this folder.
fn processes(folder: &Path) -> Result<usize> {
    let folder = folder.to_string_lossy();
    let mut count = 0;
    for entry in std::fs::read_dir("/proc")? {
        let command = std::fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        count += usize::from(String::from_utf8_lossy(&command).contains(&*folder));
    }
    Ok(count)
}

#[test]
fn a_cluster_goes_on_after_up_and_its_parts_stop_and_start_until_down() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let up = testbed(folder.path()).args(["up", "--without", "executor", "--slots", "3"]).output()?;
    ensure!(up.status.success(), "{}", said(&up));
    let warned = shell(&up.stdout, "kubectl create deployment web --image=nginx:1 2>&1")?;
    ensure!(warned.contains("waits"), "{warned}");
    shell(
        &up.stdout,
        "kubectl --context developer get deployments && helm get values roadstead -n roadstead",
    )?;
    shell(&up.stdout, "nats stream ls && test -r $ROADSTEAD_WEBHOOK_CA")?;

    let again = testbed(folder.path()).arg("up").output()?;
    ensure!(again.stdout == up.stdout && said(&again).contains("already"), "{}", said(&again));

    let stopped = testbed(folder.path()).args(["stop", "nats"]).output()?;
    ensure!(stopped.status.success(), "{}", said(&stopped));
    let status = String::from_utf8(testbed(folder.path()).arg("status").output()?.stdout)?;
    let state = |part: &str| {
        let line = status.lines().find(|line| line.starts_with(part));
        line.and_then(|line| line.split_whitespace().nth(1)).map(str::to_owned)
    };
    ensure!(
        state("nats") == Some("stopped".into()) && state("executor") == Some("stopped".into()),
        "{status}"
    );
    let started = testbed(folder.path()).args(["start", "nats"]).output()?;
    ensure!(started.status.success(), "{}", said(&started));
    shell(&up.stdout, "nats server check connection")?;
    let unknown = testbed(folder.path()).args(["stop", "web"]).output()?;
    ensure!(!unknown.status.success() && said(&unknown).contains("kube-scheduler"), "{}", said(&unknown));

    for _ in 0..2 {
        let down = testbed(folder.path()).arg("down").output()?;
        ensure!(down.status.success(), "{}", said(&down));
    }
    ensure!(processes(folder.path())? == 0, "processes are left");
    ensure!(!folder.path().join("up").exists(), "files are left");
    Ok(())
}

#[test]
fn an_interrupted_up_leaves_nothing_and_a_killed_one_is_cleared_by_down() -> Result<()> {
    for (signal, left) in [(Signal::INT, false), (Signal::KILL, true)] {
        let folder = tempfile::tempdir()?;
        let mut up = testbed(folder.path()).arg("up").stderr(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        wait_for(|| Ok(processes(&folder.path().join("up/cluster"))? > 1)).context("etcd starts")?;
        kill_process(Pid::from_child(&up), signal)?;
        ensure!(!up.wait()?.success());
        ensure!((processes(&folder.path().join("up/"))? > 0) == left, "after {signal:?}");
        ensure!(testbed(folder.path()).arg("down").output()?.status.success());
        ensure!(processes(folder.path())? == 0, "processes are left after {signal:?} and down");
    }
    Ok(())
}

fn wait_for(is: impl Fn() -> Result<bool>) -> Result<()> {
    for _ in 0..1000 {
        if is()? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    anyhow::bail!("not within 20 s")
}
