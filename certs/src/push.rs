//! Brings an account's token to running servers, on the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use certs::nats::{self, Folder};
use contract::access::Role;

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

/// Brings the tokens, and waits for a server's word that each is taken.
pub(crate) async fn push(folder: &Folder, tokens: &[String], servers: &Servers) -> anyhow::Result<()> {
    ensure!(!servers.is_none(), "name the servers by --nats-url");
    let read = |path: &Path| std::fs::read_to_string(path).with_context(|| path.display().to_string());
    let servers = nats::Servers {
        urls: servers.urls.clone(),
        creds: read(&folder.component(Role::Certs))?,
        ca: servers.ca.as_deref().map(read).transpose()?,
    };
    let line = servers.connect().await.context("check --nats-url, --nats-ca and that it runs")?;
    for token in tokens {
        line.push(token).await?;
    }
    Ok(())
}
