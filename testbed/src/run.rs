//! Commands that a test runs as a person would: kubectl, Helm, the NATS command line. Each has a deadline
//! and ends with us.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::process::{dies_with_us, inherited};

/// How long a command may take.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// How a command ended and what it said.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command line, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

/// A command that is run with the same environment each time.
#[derive(Clone, Debug)]
pub struct Tool {
    /// The binary.
    pub program: PathBuf,
    /// Arguments before those of a call.
    pub args: Vec<String>,
    /// Environment, beside a few inherited variables.
    pub env: Vec<(String, String)>,
}

impl Tool {
    /// Runs it with these arguments and waits for its end.
    ///
    /// # Errors
    /// When it cannot be started or does not end in time. An exit code other than 0 is no error here.
    pub async fn run(&self, args: &[&str], stdin: Option<&str>) -> anyhow::Result<Output> {
        self.run_within(DEADLINE, args, stdin).await
    }

    /// As [`Tool::run`], for what takes longer.
    ///
    /// # Errors
    /// As [`Tool::run`].
    pub async fn run_within(
        &self,
        limit: Duration,
        args: &[&str],
        stdin: Option<&str>,
    ) -> anyhow::Result<Output> {
        let mut command = Command::from(dies_with_us(&self.program));
        command.args(&self.args).args(args).env_clear().envs(inherited()).envs(self.env.iter().cloned());
        command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let name = self.program.file_name().unwrap_or_default().to_string_lossy();
        let line = format!("{name} {}", args.join(" "));
        let began = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start {line}"))?;
        let input = child.stdin.take().zip(stdin.map(str::to_owned));
        let feed = async {
            if let Some((mut pipe, text)) = input {
                // A command that does not read all of it says why by its exit code.
                let _ = pipe.write_all(text.as_bytes()).await;
            }
        };
        let ended = async { tokio::join!(feed, child.wait_with_output()).1 };
        let Ok(ended) = tokio::time::timeout(limit, ended).await else {
            bail!("{line}: did not end within {limit:?}");
        };
        let ended = ended.with_context(|| format!("cannot run {line}"))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Output {
            command: line,
            status: ended.status,
            stdout: text(ended.stdout),
            stderr: text(ended.stderr),
            took: began.elapsed(),
        })
    }
}

impl Output {
    /// Whether the exit code was 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// What it wrote to stdout.
    ///
    /// # Errors
    /// When the exit code was not 0; with all that it said.
    pub fn ok(self) -> anyhow::Result<String> {
        if !self.success() {
            bail!("{self}");
        }
        Ok(self.stdout)
    }

    /// What it wrote to stderr, of a command that had to fail.
    ///
    /// # Errors
    /// When the exit code was 0; with all that it said.
    pub fn refused(self) -> anyhow::Result<String> {
        if self.success() {
            bail!("should have failed: {self}");
        }
        Ok(self.stderr)
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, status, stdout, stderr, took } = self;
        write!(f, "{command}: {status} after {took:.1?}\n{stdout}{stderr}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell() -> Tool {
        let env = vec![("A".to_owned(), "b".to_owned())];
        Tool { program: "/bin/sh".into(), args: vec!["-c".into()], env }
    }

    #[tokio::test]
    async fn a_command_gets_its_input_and_environment_and_its_streams_are_kept_apart() {
        let output = shell().run(&["cat; echo $A; echo oops >&2"], Some("in ")).await.unwrap();
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("in b\n", "oops\n"));
        assert_eq!(output.ok().unwrap(), "in b\n");
    }

    #[tokio::test]
    async fn a_command_that_fails_is_an_error_only_where_it_should_succeed() {
        let output = shell().run(&["echo no >&2; exit 3"], None).await.unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(output.clone().refused().unwrap(), "no\n");
        assert!(output.ok().unwrap_err().to_string().contains("no\n"));
        assert!(shell().run(&["true"], None).await.unwrap().refused().is_err());
    }
}
