//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::callout::Callout;
use crate::identities::Nats;

/// Certificates of Roadstead.
#[derive(Debug, Parser)]
#[command(name = "roadstead-certs", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a certificate authority and the webhook's certificate: ca.crt, ca.key, tls.crt, tls.key
    ///
    /// Files that are there and good are kept. The webhook configurations need ca.crt as their caBundle.
    Tls(Tls),
    /// Keep the webhook's certificate in a Secret and the caBundle of the webhook configurations; runs until stopped
    ///
    /// A new authority is trusted everywhere before it signs, so that nobody notices. Any number of these may run.
    Rotate(Box<crate::rotate::Rotate>),
    /// Make and look after the identities of NATS: who may publish and subscribe what
    #[command(subcommand)]
    Nats(Nats),
    /// Answer for NATS servers that ask who a client is that presents a ServiceAccount's token
    Callout(Box<Callout>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Tls {
    /// Folder for the four files; made when missing
    #[arg(long, env = "ROADSTEAD_CERTS_DIR")]
    pub(crate) dir: PathBuf,
    /// DNS names the webhook is reached by, such as roadstead-webhook.roadstead.svc
    #[arg(long = "dns", num_args = 1.., value_delimiter = ',', env = "ROADSTEAD_CERTS_DNS")]
    pub(crate) dns: Vec<String>,
    /// IP addresses the webhook is reached by
    #[arg(long = "ip", num_args = 1.., value_delimiter = ',', env = "ROADSTEAD_CERTS_IP")]
    pub(crate) ip: Vec<IpAddr>,
    /// How long the authority is valid
    #[arg(long, value_parser = humantime::parse_duration, default_value = "10years")]
    pub(crate) authority_life: Duration,
    /// How long the webhook's certificate is valid (never longer than the authority)
    #[arg(long, value_parser = humantime::parse_duration, default_value = "1year")]
    pub(crate) life: Duration,
}
