//! A nats-server with JetStream: the queue. Its own for each test, so that a test may stop it or wipe it. It lets in
//! whoever asks, or those alone who have an identity of `certs::nats`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use certs::nats::Folder;
use contract::access::Role;

use crate::endpoint::Endpoint;
use crate::part::Part;
use crate::ports::free_port;
use crate::process::{Lifetime, Spec};
use crate::tools::Tools;

const STORE: &str = "nats-data";
/// How long the identities of a test are valid.
const LIFE: Duration = Duration::from_hours(24);

/// A nats-server and its store.
#[derive(Debug)]
pub struct Nats {
    /// The server's process.
    pub part: Part,
    url: String,
    store: PathBuf,
    identities: Option<Folder>,
}

impl Nats {
    /// A nats-server on a free port with its files in `folder`, which lets in whoever asks; not started yet.
    ///
    /// # Errors
    /// When its configuration cannot be written.
    pub fn new(tools: &Tools, folder: &Path, lifetime: Lifetime) -> anyhow::Result<Self> {
        Self::with(tools, folder, lifetime, "", None)
    }

    /// As [`Nats::new`], but it lets in those alone who have an identity; those of a cluster's components are made.
    ///
    /// # Errors
    /// When its files cannot be written.
    pub fn with_identities(
        tools: &Tools,
        folder: &Path,
        lifetime: Lifetime,
        cluster: &str,
    ) -> anyhow::Result<Self> {
        let identities = Folder::new(folder.join("identities"));
        let accounts = folder.join("nats-accounts").display().to_string();
        identities.ensure(cluster, LIFE, &accounts)?;
        identities.unrestricted("test", LIFE)?;
        let include = format!("include \"{}\"\n", identities.resolver().strip_prefix(folder)?.display());
        Self::with(tools, folder, lifetime, &include, Some(identities))
    }

    /// As [`Nats::new`], with more in its configuration.
    ///
    /// # Errors
    /// As [`Nats::new`].
    pub fn configured(
        tools: &Tools,
        folder: &Path,
        lifetime: Lifetime,
        configuration: &str,
    ) -> anyhow::Result<Self> {
        Self::with(tools, folder, lifetime, configuration, None)
    }

    fn with(
        tools: &Tools,
        folder: &Path,
        lifetime: Lifetime,
        more: &str,
        identities: Option<Folder>,
    ) -> anyhow::Result<Self> {
        let (client_port, monitor_port) = (free_port()?, free_port()?);
        let store = folder.join(STORE);
        let config = folder.join("nats.conf");
        std::fs::write(&config, configuration(client_port, monitor_port, &store) + more)?;
        let spec = Spec {
            name: "nats".to_owned(),
            program: tools.path("nats-server"),
            args: vec![format!("--config={}", config.display())],
            env: vec![],
            log: folder.join("nats.log"),
        };
        let part = Part::new(spec, Some(Endpoint::http(monitor_port, "/healthz")), lifetime);
        Ok(Self { part, url: format!("nats://127.0.0.1:{client_port}"), store, identities })
    }

    /// The identities that it lets in, where it asks for one.
    #[must_use]
    pub fn identities(&self) -> Option<&Folder> {
        self.identities.as_ref()
    }

    /// What a component has to be told of how to connect, beside the URL.
    #[must_use]
    pub fn env(&self, role: Role) -> (String, String) {
        match &self.identities {
            Some(identities) => {
                ("ROADSTEAD_NATS_CREDS".to_owned(), identities.component(role).display().to_string())
            }
            None => ("ROADSTEAD_NATS_ALLOW_ANONYMOUS".to_owned(), "true".to_owned()),
        }
    }

    /// A client that may do everything.
    ///
    /// # Errors
    /// When the server does not let it in.
    pub async fn client(&self) -> anyhow::Result<async_nats::Client> {
        let options = match &self.identities {
            Some(identities) => {
                async_nats::ConnectOptions::with_credentials_file(identities.unrestricted_file("test"))
                    .await?
            }
            None => async_nats::ConnectOptions::new(),
        };
        Ok(options.connect(&self.url).await?)
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
