//! `roadstead-certs nats keep`: its arguments, and the order of start-up and shutdown.

use std::time::Duration;

use certs::keep::{Installation, Keeper, Lives, Metrics};
use ops::{admin, args::DnsLabel, kubernetes};

use crate::running::{Running, check_lives};

/// Arguments of `roadstead-certs nats keep`. The chart sets them, as environment variables, by a ConfigMap.
#[derive(Debug, clap::Args)]
pub(crate) struct Keep {
    /// Namespace of the Secrets, and of the NATS servers
    #[arg(long, env = "ROADSTEAD_NAMESPACE")]
    namespace: DnsLabel,
    /// Name of the cluster that users belong to
    #[arg(long, env = "ROADSTEAD_CLUSTER", default_value = "default")]
    cluster: DnsLabel,
    /// What the names of the Secrets and of the servers begin with
    #[arg(long, env = "ROADSTEAD_CERTS_NATS_PREFIX", default_value = "roadstead")]
    prefix: DnsLabel,
    /// URLs of the NATS servers, separated by commas
    #[arg(long = "nats-url", env = "ROADSTEAD_NATS_URL", value_delimiter = ',')]
    urls: Vec<String>,
    /// Each NATS server as the others reach it, separated by commas: a name or an address; a port where it is not 6222
    #[arg(long, env = "ROADSTEAD_CERTS_NATS_HOSTS", value_delimiter = ',')]
    hosts: Vec<String>,
    /// Folder in which each server keeps the accounts, as the server sees it
    #[arg(long, env = "ROADSTEAD_CERTS_NATS_ACCOUNTS", default_value = "/accounts")]
    accounts_dir: String,
    /// Folder with the files of the servers' Secret, as a server sees it
    #[arg(long, env = "ROADSTEAD_CERTS_NATS_CONFIG", default_value = "/etc/nats")]
    config_dir: String,
    /// How long a component's credentials are valid; at two thirds of it the next ones are made
    #[arg(long, value_parser = humantime::parse_duration, default_value = "30days", env = "ROADSTEAD_CERTS_NATS_LIFE")]
    life: Duration,
    /// How long an authority for the servers' certificate is valid; at two thirds of it the next one is made
    #[arg(long, value_parser = humantime::parse_duration, default_value = "1year", env = "ROADSTEAD_CERTS_NATS_AUTHORITY_LIFE")]
    authority_life: Duration,
    /// How long the servers' certificate is valid; at two thirds of it the next one is signed
    #[arg(long, value_parser = humantime::parse_duration, default_value = "30days", env = "ROADSTEAD_CERTS_NATS_CERTIFICATE_LIFE")]
    certificate_life: Duration,
    /// How long after a new authority was handed out it signs: longer than any kubelet needs to bring it
    #[arg(long, value_parser = humantime::parse_duration, default_value = "1h", env = "ROADSTEAD_CERTS_NATS_SETTLE")]
    settle: Duration,
    #[command(flatten)]
    running: Running,
}

/// Keeps until told to stop.
pub(crate) async fn run(args: Keep) -> anyhow::Result<()> {
    args.running.log()?;
    check(&args)?;
    let mut registry = admin::registry(env!("CARGO_PKG_VERSION"));
    let metrics = Metrics::register(&mut registry);
    let (mut tasks, readiness, ready) = args.running.admin(registry, "the identities of NATS").await?;
    let client = kubernetes::client("roadstead-certs").await?;
    let keeper = Keeper::new(client, args.installation(), args.lives(), metrics);
    tasks.spawn("identities of NATS", keeper.run(ready, tasks.stop()));
    Ok(tasks.run(&readiness).await?)
}

/// What would go wrong only weeks from now.
fn check(args: &Keep) -> anyhow::Result<()> {
    check_lives(args.settle, args.authority_life, ("--certificate-life", args.certificate_life))?;
    // A token's time is counted in seconds, and a third of it is left to those who read it late.
    anyhow::ensure!(args.life >= Duration::from_secs(3), "--life must be at least 3 s");
    let plain = |text: &str| !text.contains(['"', '\\', '\n']);
    anyhow::ensure!(
        args.hosts.iter().chain([&args.accounts_dir, &args.config_dir]).all(|text| plain(text)),
        "--hosts, --accounts-dir and --config-dir are written into a configuration: no quotes, backslashes or line ends"
    );
    args.installation().certificate(args.certificate_life).check()?;
    Ok(())
}

impl Keep {
    fn installation(&self) -> Installation {
        // A list that is made by a template may have empty ends.
        let named = |list: &[String]| list.iter().filter(|name| !name.is_empty()).cloned().collect();
        Installation {
            namespace: self.namespace.as_str().to_owned(),
            prefix: self.prefix.as_str().to_owned(),
            cluster: self.cluster.as_str().to_owned(),
            urls: named(&self.urls),
            hosts: named(&self.hosts),
            accounts: self.accounts_dir.clone(),
            config: self.config_dir.clone(),
        }
    }

    fn lives(&self) -> Lives {
        Lives {
            credentials: self.life,
            authority: self.authority_life,
            certificate: self.certificate_life,
            settle: self.settle,
        }
    }
}
