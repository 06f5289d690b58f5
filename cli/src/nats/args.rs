//! What can be typed about the way to NATS, and which release's it is.

use clap::Args;

use crate::uninstall::Release;

/// Heading of these flags in the help.
const HEADING: &str = "The way to NATS; without it, by a port-forward to the NATS of the release";

/// Which release, and how its NATS is reached.
#[derive(Debug, Args)]
pub struct Reach {
    /// Name of the release.
    #[arg(long, default_value = "roadstead")]
    pub release: String,
    /// Namespace of the release.
    #[arg(long, default_value = "roadstead")]
    pub release_namespace: String,
    /// Beginning of the names of its objects, where the chart value `fullnameOverride` says it.
    #[arg(long)]
    pub fullname: Option<String>,
    /// Name of this cluster in NATS (the chart value `cluster`); by default what the credentials are for.
    #[arg(long, env = "ROADSTEAD_CLUSTER", help_heading = HEADING)]
    pub nats_cluster: Option<String>,
    /// How to connect.
    #[command(flatten, next_help_heading = HEADING)]
    pub nats: ops::args::Nats,
}

impl Reach {
    /// The release.
    #[must_use]
    pub fn release(&self) -> Release {
        Release::new(&self.release, &self.release_namespace, self.fullname.as_deref())
    }
}
