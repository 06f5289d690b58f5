//! What can be typed. Words and short forms are those of kubectl.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::{
    check::Check,
    dead::Dead,
    events::Events,
    freeze::{Freeze, Pause, Resume, Thaw},
    history::History,
    replay::Replay,
    self_test::SelfTest,
    steer::args::{Approve, Cancel, Release, Retry, Rollback},
    uninstall::Uninstall,
};

/// The end of the long help: scripts rely on these numbers.
const EXIT_CODES: &str = "\
Exit codes:
  0  done; also when nothing waits
  1  the API server refused or failed, or the answer could not be written
  2  what was typed makes no sense
  3  what is named does not exist: a namespace, a Deployment, a change that waits, a freeze
  4  you are not allowed to, or not logged in
  5  no connection: no usable kubeconfig, or the API server does not answer; or NATS, where
     there is no answer without it
  6  not all of it was done or can be shown, or a check or the self-test failed: which was printed

Environment:
  KUBECONFIG  as for kubectl
  NO_COLOR    if set and not empty: no colour";

/// See and steer the queue of changes that Roadstead holds.
#[derive(Debug, Parser)]
#[command(name = "kubectl-roadstead", bin_name = "kubectl roadstead", after_long_help = EXIT_CODES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Look at what holds, releases and queues, and say what to do where it does not work.
    #[command(after_long_help = EXIT_CODES)]
    Check(Box<Check>),
    /// Show the changes that were given up, and put them back.
    #[command(after_long_help = EXIT_CODES)]
    Dead(Box<Dead>),
    /// Print the Deployments of a namespace as they were, as manifests, as far as can be told.
    #[command(after_long_help = EXIT_CODES)]
    Replay(Box<Replay>),
    /// Print what happens to changes, and go on with -f.
    #[command(after_long_help = EXIT_CODES)]
    Events(Box<Events>),
    /// Show what became of the changes of the past.
    #[command(after_long_help = EXIT_CODES)]
    History(Box<History>),
    /// Show the changes that wait, roll out or were given up.
    #[command(after_long_help = EXIT_CODES)]
    Get(Get),
    /// Approve the change that waits.
    #[command(after_long_help = EXIT_CODES)]
    Approve(Approve),
    /// Break-glass: let the change that waits through past every rule.
    #[command(after_long_help = EXIT_CODES)]
    Release(Release),
    /// Take back a change that waits: what was let through last stands there again.
    #[command(after_long_help = EXIT_CODES)]
    Cancel(Cancel),
    /// Queue a change again that was given up, or whose rollout has failed.
    #[command(after_long_help = EXIT_CODES)]
    Retry(Retry),
    /// Submit the template of an earlier change again, by default of the last that succeeded.
    #[command(after_long_help = EXIT_CODES)]
    Rollback(Rollback),
    /// Let nothing through for a while.
    #[command(after_long_help = EXIT_CODES)]
    Freeze(Box<Freeze>),
    /// End a freeze before its time; without a name, say which there are.
    #[command(after_long_help = EXIT_CODES)]
    Thaw(Thaw),
    /// Let nothing of a namespace through until somebody resumes.
    #[command(after_long_help = EXIT_CODES)]
    Pause(Box<Pause>),
    /// End a pause: that of `pause`, or that of a policy whose queue a failure has paused.
    #[command(after_long_help = EXIT_CODES)]
    Resume(Resume),
    /// Send one change through the whole path, and say which part does not do its work.
    #[command(after_long_help = EXIT_CODES)]
    SelfTest(SelfTest),
    /// Get Roadstead out of the way: open every gate and remove what holds changes.
    #[command(after_long_help = EXIT_CODES)]
    Uninstall(Box<Uninstall>),
    /// Print the version of this program.
    Version(Version),
}

/// Arguments of `get`.
#[derive(Debug, ClapArgs)]
pub struct Get {
    /// Only this Deployment.
    #[arg(conflicts_with_all = ["all_namespaces", "selector"])]
    pub name: Option<String>,
    /// Every namespace.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Only Deployments with these labels (`app=web,tier!=cache`).
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
    /// How to print: `wide` adds columns and shortens nothing, `json` is for programs, `name` for xargs.
    #[arg(short = 'o', long, value_enum)]
    pub output: Option<GetOutput>,
    /// After printing what there is, print each change of it. With `-o json`: one object a line.
    #[arg(short = 'w', long)]
    pub watch: bool,
    /// Where to look.
    #[command(flatten)]
    pub cluster: Cluster,
}

/// Which cluster, as whom and in which namespace.
#[derive(Debug, ClapArgs)]
pub struct Cluster {
    /// The namespace; by default that of the context.
    #[arg(short = 'n', long, conflicts_with = "all_namespaces")]
    pub namespace: Option<String>,
    /// Which cluster, as whom.
    #[command(flatten)]
    pub access: Access,
}

/// Which cluster, and as whom.
#[derive(Debug, ClapArgs)]
pub struct Access {
    /// The context of the kubeconfig; by default the current one.
    #[arg(long)]
    pub context: Option<String>,
    /// The kubeconfig file; by default what KUBECONFIG names, or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// How `get` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GetOutput {
    /// A table with more columns, nothing shortened.
    Wide,
    /// A list of our own rows; docs/cli.md says what their fields mean.
    Json,
    /// `deployment.apps/NAME`, one a line.
    Name,
}

/// Arguments of `version`.
#[derive(Debug, ClapArgs)]
pub struct Version {
    /// How to print.
    #[arg(short = 'o', long, value_enum)]
    pub output: Option<VersionOutput>,
}

/// How `version` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VersionOutput {
    /// An object.
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn what_can_be_typed_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_makes_no_sense_together_is_refused() {
        for typed in [
            "get web -A",
            "get web -l app=web",
            "get -A -n shop",
            "get -o yaml",
            "version -o wide",
            "uninstall shop",
            "uninstall --timeout 4",
            "self-test -A",
            "approve",
            "approve web -l app=web",
            "approve -l app=web --change abcdefghij",
            "approve pod/web",
            "approve web --change X",
            "cancel web --dry-run",
            "release web",
            "retry ../web",
            "rollback",
            "rollback web --to abcdefghij --to-revision 2",
            "freeze --reason sale",
            "freeze --for 2h",
            "pause",
            "pause --reason sale --cluster -n shop",
            "resume --change abcdefghij",
        ] {
            let words = ["kubectl-roadstead"].into_iter().chain(typed.split(' '));
            let error = Args::try_parse_from(words).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{typed}");
        }
    }
}
