//! What can be typed after `history`.

use clap::{Args, ValueEnum};

use crate::{args::Cluster, moment::Moment, nats::Reach};

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct History {
    /// Only this Deployment.
    #[arg(conflicts_with = "all_namespaces")]
    pub name: Option<String>,
    /// Every namespace.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Events since then: so long ago (30m, 2d), or a moment (2026-01-01T10:00:00Z). They are kept for 30 days.
    #[arg(long, default_value = "7d")]
    pub since: Moment,
    /// How to print.
    #[arg(short = 'o', long, value_enum)]
    pub output: Option<HistoryOutput>,
    /// Where to look.
    #[command(flatten)]
    pub cluster: Cluster,
    /// The way to the events.
    #[command(flatten)]
    pub reach: Reach,
}

/// How `history` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HistoryOutput {
    /// A list of changes.
    Json,
}
