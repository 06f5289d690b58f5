//! A Roadstead for one test: its own namespaces, release, nats-server, webhook and executors, on a control
//! plane that is usually shared with the other tests of the process.

mod commands;
mod objects;
mod options;
mod start;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context as _;
pub use options::Options;

use crate::balancer::Balancer;
use crate::control_plane::ControlPlane;
use crate::mount::Mount;
use crate::nats::Nats;
use crate::part::Part;
use crate::process::dies_with_us;
use crate::proxy::Proxy;
use crate::run::Tool;

/// A running Roadstead of a test.
pub struct Stack {
    /// First, so that they are looked at and taken away while everything still runs.
    objects: Objects,
    /// A client of the Kubernetes API as administrator.
    pub client: kube::Client,
    /// The test's first namespace.
    pub namespace: String,
    /// All namespaces of the test.
    pub namespaces: Vec<String>,
    /// Name of the release and of its namespace.
    pub release: String,
    /// Prefix of the names of the chart's objects.
    pub fullname: String,
    /// Name of the cluster in NATS subjects.
    pub cluster: String,
    /// The first webhook.
    pub webhook: Part,
    /// The other webhooks.
    pub more_webhooks: Vec<Part>,
    /// The first executor.
    pub executor: Part,
    /// The other executors.
    pub more_executors: Vec<Part>,
    /// Those who keep the certificate ([`Options::rotating`]).
    pub certs: Vec<Part>,
    /// The queue.
    pub nats: Nats,
    /// The control plane.
    pub control_plane: Arc<ControlPlane>,
    /// Logs, kubeconfigs and what was applied.
    pub folder: PathBuf,
    proxy: Proxy,
    balancer: Option<Balancer>,
    _mounts: Vec<Mount>,
    tools: Commands,
}

/// The commands of a test, each with its environment.
#[derive(Debug)]
struct Commands {
    kubectl: Tool,
    admin_kubectl: Tool,
    helm3: Tool,
    helm4: Tool,
    nats: Tool,
}

/// What was applied for a test, and how it is taken away again.
#[derive(Debug)]
struct Objects {
    file: PathBuf,
    kubectl: Tool,
    namespace: String,
    control_plane: Arc<ControlPlane>,
    shared: bool,
    done: bool,
}

impl Stack {
    /// What a test asks for; begins with one of everything, opted in and started.
    #[must_use]
    pub fn options() -> Options {
        Options::new()
    }

    /// The proxy before the API server (with [`Options::executor_through_proxy`] and
    /// [`Options::webhook_through_proxy`]).
    #[must_use]
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// The balancer before the webhooks, where there are several.
    ///
    /// # Errors
    /// When there is only one ([`Options::webhooks`]).
    pub fn balancer(&self) -> anyhow::Result<&Balancer> {
        self.balancer.as_ref().context("one webhook has no balancer: ask for `.webhooks(2)`")
    }

    /// All webhooks.
    pub fn webhooks(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(&self.webhook).chain(&self.more_webhooks)
    }

    /// Says that the test succeeded, and takes everything down.
    ///
    /// # Errors
    /// When its objects cannot be deleted.
    pub async fn finish(mut self) -> anyhow::Result<()> {
        self.objects.done = true;
        if self.objects.shared {
            let file = self.objects.file.display().to_string();
            let args = ["delete", "--wait=false", "--ignore-not-found", "-f", &file];
            self.objects.kubectl.run(&args, None).await?.ok()?;
        }
        let executors = self.more_executors.iter().chain([&self.executor]);
        for part in executors.chain(self.webhooks()).chain(&self.certs).chain([&self.nats.part]) {
            if part.is_running() {
                part.kill()?;
            }
        }
        std::fs::remove_dir_all(&self.folder)?;
        Ok(())
    }
}

impl Objects {
    /// Runs kubectl without a runtime, for `Drop`; its output goes to a file or nowhere.
    fn kubectl_blocking(&self, args: &[&str], output: Option<&Path>) {
        let mut command = dies_with_us(&self.kubectl.program);
        command.args(&self.kubectl.args).args(args).arg("--request-timeout=5s");
        command.envs(self.kubectl.env.iter().cloned()).stdin(Stdio::null()).stderr(Stdio::null());
        let file = output.and_then(|path| std::fs::File::create(path).ok());
        command.stdout(file.map_or_else(Stdio::null, Stdio::from));
        let _ = command.status();
    }
}

impl Drop for Objects {
    /// Of a test that failed: keeps what the cluster looked like, then takes its objects away, because
    /// hundreds of webhook configurations would slow the other tests down.
    fn drop(&mut self) {
        if self.done {
            return;
        }
        self.control_plane.keep_files();
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let seen = folder.join("objects-at-failure.yaml");
        let get = ["get", "deployments,replicasets,pods,events", "-o", "yaml", "-n", &self.namespace];
        self.kubectl_blocking(&get, Some(&seen));
        let file = self.file.display().to_string();
        self.kubectl_blocking(&["delete", "--wait=false", "--ignore-not-found", "-f", &file], None);
        eprintln!("testbed: the logs of the failed test are in {}", folder.display());
    }
}
