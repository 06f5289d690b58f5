//! One running part of a cluster or of a Roadstead, and what a test does to it: stop, kill, freeze, restart.
//! It comes back with the same command, port and environment each time.

mod log;
mod metrics;
mod record;

use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
pub use record::RECORD;
use rustix::process::Signal;

use crate::endpoint::Endpoint;
use crate::eventually::{PATIENCE, eventually};
use crate::process::{Lifetime, Process, Spec};

/// How long a part may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(15);
/// How long the kernel may take to end a killed process.
const KILL: Duration = Duration::from_secs(5);
/// A part: a process that can be stopped and started.
#[derive(Debug)]
pub struct Part {
    spec: Spec,
    endpoint: Option<Endpoint>,
    lifetime: Lifetime,
    process: Mutex<Option<Process>>,
}

impl Part {
    /// A part that is not started yet.
    #[must_use]
    pub fn new(spec: Spec, endpoint: Option<Endpoint>, lifetime: Lifetime) -> Self {
        Self { spec, endpoint, lifetime, process: Mutex::new(None) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// What it runs.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Its HTTP address, where it has one.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.endpoint.as_ref().map(|endpoint| endpoint.url.as_str())
    }

    /// Where it says whether it is ready, where it has such an address.
    #[must_use]
    pub fn readiness(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// Starts it unless it runs, and does not wait.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self) -> anyhow::Result<()> {
        if !self.is_running() {
            self.record()?;
            let process = Process::start(&self.spec, self.lifetime)?;
            *self.process() = Some(process);
            self.record()?;
        }
        Ok(())
    }

    /// Starts it unless it runs, and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be started, ends early or is not ready in time.
    pub async fn start(&self) -> anyhow::Result<()> {
        self.spawn()?;
        self.ready().await
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// When it ends or is not ready in time; the end of its log is part of the message.
    pub async fn ready(&self) -> anyhow::Result<()> {
        let Some(endpoint) = &self.endpoint else { return Ok(()) };
        let what = format!("{} is ready", self.name());
        let ready = eventually(&what, PATIENCE, async || endpoint.get(&endpoint.ready).await.map(drop));
        let ended = self.ended();
        let ready = tokio::select! { ready = ready => ready, ended = ended => ended };
        ready.with_context(|| format!("the end of {}:\n{}", self.spec.log.display(), self.log_tail()))
    }

    /// Whether it says now that it is ready.
    pub async fn is_ready(&self) -> bool {
        match &self.endpoint {
            Some(endpoint) => endpoint.get(&endpoint.ready).await.is_ok(),
            None => self.is_running(),
        }
    }

    /// Whether its process exists (a frozen one does).
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process().as_mut().is_some_and(|process| matches!(process.exited(), Ok(None)))
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.is_running().then(|| self.process().as_ref().map(Process::pid)).flatten()
    }

    /// SIGTERM; SIGKILL when it has not ended after 15 seconds. Returns how it ended.
    ///
    /// # Errors
    /// When it does not run or cannot be signalled.
    pub async fn stop(&self) -> anyhow::Result<ExitStatus> {
        anyhow::ensure!(self.is_running(), "{} does not run", self.name());
        self.signal(Signal::TERM)?;
        // A frozen process would never see it.
        self.signal(Signal::CONT)?;
        let what = format!("{} ends after SIGTERM", self.name());
        let ended = eventually(&what, GRACE, async || self.exit_status()?.context("it still runs")).await;
        match ended {
            Ok(status) => {
                *self.process() = None;
                self.record()?;
                Ok(status)
            }
            Err(_) => self.kill(),
        }
    }

    /// SIGTERM, and waits for its end without a runtime. Nothing where it does not run.
    ///
    /// # Errors
    /// When it cannot be signalled, or goes on.
    pub fn stop_blocking(&self) -> anyhow::Result<()> {
        let mut held = self.process();
        let Some(process) = held.as_mut() else { return Ok(()) };
        process.signal(Signal::TERM)?;
        process.wait(GRACE)?.with_context(|| format!("{} goes on after SIGTERM", self.name()))?;
        *held = None;
        Ok(())
    }

    /// SIGKILL, and waits until it is gone. Returns how it ended.
    ///
    /// # Errors
    /// When it does not run or cannot be signalled.
    pub fn kill(&self) -> anyhow::Result<ExitStatus> {
        let mut held = self.process();
        let process = held.as_mut().with_context(|| format!("{} does not run", self.name()))?;
        process.signal(Signal::KILL)?;
        let status = process.wait(KILL)?.with_context(|| format!("{} survived SIGKILL", self.name()))?;
        *held = None;
        drop(held);
        self.record()?;
        Ok(status)
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT: it goes on.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    /// Stops it, starts it again and waits until it is ready.
    ///
    /// # Errors
    /// As [`Part::stop`] and [`Part::start`].
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.stop().await?;
        self.start().await
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let mut held = self.process();
        let process = held.as_mut().with_context(|| format!("{} does not run", self.name()))?;
        process.signal(signal).with_context(|| format!("cannot signal {}", self.name()))
    }

    fn exit_status(&self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.process().as_mut().map_or(Ok(Some(ExitStatus::default())), Process::exited)?)
    }

    /// Resolves, with an error, when the process ends.
    async fn ended(&self) -> anyhow::Result<()> {
        let what = format!("{} ends", self.name());
        let _ = eventually(&what, 2 * PATIENCE, async || {
            anyhow::ensure!(!self.is_running());
            Ok(())
        })
        .await;
        anyhow::bail!("{} ended before it was ready", self.name())
    }
}

impl Drop for Part {
    /// Ends what would otherwise end only with us. A detached part goes on.
    fn drop(&mut self) {
        if self.lifetime == Lifetime::Ours {
            let _ = self.kill();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(dir: &tempfile::TempDir, script: &str) -> Part {
        let spec = Spec {
            name: "shell".into(),
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: vec![],
            log: dir.path().join("log"),
        };
        Part::new(spec, None, Lifetime::Ours)
    }

    #[tokio::test]
    async fn a_part_stops_is_killed_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let part = part(&dir, "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done");
        part.start().await.unwrap();
        eventually("the shell is up", PATIENCE, async || {
            anyhow::ensure!(part.log() == "up\n");
            Ok(())
        })
        .await
        .unwrap();
        part.freeze().unwrap();
        assert_eq!(part.stop().await.unwrap().code(), Some(3));
        assert!(!part.is_running() && part.pid().is_none());
        part.start().await.unwrap();
        let first = part.pid().unwrap();
        assert_eq!(part.kill().unwrap().code(), None);
        assert!(part.kill().is_err());
        part.start().await.unwrap();
        assert_ne!(part.pid().unwrap(), first);
    }

    #[tokio::test]
    async fn a_part_that_ends_at_once_is_reported_with_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut part = part(&dir, "echo no such file; exit 1");
        part.endpoint = Some(Endpoint::http(crate::ports::free_port().unwrap(), "/"));
        let started = std::time::Instant::now();
        let said = format!("{:#}", part.start().await.unwrap_err());
        assert!(said.contains("no such file") && said.contains("ended before"), "{said}");
        assert!(started.elapsed() < PATIENCE / 2);
    }
}
