//! What can be typed after `self-test`.

use std::time::Duration;

use clap::Args;

use crate::args::Access;

/// Arguments of `self-test`.
#[derive(Debug, Args)]
pub struct SelfTest {
    /// A namespace that is opted in; by default that of the context. No pod is started there.
    #[arg(short = 'n', long)]
    pub namespace: Option<String>,
    /// How long the change may take, the wait for its turn included.
    #[arg(long, default_value = "2m", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// Namespace of the release: looked into when the test fails.
    #[arg(long, default_value = "roadstead")]
    pub release_namespace: String,
    /// Name of the release.
    #[arg(long, default_value = "roadstead")]
    pub release: String,
    /// Beginning of the names of its objects, where the chart value `fullnameOverride` says it.
    #[arg(long)]
    pub fullname: Option<String>,
    /// Which cluster, as whom.
    #[command(flatten)]
    pub access: Access,
}
