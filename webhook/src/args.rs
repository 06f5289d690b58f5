//! Arguments of the webhook; every flag is also an environment variable.

use std::{net::SocketAddr, path::PathBuf};

use ops::args::Common;

/// Admission webhook of Roadstead: holds Deployment changes, guards the gate, fills the queue
#[derive(Clone, Debug, clap::Parser)]
#[command(version, name = "roadstead-webhook")]
pub struct Args {
    /// Arguments of every workload
    #[command(flatten)]
    pub common: Common,
    /// Address that the API server calls
    #[arg(long, env = "ROADSTEAD_LISTEN", default_value = "0.0.0.0:8443")]
    pub listen: SocketAddr,
    /// File with the serving certificate and its chain (PEM); read again every few seconds
    #[arg(long, env = "ROADSTEAD_TLS_CERT")]
    pub tls_cert: PathBuf,
    /// File with the serving certificate's private key (PEM)
    #[arg(long, env = "ROADSTEAD_TLS_KEY")]
    pub tls_key: PathBuf,
    /// Whether clients are told in a warning that their change waits
    #[arg(long, env = "ROADSTEAD_WARNINGS", default_value = "true", action = clap::ArgAction::Set)]
    pub warnings: bool,
    /// User name of the executor, in whose name an administrator lifts a quarantine
    #[arg(
        long,
        env = "ROADSTEAD_EXECUTOR_USERNAME",
        default_value = "system:serviceaccount:roadstead:roadstead-executor"
    )]
    pub executor_username: String,
}
