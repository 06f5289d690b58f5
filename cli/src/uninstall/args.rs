//! What can be typed after `uninstall`.

use std::time::Duration;

use clap::Args;

use crate::args::Access;

/// Arguments of `uninstall`.
#[derive(Debug, Args)]
pub struct Uninstall {
    /// Namespace of the release. It may be gone already: then what the release left in the cluster goes as well.
    #[arg(short = 'n', long, default_value = "roadstead")]
    pub namespace: String,
    /// Name of the release.
    #[arg(long, default_value = "roadstead")]
    pub release: String,
    /// Beginning of the names of its objects, where the chart value `fullnameOverride` says it.
    #[arg(long)]
    pub fullname: Option<String>,
    /// Open gates in these namespaces only: for a release with `namespaces`, and for who may not list Deployments of
    /// the whole cluster.
    #[arg(long, value_delimiter = ',', value_name = "NAMESPACE,…")]
    pub namespaces: Vec<String>,
    /// Remove the queue and the history, too: the volumes of the release's own NATS, and its keys.
    #[arg(long)]
    pub streams: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// How long it may take; what is left by then is printed.
    #[arg(long, default_value = "4m", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// How long the pods of the executor may take to end. A pod of a dead node never does.
    #[arg(long, default_value = "45s", value_parser = humantime::parse_duration)]
    pub pods_timeout: Duration,
    /// Which cluster, as whom.
    #[command(flatten)]
    pub access: Access,
}
