//! A nats-server of a test's own, and an executor that is to connect to it. Of the executor only the connection
//! matters: its Kubernetes is not there.

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use testbed::kubeconfig::{self, User};
use testbed::process::{Lifetime, Spec};
use testbed::tools::Tools;
use testbed::{Nats, PATIENCE, Part, eventually};

/// A folder and the server with its files in it.
pub(crate) struct Server {
    pub(crate) nats: Nats,
    pub(crate) folder: TempDir,
}

impl Server {
    /// With identities of the cluster `east`.
    pub(crate) async fn with_identities() -> Result<Self> {
        let (tools, folder) = (Tools::locate_in_background().await?, tempfile::tempdir()?);
        let nats = Nats::with_identities(&tools, folder.path(), Lifetime::Ours, "east")?;
        nats.start().await?;
        Ok(Self { nats, folder })
    }

    /// With this in its configuration; files that it names are to be written by `prepare`.
    pub(crate) async fn configured(
        configuration: &str,
        prepare: impl FnOnce(&TempDir) -> Result<()>,
    ) -> Result<Self> {
        let (tools, folder) = (Tools::locate_in_background().await?, tempfile::tempdir()?);
        prepare(&folder)?;
        let configuration = configuration.replace("<folder>", &folder.path().display().to_string());
        let nats = Nats::configured(&tools, folder.path(), Lifetime::Ours, &configuration)?;
        nats.start().await?;
        Ok(Self { nats, folder })
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// An executor with these settings, started.
    pub(crate) fn executor(&self, settings: &[(&str, &str)]) -> Result<Part> {
        let kubeconfig = self.folder.path().join("kubeconfig");
        let nowhere = kubeconfig::Server { url: "http://127.0.0.1:1".into(), ca_pem: None };
        let user = User { name: "executor".into(), token: "any".into() };
        kubeconfig::write(&kubeconfig, &nowhere, &[user], "default")?;
        let own = [
            ("KUBECONFIG", kubeconfig.to_str().context("a path")?),
            ("ROADSTEAD_ADMIN_LISTEN", "127.0.0.1:0"),
            ("ROADSTEAD_CLUSTER", "east"),
            ("ROADSTEAD_NATS_URL", self.nats.url()),
        ];
        let env = own.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let spec = Spec {
            name: "executor".into(),
            program: testbed::folder::binaries_folder()?.join("roadstead-executor"),
            args: vec![],
            env: env.collect(),
            log: self.folder.path().join("executor.log"),
        };
        let part = Part::new(spec, None, Lifetime::Ours);
        part.spawn()?;
        Ok(part)
    }
}

/// Waits until it says so.
pub(crate) async fn says(part: &Part, what: &str) -> Result<()> {
    eventually(&format!("the executor says {what:?}"), PATIENCE, async || {
        let log = part.log();
        ensure!(log.contains(what), "{log}");
        Ok(())
    })
    .await
}
