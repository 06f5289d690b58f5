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
    /// File with the serving certificate and its chain (PEM); without a usable one the webhook is not ready
    #[arg(long, env = "ROADSTEAD_TLS_CERT")]
    pub tls_cert: PathBuf,
    /// File with the serving certificate's private key (PEM)
    #[arg(long, env = "ROADSTEAD_TLS_KEY")]
    pub tls_key: PathBuf,
    /// How often the two files are read again
    #[arg(long, env = "ROADSTEAD_TLS_RELOAD", default_value = "5s")]
    pub tls_reload: humantime::Duration,
    /// File with the certificate authorities that clients (the API server) must have a certificate of; none: anybody
    /// may ask
    #[arg(long, env = "ROADSTEAD_CLIENT_CA")]
    pub client_ca: Option<PathBuf>,
    /// How long reviews are answered after the process was told to stop, so that endpoints catch up
    #[arg(long, env = "ROADSTEAD_SHUTDOWN_DELAY", default_value = "5s")]
    pub shutdown_delay: humantime::Duration,
    /// Whether clients are told in a warning that their change waits
    #[arg(long, env = "ROADSTEAD_WARNINGS", default_value = "true", action = clap::ArgAction::Set)]
    pub warnings: bool,
}
