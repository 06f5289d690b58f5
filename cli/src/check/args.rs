//! What can be typed after `check`.

use clap::{Args, ValueEnum};

use crate::{args::Access, nats::Reach};

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Before an install: whether the cluster and your rights will do.
    #[arg(long)]
    pub pre: bool,
    /// How to print.
    #[arg(short = 'o', long, value_enum)]
    pub output: Option<CheckOutput>,
    /// Which release.
    #[command(flatten)]
    pub reach: Reach,
    /// Which cluster, as whom.
    #[command(flatten)]
    pub access: Access,
}

/// How `check` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckOutput {
    /// A report of findings.
    Json,
}
