//! `roadstead-certs rotate`: its arguments, and the order of start-up and shutdown.

use std::net::IpAddr;
use std::time::Duration;

use certs::rotation::{Cluster, Metrics, Names, Rotator};
use certs::tls::{LeafRequest, Usage};
use ops::{admin, kubernetes};

use crate::running::{Running, check_lives};

/// Arguments of `roadstead-certs rotate`. The chart sets them, as environment variables, by a ConfigMap.
#[derive(Debug, clap::Args)]
pub(crate) struct Rotate {
    /// Namespace of the two Secrets
    #[arg(long, env = "ROADSTEAD_NAMESPACE")]
    namespace: String,
    /// Secret with the authorities and their keys; made when missing
    #[arg(long, env = "ROADSTEAD_CERTS_AUTHORITIES")]
    authorities: String,
    /// Secret with the webhook's certificate, of type kubernetes.io/tls; made when missing
    #[arg(long, env = "ROADSTEAD_CERTS_LEAF")]
    leaf: String,
    /// Name of the mutating webhook configuration whose caBundle is kept
    #[arg(long, env = "ROADSTEAD_CERTS_HOLD")]
    hold: String,
    /// Name of the validating webhook configuration whose caBundle is kept
    #[arg(long, env = "ROADSTEAD_CERTS_GATE")]
    gate: String,
    /// DNS names the webhook is reached by, such as roadstead-webhook.roadstead.svc
    #[arg(long = "dns", num_args = 1.., value_delimiter = ',', env = "ROADSTEAD_CERTS_DNS")]
    dns: Vec<String>,
    /// IP addresses the webhook is reached by
    #[arg(long = "ip", num_args = 1.., value_delimiter = ',', env = "ROADSTEAD_CERTS_IP")]
    ip: Vec<IpAddr>,
    /// How long an authority is valid; at two thirds of it the next one is made
    #[arg(long, value_parser = humantime::parse_duration, default_value = "1year", env = "ROADSTEAD_CERTS_AUTHORITY_LIFE")]
    authority_life: Duration,
    /// How long the webhook's certificate is valid; at two thirds of it the next one is signed
    #[arg(long, value_parser = humantime::parse_duration, default_value = "7days", env = "ROADSTEAD_CERTS_LIFE")]
    life: Duration,
    /// How long after a new authority was published it signs: longer than any API server needs to hear of it
    #[arg(long, value_parser = humantime::parse_duration, default_value = "1min", env = "ROADSTEAD_CERTS_SETTLE")]
    settle: Duration,
    #[command(flatten)]
    running: Running,
}

/// Rotates until told to stop.
pub(crate) async fn run(args: Rotate) -> anyhow::Result<()> {
    args.running.log()?;
    let leaf = args.leaf_request();
    leaf.check()?;
    check_lives(args.settle, args.authority_life, ("--life", args.life))?;
    let mut registry = admin::registry(env!("CARGO_PKG_VERSION"));
    let metrics = Metrics::register(&mut registry);
    let (mut tasks, readiness, ready) = args.running.admin(registry, "the certificates").await?;
    let names = Names {
        namespace: args.namespace,
        authorities: args.authorities,
        leaf: args.leaf,
        hold: args.hold,
        gate: args.gate,
    };
    let cluster = Cluster::new(kubernetes::client("roadstead-certs").await?, names);
    let rotator = Rotator::new(cluster, leaf, args.authority_life, args.settle, metrics);
    tasks.spawn("rotation", rotator.run(ready, tasks.stop()));
    Ok(tasks.run(&readiness).await?)
}

impl Rotate {
    fn leaf_request(&self) -> LeafRequest {
        LeafRequest {
            common_name: crate::run::LEAF_NAME.to_owned(),
            organizations: vec![],
            dns_names: self.dns.clone(),
            ips: self.ip.clone(),
            usage: Usage::Server,
            life: self.life,
        }
    }
}
