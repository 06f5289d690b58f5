//! What can be typed after `events`.

use clap::{Args, ValueEnum};

use crate::{args::Cluster, moment::Moment, nats::Reach};

/// Arguments of `events`.
#[derive(Debug, Args)]
pub struct Events {
    /// Only of this Deployment.
    #[arg(conflicts_with = "all_namespaces")]
    pub name: Option<String>,
    /// Every namespace.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Go on with what happens from now on, until interrupted.
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// Begin with what was kept since then: so long ago (30m, 2d), or a moment (2026-01-01T10:00:00Z). Without it: the
    /// last hour; with -f: now.
    #[arg(long)]
    pub since: Option<Moment>,
    /// How far rollouts are as well, as it changes.
    #[arg(long)]
    pub progress: bool,
    /// How to print.
    #[arg(short = 'o', long, value_enum)]
    pub output: Option<EventsOutput>,
    /// Where to look.
    #[command(flatten)]
    pub cluster: Cluster,
    /// The way to the events.
    #[command(flatten)]
    pub reach: Reach,
}

/// How `events` prints: one event a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EventsOutput {
    /// All of it, as it is on NATS.
    Cloudevents,
    /// Its `data`, with `time`.
    Json,
}
