//! What can be typed after `uninstall`.

use std::time::Duration;

use clap::Args;
use ops::args::Nats;

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
    /// Remove the queue and the history, too: the volumes of the release's own NATS, and its keys; or, where `--nats-creds`
    /// or another way into it is given, the streams of an external one.
    #[arg(long)]
    pub streams: bool,
    /// Remove the definitions of policies and freezes, too, and so every policy and freeze in the cluster.
    #[arg(long)]
    pub crds: bool,
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
    /// Name of this cluster in NATS (the chart value `cluster`).
    #[arg(long, env = "ROADSTEAD_CLUSTER", default_value = "default", help_heading = EXTERNAL)]
    pub nats_cluster: String,
    /// The NATS that the streams are in.
    #[command(flatten, next_help_heading = EXTERNAL)]
    pub nats: Nats,
}

const EXTERNAL: &str = "Streams of an external NATS, with --streams";
