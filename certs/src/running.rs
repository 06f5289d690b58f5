//! What every command does that runs until it is stopped: its log, and its admin endpoint.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use ops::{
    admin,
    log::Format,
    readiness::{Handle, Readiness},
    tasks::Tasks,
};
use prometheus_client::registry::Registry;

/// Arguments of every such command.
#[derive(Debug, clap::Args)]
pub(crate) struct Running {
    /// Address of /livez, /readyz and /metrics
    #[arg(long, env = "ROADSTEAD_ADMIN_LISTEN", default_value = "0.0.0.0:9090")]
    admin_listen: SocketAddr,
    /// Log lines for people or for machines
    #[arg(long, env = "ROADSTEAD_LOG_FORMAT", default_value = "text")]
    log_format: Format,
    /// What is logged, for example `info` or `certs=debug,info`
    #[arg(long, env = "ROADSTEAD_LOG", default_value = "info")]
    log: String,
}

impl Running {
    /// Starts the log, before anything else.
    pub(crate) fn log(&self) -> anyhow::Result<()> {
        ops::log::start(self.log_format, &self.log).context("--log is no filter")
    }

    /// Starts the admin endpoint; the process is not ready while the handle is held, which is for this part.
    pub(crate) async fn admin(
        &self,
        registry: Registry,
        part: &'static str,
    ) -> anyhow::Result<(Tasks, Readiness, Handle)> {
        let (readiness, mut tasks) = (Readiness::default(), Tasks::default());
        let ready = readiness.wait_for(part);
        let listener = admin::bind(self.admin_listen).await?;
        let serve = admin::serve(listener, readiness.clone(), registry, tasks.stop());
        tasks.spawn("admin endpoint", serve);
        Ok((tasks, readiness, ready))
    }
}

/// What would go wrong only weeks from now. `flag` is that of the certificate's life.
pub(crate) fn check_lives(
    settle: Duration,
    authority: Duration,
    (flag, certificate): (&str, Duration),
) -> anyhow::Result<()> {
    // The last third of an authority's life is left to those who do not trust the next one yet.
    anyhow::ensure!(
        settle < authority / 3,
        "--settle must be less than a third of --authority-life: the next authority would not sign in time"
    );
    anyhow::ensure!(
        certificate <= authority,
        "{flag} must not be more than --authority-life: no certificate outlives its authority"
    );
    Ok(())
}
