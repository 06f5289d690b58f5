//! The command line of `testbed`.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::play;

/// A real control plane with Roadstead on loopback, without containers.
#[derive(Debug, Parser)]
#[command(name = "testbed", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    /// Folder of the running cluster [default: .testbed in the checkout; of `node`: .cluster]
    #[arg(long, env = "ROADSTEAD_TESTBED", global = true)]
    folder: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a cluster with Roadstead; prints, last, the environment to use it with
    Up(Up),
    /// Stop it and remove what it left
    Down,
    /// Stop one part
    Stop {
        /// Name of the part, as `status` shows it
        part: String,
    },
    /// Start one part again
    Start {
        /// Name of the part, as `status` shows it
        part: String,
    },
    /// Show the parts
    Status,
    /// Tell the story of a change, on a cluster of its own that is gone at the end
    Demo,
    /// Let users act at random and faults happen, and check what came of it
    Chaos(testbed::chaos::Chaos),
    /// A cluster with one real node, whose pods run
    Node {
        /// What to do with it
        #[command(subcommand)]
        what: testbed::node::Command,
    },
    /// Measure; prints lines `figure <name> <value> <unit>`
    Bench {
        /// What to measure
        #[command(subcommand)]
        what: testbed::bench::Bench,
    },
}

/// How a cluster is started.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Up {
    /// Parts that are not started; `start` does
    #[arg(long, value_delimiter = ',', value_name = "PART")]
    pub(crate) without: Vec<Optional>,
    /// Rollouts in flight at a time
    #[arg(long)]
    pub(crate) slots: Option<u32>,
    /// Leave kube-controller-manager its default limits: 20 queries a second, burst 30
    #[arg(long)]
    pub(crate) default_limits: bool,
}

/// A part that a cluster can be without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Optional {
    /// Holds changes and guards the gate.
    Webhook,
    /// Releases them.
    Executor,
    /// The queue.
    Nats,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let default = match &args.command {
        Command::Node { .. } => ".cluster",
        _ => ".testbed",
    };
    let folder = args.folder.unwrap_or_else(|| play::in_checkout(default));
    match args.command {
        Command::Up(up) => play::up(&folder, &up).await,
        Command::Down => play::down(&folder),
        Command::Stop { part } => play::stop(&folder, &part).await,
        Command::Start { part } => play::start(&folder, &part).await,
        Command::Status => play::status(&folder).await,
        Command::Demo => testbed::demo::run().await,
        Command::Chaos(chaos) => Box::pin(chaos.run()).await,
        Command::Bench { what } => what.run().await,
        Command::Node { what } => Box::pin(what.run(&folder)).await,
    }
}
