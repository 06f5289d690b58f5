//! A nats-server with JetStream: the queue. Its own for each test, so that a test may stop it or wipe it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::endpoint::Endpoint;
use crate::part::Part;
use crate::ports::free_port;
use crate::process::{Lifetime, Spec};
use crate::tools::Tools;

const STORE: &str = "nats-data";

/// A nats-server and its store.
#[derive(Debug)]
pub struct Nats {
    /// The server's process.
    pub part: Part,
    url: String,
    store: PathBuf,
}

impl Nats {
    /// A nats-server on a free port with its files in `folder`; not started yet.
    ///
    /// # Errors
    /// When its configuration cannot be written.
    pub fn new(tools: &Tools, folder: &Path, lifetime: Lifetime) -> anyhow::Result<Self> {
        let (client_port, monitor_port) = (free_port()?, free_port()?);
        let store = folder.join(STORE);
        let config = folder.join("nats.conf");
        std::fs::write(&config, configuration(client_port, monitor_port, &store))?;
        let spec = Spec {
            name: "nats".to_owned(),
            program: tools.path("nats-server"),
            args: vec![format!("--config={}", config.display())],
            env: vec![],
            log: folder.join("nats.log"),
        };
        let part = Part::new(spec, Some(Endpoint::http(monitor_port, "/healthz")), lifetime);
        Ok(Self { part, url: format!("nats://127.0.0.1:{client_port}"), store })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Starts it and waits until JetStream answers.
    ///
    /// # Errors
    /// As [`Part::start`].
    pub async fn start(&self) -> anyhow::Result<()> {
        self.part.start().await
    }

    /// Stops it in order.
    ///
    /// # Errors
    /// As [`Part::stop`].
    pub async fn stop(&self) -> anyhow::Result<()> {
        self.part.stop().await.map(drop)
    }

    /// Kills it.
    ///
    /// # Errors
    /// As [`Part::kill`].
    pub fn kill(&self) -> anyhow::Result<()> {
        self.part.kill().map(drop)
    }

    /// Kills it, removes all that it stored and starts it empty.
    ///
    /// # Errors
    /// When the store cannot be removed, and as [`Part::start`].
    pub async fn wipe(&self) -> anyhow::Result<()> {
        if self.part.is_running() {
            self.kill()?;
        }
        std::fs::remove_dir_all(&self.store).context("cannot remove the store of nats-server")?;
        self.start().await
    }
}

/// `sync_interval: always`, because an acknowledgement is only then durable: the default flushes every
/// two minutes.
fn configuration(port: u16, monitor: u16, store: &Path) -> String {
    format!(
        "listen: \"127.0.0.1:{port}\"\n\
         http: \"127.0.0.1:{monitor}\"\n\
         jetstream {{\n  store_dir: \"{}\"\n  sync_interval: always\n}}\n",
        store.display()
    )
}
