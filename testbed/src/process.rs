//! Starts processes that cannot outlive us, and sends them signals.
//!
//! The kernel's parent-death signal fires when the *thread* that spawned a child ends, so every child is
//! spawned by one thread that lives as long as this process. Whatever ends us (exit, panic, Ctrl-C, SIGKILL)
//! ends that thread, and the kernel kills the children.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// Variables that a process inherits; everything else would let a developer's shell change a test.
const INHERITED: [&str; 5] = ["PATH", "HOME", "TMPDIR", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"];
/// How often a process that is not our child is looked at while we wait for its end.
const LOOK: Duration = Duration::from_millis(10);

/// What to run, the same each time it is started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// Short name, also that of the log file.
    pub name: String,
    /// The binary.
    pub program: PathBuf,
    /// Its arguments. Never a secret: everybody on the machine can read them.
    pub args: Vec<String>,
    /// Its environment, beside a few inherited variables.
    pub env: Vec<(String, String)>,
    /// Where its output is appended.
    pub log: PathBuf,
}

/// What happens to a process when we end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// It is killed by the kernel.
    Ours,
    /// It goes on, in a session of its own (`make up`).
    Detached,
}

/// A started process: a child of ours, or one that an earlier run of us left running.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    started: u64,
    child: Option<Child>,
}

impl Process {
    /// Starts what `spec` says.
    ///
    /// # Errors
    /// When the binary is missing or the log cannot be opened.
    pub fn start(spec: &Spec, lifetime: Lifetime) -> anyhow::Result<Self> {
        let (name, program) = (&spec.name, spec.program.display());
        let built = spec.program.is_file();
        anyhow::ensure!(
            built,
            "{name}: {program} is not built (`cargo build --workspace --bins` builds ours)"
        );
        let log = File::options().create(true).append(true).open(&spec.log);
        let log = log.with_context(|| format!("cannot write the log {}", spec.log.display()))?;
        let mut command = match lifetime {
            Lifetime::Ours => dies_with_us(&spec.program),
            Lifetime::Detached => {
                let mut command = Command::new("setsid");
                command.arg(&spec.program);
                command
            }
        };
        if lifetime == Lifetime::Ours {
            // Ctrl-C in a terminal reaches the whole group: only we are meant, our end is theirs.
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        command.args(&spec.args).env_clear().envs(inherited()).envs(spec.env.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = spawn(command).with_context(|| format!("cannot start {}", spec.name))?;
        let pid = Pid::from_child(&child);
        let started = start_time(pid).unwrap_or_default();
        Ok(Self { pid, started, child: Some(child) })
    }

    /// Finds a process that an earlier run started, by its id and start time; ids are reused, pairs are not.
    #[must_use]
    pub fn find(pid: u32, started: u64) -> Option<Self> {
        Self::running(pid).filter(|process| process.started == started)
    }

    /// The process that has this id now.
    #[must_use]
    pub fn running(pid: u32) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        Some(Self { pid, started: start_time(pid)?, child: None })
    }

    /// Finds a process by where its output goes: one that was started and not written down any more.
    #[must_use]
    pub fn writing_to(log: &Path) -> Option<Self> {
        let log = log.canonicalize().ok()?;
        let mut processes = fs::read_dir("/proc").ok()?.flatten();
        let writer =
            processes.find(|entry| fs::read_link(entry.path().join("fd/1")).is_ok_and(|to| to == log))?;
        Self::running(writer.file_name().to_str()?.parse().ok()?)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// When it was started, in clock ticks since boot.
    #[must_use]
    pub fn started(&self) -> u64 {
        self.started
    }

    /// Sends a signal; to a process that is gone: nothing.
    ///
    /// # Errors
    /// When we may not.
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        if self.exited()?.is_some() {
            return Ok(());
        }
        match kill_process(self.pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How it ended; `None` while it runs. Of a process that is no child of ours only the end is known.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => child.try_wait(),
            None if start_time(self.pid) == Some(self.started) => Ok(None),
            None => Ok(Some(ExitStatus::default())),
        }
    }

    /// Waits for its end, at most `limit`.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn wait(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            match self.exited()? {
                None if Instant::now() < deadline => std::thread::sleep(LOOK),
                known => return Ok(known),
            }
        }
    }
}

/// A command whose process the kernel kills when the thread that spawns it ends.
pub(crate) fn dies_with_us(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// The variables that every process gets from ours.
pub(crate) fn inherited() -> impl Iterator<Item = (&'static str, String)> {
    INHERITED.into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?)))
}

/// Spawns in the thread that lives as long as we do.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let (answer, child) = mpsc::channel();
    let gone = || io::Error::other("the spawning thread is gone");
    spawner.send((command, answer)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}

/// Start time of a live process (field 22 of `/proc/PID/stat`); `None` when it is gone or a zombie.
fn start_time(pid: Pid) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The second field is the command in parentheses and may hold anything, spaces and parentheses included.
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(dir: &tempfile::TempDir, script: &str) -> Spec {
        Spec {
            name: "shell".into(),
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: vec![("GREETING".into(), "hello".into())],
            log: dir.path().join("shell.log"),
        }
    }

    #[test]
    fn a_process_gets_its_environment_and_its_output_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let spec = spec(&dir, "echo $GREETING; echo $CARGO_MANIFEST_DIR.");
        let mut process = Process::start(&spec, Lifetime::Ours).unwrap();
        assert!(process.wait(Duration::from_secs(5)).unwrap().unwrap().success());
        assert_eq!(fs::read_to_string(spec.log).unwrap(), "hello\n.\n");
    }

    #[test]
    fn a_process_is_found_by_id_and_start_time_together() {
        let dir = tempfile::tempdir().unwrap();
        let mut process = Process::start(&spec(&dir, "exec sleep 60"), Lifetime::Ours).unwrap();
        assert!(Process::find(process.pid(), process.started() + 1).is_none());
        let mut found = Process::find(process.pid(), process.started()).unwrap();
        found.signal(Signal::KILL).unwrap();
        assert!(process.wait(Duration::from_secs(5)).unwrap().is_some());
        assert!(found.exited().unwrap().is_some());
        assert!(Process::find(process.pid(), process.started()).is_none());
    }

    #[test]
    fn a_process_is_found_by_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let spec = spec(&dir, "exec sleep 60");
        assert!(Process::writing_to(&spec.log).is_none());
        let mut process = Process::start(&spec, Lifetime::Ours).unwrap();
        assert_eq!(Process::writing_to(&spec.log).unwrap().pid(), process.pid());
        process.signal(Signal::KILL).unwrap();
    }

    #[test]
    fn a_missing_binary_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let spec = Spec { program: "/nowhere/etcd".into(), ..spec(&dir, "") };
        let said = Process::start(&spec, Lifetime::Ours).unwrap_err().to_string();
        assert!(said.contains("/nowhere/etcd"), "{said}");
    }
}
