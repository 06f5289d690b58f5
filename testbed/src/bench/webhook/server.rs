//! The two servers as processes on given cores, and what the kernel says they used.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use certs::tls::{Files, LeafRequest, Usage};

use crate::{PATIENCE, eventually, ports::free_port, usage};

/// Makes the folder hold what both servers and the driver need.
pub(super) fn certificates(folder: &Path) -> Result<()> {
    let leaf = LeafRequest {
        common_name: "webhook".into(),
        organizations: Vec::new(),
        dns_names: vec!["localhost".into()],
        ips: Vec::new(),
        usage: Usage::Server,
        life: Duration::from_hours(1),
    };
    Files::new(folder).ensure("bench", Duration::from_hours(2), &leaf)?;
    // Nothing answers there: the hold asks nobody, and the outbox goes on trying.
    let nowhere = "{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: x, user: x}}], \
                   clusters: [{name: x, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: x, user: {}}]}";
    Ok(fs::write(folder.join("kubeconfig"), nowhere)?)
}

/// A program that was built together with this one.
pub(super) fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().context("this program is in no folder")?.join(name))
}

/// A server that runs until it is dropped.
pub(super) struct Server {
    process: Child,
    pub(super) address: SocketAddr,
}

impl Server {
    /// The yardstick.
    pub(super) async fn echo(folder: &Path, cores: &str) -> Result<Self> {
        let files = Files::new(folder);
        Self::start("examples/echo", cores, |command, address| {
            command.arg(address).arg(files.cert()).arg(files.key());
        })
        .await
    }

    /// The webhook, with its defaults.
    pub(super) async fn webhook(folder: &Path, cores: &str) -> Result<Self> {
        let files = Files::new(folder);
        Self::start("roadstead-webhook", cores, |command, address| {
            command.args(["--listen", address, "--admin-listen", "127.0.0.1:0", "--nats-url", "127.0.0.1:1"]);
            command.arg("--tls-cert").arg(files.cert()).arg("--tls-key").arg(files.key());
            command.env("KUBECONFIG", folder.join("kubeconfig"));
        })
        .await
    }

    /// The webhook's server under these policies: `none` or `many`.
    pub(super) async fn ruled(folder: &Path, cores: &str, policies: &str) -> Result<Self> {
        let files = Files::new(folder);
        Self::start("examples/ruled", cores, |command, address| {
            command.arg(address).arg(files.cert()).arg(files.key()).arg(policies);
        })
        .await
    }

    async fn start(name: &str, cores: &str, arguments: impl FnOnce(&mut Command, &str)) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut command = Command::new("taskset");
        command.args(["-c", cores]).arg(beside(name)?);
        arguments(&mut command, &address.to_string());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().with_context(|| format!("cannot start {name} by taskset"))?;
        // From here on the process is ended whatever happens.
        let server = Self { process, address };
        eventually(&format!("{name} listens"), PATIENCE, async || {
            tokio::net::TcpStream::connect(address).await?;
            Ok(())
        })
        .await?;
        Ok(server)
    }

    /// Processor time used so far, in user space and in the kernel.
    pub(super) fn cpu(&self) -> Result<Duration> {
        usage::cpu(self.process.id())
    }

    /// Resident memory.
    pub(super) fn resident_mib(&self) -> Result<f64> {
        Ok(usage::memory(self.process.id())?.now)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
