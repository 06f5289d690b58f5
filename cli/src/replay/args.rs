//! What can be typed after `replay`.

use clap::Args;

use crate::{args::Access, moment::Moment, nats::Reach};

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The moment: so long ago (30m, 2d), or a time (2026-01-01T10:00:00Z).
    #[arg(long)]
    pub at: Moment,
    /// The namespace; by default that of the context.
    #[arg(short = 'n', long)]
    pub namespace: Option<String>,
    /// Which cluster, as whom.
    #[command(flatten)]
    pub access: Access,
    /// The way to the events.
    #[command(flatten)]
    pub reach: Reach,
}
