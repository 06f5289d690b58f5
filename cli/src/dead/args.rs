//! What can be typed after `dead`.

use clap::{Args, Subcommand, ValueEnum};

use crate::{
    args::{Access, Cluster},
    nats::Reach,
};

/// Arguments of `dead`.
#[derive(Debug, Args)]
pub struct Dead {
    /// What to do with them.
    #[command(subcommand)]
    pub verb: DeadVerb,
}

/// What to do with changes that were given up.
#[derive(Debug, Subcommand)]
pub enum DeadVerb {
    /// Show the changes that were given up.
    List(List),
    /// Show what is known of one: why, how often it was tried, and the message itself.
    Show(Show),
    /// Let one wait again, with as many attempts as the first time.
    Replay(Replay),
    /// Delete the dead letters of a Deployment from NATS. The change stays given up.
    Drop(DropLetters),
}

/// Arguments of `dead list`.
#[derive(Debug, Args)]
pub struct List {
    /// Every namespace.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// How to print.
    #[arg(short = 'o', long, value_enum)]
    pub output: Option<DeadOutput>,
    /// Where to look.
    #[command(flatten)]
    pub cluster: Cluster,
    /// The way to the events.
    #[command(flatten)]
    pub reach: Reach,
}

/// Arguments of `dead show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The Deployment.
    pub name: String,
    /// The namespace; by default that of the context.
    #[arg(short = 'n', long)]
    pub namespace: Option<String>,
    /// How to print.
    #[arg(short = 'o', long, value_enum)]
    pub output: Option<DeadOutput>,
    /// Which cluster, as whom.
    #[command(flatten)]
    pub access: Access,
    /// The way to the letters.
    #[command(flatten)]
    pub reach: Reach,
}

/// Arguments of `dead replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The Deployment.
    pub name: String,
    /// The namespace; by default that of the context.
    #[arg(short = 'n', long)]
    pub namespace: Option<String>,
    /// Which cluster, as whom.
    #[command(flatten)]
    pub access: Access,
}

/// Arguments of `dead drop`.
#[derive(Debug, Args)]
pub struct DropLetters {
    /// The Deployment.
    pub name: String,
    /// The namespace; by default that of the context.
    #[arg(short = 'n', long)]
    pub namespace: Option<String>,
    /// Do not ask.
    #[arg(short = 'y', long)]
    pub yes: bool,
    /// Which cluster, as whom.
    #[command(flatten)]
    pub access: Access,
    /// The way to the letters.
    #[command(flatten)]
    pub reach: Reach,
}

/// How `dead` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeadOutput {
    /// For programs.
    Json,
}
