//! A real control plane on loopback: etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok,
//! which plays the nodes. RBAC, ServiceAccounts and their tokens are on, as in any cluster.

pub(crate) mod commands;
mod definitions;
pub(crate) mod identities;
pub(crate) mod objects;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use tokio::sync::OnceCell;

use crate::folder::RunFolder;
use crate::kubeconfig::{self, Server};
use crate::part::Part;
use crate::process::Lifetime;
use crate::tools::Tools;

pub use identities::{ADMIN, DEVELOPER, Identities};

const AUDIT_LOG: &str = "audit.log";

/// What the API server writes down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audit {
    /// Nothing.
    #[default]
    Nothing,
    /// Every request: who asked for what, and what the answer's status was.
    Requests,
    /// Every write of a Deployment with its answer. Besides, objects are stored as JSON, so that etcd's own watch
    /// tells every version of every object.
    Writes,
}

/// How a control plane is started.
#[derive(Clone, Debug)]
pub struct ControlPlaneOptions {
    /// Its files go here.
    pub folder: PathBuf,
    /// Whether it ends with us.
    pub lifetime: Lifetime,
    /// kube-controller-manager keeps its default limit of 20 queries a second, burst 30, as in a real cluster.
    pub default_limits: bool,
    /// What the API server writes to `audit.log`.
    pub audit: Audit,
    /// How many fake nodes there are.
    pub nodes: usize,
}

/// A running control plane.
#[derive(Debug)]
pub struct ControlPlane {
    /// The key-value store.
    pub etcd: Part,
    /// The API server.
    pub apiserver: Part,
    /// The controllers: kube-controller-manager.
    pub controllers: Part,
    /// The scheduler.
    pub scheduler: Part,
    /// The player of nodes and pods.
    pub kwok: Part,
    server: Server,
    identities: Identities,
    folder: PathBuf,
    tools: Tools,
    run: Option<Arc<RunFolder>>,
    defined: OnceCell<()>,
}

impl ControlPlaneOptions {
    /// A control plane that ends with us, with its files in this folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self { folder, lifetime: Lifetime::Ours, default_limits: false, audit: Audit::Nothing, nodes: 2 }
    }
}

impl ControlPlane {
    /// Starts a control plane and waits until it would serve a first Deployment without delay. Each step
    /// that is done is told to `progress`.
    ///
    /// # Errors
    /// When a part cannot be started or is not ready in time.
    pub async fn start(
        options: &ControlPlaneOptions,
        tools: &Tools,
        progress: impl Fn(&str),
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&options.folder)?;
        let commands = commands::Commands::prepare(options, tools)?;
        let part = |(spec, endpoint)| Part::new(spec, Some(endpoint), options.lifetime);
        let this = Self {
            etcd: part(commands.etcd()),
            apiserver: part(commands.apiserver()),
            controllers: part(commands.controllers()?),
            scheduler: part(commands.scheduler()?),
            kwok: part(commands.kwok()?),
            server: commands.server(),
            identities: commands.identities,
            folder: options.folder.clone(),
            tools: tools.clone(),
            run: None,
            defined: OnceCell::new(),
        };
        // The API server waits for etcd by itself; its own start takes most of the time.
        this.apiserver.spawn()?;
        this.etcd.start().await?;
        progress("etcd is ready");
        this.apiserver.ready().await?;
        progress("kube-apiserver is ready");
        for part in [&this.controllers, &this.scheduler, &this.kwok] {
            part.spawn()?;
        }
        let client = this.client().await?;
        objects::create(&client, options.nodes).await?;
        for part in [&this.controllers, &this.scheduler, &this.kwok] {
            part.ready().await?;
            progress(&format!("{} is ready", part.name()));
        }
        objects::wait_until_usable(&client, options.nodes).await?;
        progress("the nodes are ready");
        Ok(this)
    }

    /// The control plane that all tests of this process share; the first to ask starts it.
    ///
    /// # Errors
    /// As [`ControlPlane::start`].
    pub async fn shared() -> anyhow::Result<Arc<Self>> {
        static SHARED: OnceCell<Arc<ControlPlane>> = OnceCell::const_new();
        SHARED.get_or_try_init(|| Self::own("cluster", |options| options)).await.cloned()
    }

    /// A control plane of one's own, in a folder of that name in this run's folder.
    ///
    /// # Errors
    /// As [`ControlPlane::start`].
    pub async fn own(
        name: &str,
        with: impl FnOnce(ControlPlaneOptions) -> ControlPlaneOptions,
    ) -> anyhow::Result<Arc<Self>> {
        let run = Self::run_folder().await?;
        let tools = Tools::locate_in_background().await?;
        let began = Instant::now();
        let options = with(ControlPlaneOptions::new(run.path().join(name)));
        let started = Self::start(&options, &tools, |_| ()).await;
        let started = started.inspect_err(|_| run.keep()).context("the control plane does not start")?;
        eprintln!("testbed: control plane ready in {:.1} s", began.elapsed().as_secs_f32());
        Ok(Arc::new(Self { run: Some(run), ..started }))
    }

    /// Installs the definitions of policies and freezes; only the first who asks does.
    ///
    /// # Errors
    /// When the API server does not take them, or does not serve them in time.
    pub async fn define(&self) -> anyhow::Result<()> {
        let install = async || definitions::install(&self.client().await?).await;
        self.defined.get_or_try_init(install).await.copied()
    }

    async fn run_folder() -> anyhow::Result<Arc<RunFolder>> {
        static RUN: OnceCell<Arc<RunFolder>> = OnceCell::const_new();
        RUN.get_or_try_init(|| async { RunFolder::create().map(Arc::new) }).await.cloned()
    }

    /// All its parts, in the order in which they are started.
    #[must_use]
    pub fn parts(&self) -> [&Part; 5] {
        [&self.etcd, &self.apiserver, &self.controllers, &self.scheduler, &self.kwok]
    }

    /// Where the API server is.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Its users.
    #[must_use]
    pub fn identities(&self) -> &Identities {
        &self.identities
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The binaries it was started from.
    #[must_use]
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// The kubeconfig file with the contexts `admin` (current) and `developer`.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// A client as its administrator.
    ///
    /// # Errors
    /// When the kubeconfig file cannot be read.
    pub async fn client(&self) -> anyhow::Result<kube::Client> {
        kubeconfig::client(&self.kubeconfig()).await
    }

    /// The requests that were answered so far, each as an audit event
    /// (<https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/>); none without the audit log.
    #[must_use]
    pub fn audit(&self) -> Vec<serde_json::Value> {
        let log = std::fs::read_to_string(self.audit_path()).unwrap_or_default();
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Where the audit log is.
    #[must_use]
    pub fn audit_path(&self) -> PathBuf {
        self.folder.join(AUDIT_LOG)
    }

    /// Keeps the files of this run, because something failed in it.
    pub fn keep_files(&self) {
        if let Some(run) = &self.run {
            run.keep();
        }
    }
}
