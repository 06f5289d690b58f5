//! A cluster of one real node: the control plane of [`crate::control_plane`], and containerd, the kubelet, kube-proxy and
//! `CoreDNS`, so that pods run, have addresses and are reached by Services. It lives in namespaces and cgroups of its own
//! on this machine and leaves nothing behind when it ends, or whoever started it does.

mod cgroups;
mod command;
mod commands;
mod configuration;
mod forward;
mod hold;
mod init;
mod objects;
mod plan;
mod preflight;
mod scenario;
mod suite;
mod up;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

pub use command::Command;
pub(crate) use plan::DATA;
pub use preflight::missing;
pub use scenario::{Cluster, cluster, get, skip};

use crate::eventually::{PATIENCE, eventually};
use crate::folder::binaries_folder;
use crate::kubeconfig;
use crate::part::Part;
use crate::process::{Lifetime, Spec};
use crate::run::{Output, Tool};
use crate::tools::{self, Tools};
use plan::Plan;

/// Names the folder of the node to a command that runs inside.
pub const FOLDER_VARIABLE: &str = "ROADSTEAD_NODE";
/// How long an image may take to be read; some have a hundred megabytes.
const LOAD: Duration = Duration::from_mins(3);
const KEEPER: &str = "keeper";

/// A running node.
#[derive(Debug)]
pub struct Node {
    folder: PathBuf,
    tools: Tools,
    keeper: Part,
    /// Whether it ends with this value, not only with the process.
    ours: bool,
}

impl Node {
    /// Starts a node and waits until it would run a first pod without delay. Each step that is done is told to `progress`.
    ///
    /// # Errors
    /// When it cannot be started ([`missing`] says more), or is not ready in time.
    pub async fn start(folder: &Path, lifetime: Lifetime, progress: impl Fn(&str)) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        if let Some(hidden) = init::OWN.iter().find(|hidden| folder.starts_with(hidden)) {
            anyhow::bail!("a node has a {hidden} of its own: its folder must be elsewhere");
        }
        let tools = tokio::task::spawn_blocking(Tools::locate_with_node).await??;
        let plan = commands::prepare(&folder, &tools)?;
        plan.write(&folder)?;
        let ours = lifetime == Lifetime::Ours;
        let this = Self { keeper: keeper(&folder, &plan, ours)?, folder, tools, ours };
        this.keeper.spawn()?;
        this.come_up(progress).await.with_context(|| format!("logs are in {}", this.folder.display()))?;
        Ok(this)
    }

    /// The node that runs in this folder.
    ///
    /// # Errors
    /// When none was started there.
    pub fn attach(folder: &Path) -> anyhow::Result<Self> {
        let none = || format!("no node was started in {}", folder.display());
        let folder = folder.canonicalize().with_context(none)?;
        let keeper = Part::from_record(&record(&folder)).with_context(none)?;
        Ok(Self { keeper, folder, tools: Tools::locate_with_node()?, ours: false })
    }

    async fn come_up(&self, progress: impl Fn(&str)) -> anyhow::Result<()> {
        let images = async {
            self.containerd_answers().await?;
            progress("containerd is ready");
            self.load_all().await?;
            progress("the images are loaded");
            anyhow::Ok(())
        };
        let api = async {
            self.keeper.ready().await?;
            progress("kube-apiserver is ready");
            let client = self.client().await?;
            objects::create(self, &client).await?;
            anyhow::Ok(client)
        };
        let ((), client) = tokio::try_join!(images, api)?;
        objects::wait_until_usable(&client).await?;
        progress("the node takes pods, and names are resolved");
        Ok(())
    }

    /// Ends it and all in it; its files stay.
    ///
    /// # Errors
    /// When it cannot be told to, or something of it is left.
    pub async fn stop(&self) -> anyhow::Result<()> {
        if !self.is_running() {
            return Ok(());
        }
        let ended = self.keeper.stop().await?;
        let log = self.keeper.log_path();
        // Of a keeper that is no child of ours only the end is known: its log says more.
        anyhow::ensure!(
            ended.success() && self.keeper.log().is_empty(),
            "{ended}; {} says why",
            log.display()
        );
        Ok(())
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.keeper.is_running()
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

    /// The kubeconfig file with the contexts `admin` (current) and `developer`; good inside and outside of the node.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// A client as its administrator; from outside as well.
    ///
    /// # Errors
    /// When the kubeconfig file cannot be read.
    pub async fn client(&self) -> anyhow::Result<kube::Client> {
        kubeconfig::client(&self.kubeconfig()).await
    }

    /// A command of the tools' folder that talks to its API server.
    #[must_use]
    pub fn tool(&self, name: &str) -> Tool {
        Tool { program: self.tools.path(name), args: vec![], env: self.environment(&self.kubeconfig()) }
    }

    /// A command that runs in its network: it reaches pods and Services by their addresses.
    ///
    /// # Errors
    /// When the node does not run.
    pub fn inside(&self, program: &str) -> anyhow::Result<Tool> {
        let network = format!("--net={}", plan::network(&self.folder)?.display());
        let args = vec![network, "--".to_owned(), program.to_owned()];
        let mut env = self.environment(&self.kubeconfig());
        env.push((FOLDER_VARIABLE.to_owned(), self.folder.display().to_string()));
        // Whose home is the node's would look for the tools there.
        env.push((tools::FOLDER_VARIABLE.to_owned(), self.tools.folder().display().to_string()));
        Ok(Tool { program: "nsenter".into(), args, env })
    }

    /// Loads an image from an OCI archive.
    ///
    /// # Errors
    /// When containerd refuses it.
    pub async fn load(&self, archive: &Path) -> anyhow::Result<()> {
        let archive = archive.canonicalize().with_context(|| format!("no image {}", archive.display()))?;
        let archive = archive.display().to_string();
        let args = ["--namespace=k8s.io", "images", "import", "--local", &archive];
        self.ctr().run_within(LOAD, &args, None).await?.ok().map(drop)
    }

    async fn load_all(&self) -> anyhow::Result<()> {
        let folder = self.tools.path("images");
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("no images in {}", folder.display()))?;
        for entry in entries {
            self.load(&entry?.path()).await?;
        }
        Ok(())
    }

    async fn containerd_answers(&self) -> anyhow::Result<Output> {
        eventually("containerd answers", PATIENCE, async || {
            let said = self.ctr().run(&["version"], None).await?;
            anyhow::ensure!(said.success(), "{said}");
            Ok(said)
        })
        .await
    }

    fn ctr(&self) -> Tool {
        let address = format!("--address={}", commands::containerd_socket(&self.folder));
        Tool { args: vec![address], ..self.tool("ctr") }
    }

    /// The environment of a command, with the tools and our binaries (kubectl's plugin) first in `PATH`.
    fn environment(&self, kubeconfig: &Path) -> Vec<(String, String)> {
        let path = [self.tools.folder().to_owned(), binaries_folder().unwrap_or_default()];
        let path = path.map(|folder| folder.display().to_string() + ":").concat();
        let inherited = std::env::var("PATH").unwrap_or_default();
        let variables = [
            ("PATH", path + &inherited),
            ("HOME", self.folder.join("home").display().to_string()),
            ("KUBECONFIG", kubeconfig.display().to_string()),
            ("CONTAINERD_ADDRESS", commands::containerd_socket(&self.folder)),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

impl Drop for Node {
    /// Ends what is ours. A runtime may not be there any more, so it is told, and waited for, without one.
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = self.keeper.stop_blocking()
        {
            eprintln!("testbed: the node in {} was not stopped: {error:#}", self.folder.display());
        }
    }
}

/// The keeper goes on after us and watches us: it has to take away what the kernel does not.
fn keeper(folder: &Path, plan: &Plan, ours: bool) -> anyhow::Result<Part> {
    let mut args = vec!["node".to_owned(), "hold".to_owned(), folder.display().to_string()];
    if ours {
        args.push(format!("--owner={}", std::process::id()));
    }
    let program = binaries_folder()?.join("testbed");
    let log = folder.join(KEEPER).with_extension("log");
    let spec = Spec { name: KEEPER.to_owned(), program, args, env: vec![], log };
    Ok(Part::new(spec, Some(plan.api.clone()), Lifetime::Detached))
}

/// What is written down of the keeper.
fn record(folder: &Path) -> PathBuf {
    folder.join(KEEPER).with_extension(crate::part::RECORD)
}
