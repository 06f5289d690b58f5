//! Brings an account's token to running servers, as the user `certs` of the account of the servers. Each server that
//! hears of it closes the connections of whom it revokes.
//! <https://docs.nats.io/running-a-nats-service/configuration/securing_nats/jwt/resolver>

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use certs::nats::Folder;
use contract::access::Role;
use serde_json::Value;

/// Longest wait for a server to answer, connecting included.
const PATIENCE: Duration = Duration::from_secs(15);

/// How to reach the servers.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Servers {
    /// URLs of the NATS servers, separated by commas
    #[arg(long = "nats-url", env = "ROADSTEAD_NATS_URL", value_delimiter = ',')]
    urls: Vec<String>,
    /// File with the certificate authorities that the servers' certificates are checked against
    #[arg(long = "nats-ca", env = "ROADSTEAD_NATS_CA")]
    ca: Option<PathBuf>,
}

impl Servers {
    pub(crate) fn is_none(&self) -> bool {
        self.urls.is_empty()
    }
}

/// Brings the token, and waits for a server's word that it is taken.
pub(crate) fn push(folder: &Folder, token: &str, servers: &Servers) -> anyhow::Result<()> {
    ensure!(!servers.is_none(), "name the servers by --nats-url");
    let nats = ops::args::Nats {
        urls: servers.urls.clone(),
        creds: Some(folder.component(Role::Certs)),
        ca: servers.ca.clone(),
        ..ops::args::Nats::default()
    };
    let update = async {
        let client = ops::nats::connect(&nats, Role::Certs, "").await?;
        let answer = client.request("$SYS.REQ.CLAIMS.UPDATE", token.to_owned().into()).await?;
        let answer: Value =
            serde_json::from_slice(&answer.payload).context("the server's answer is no JSON")?;
        ensure!(answer["data"]["code"] == 200, "the server does not take the account: {answer}");
        Ok(())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let updated = runtime.block_on(async { tokio::time::timeout(PATIENCE, update).await });
    updated.context("no server answers; check --nats-url, --nats-ca and that it runs")?
}
