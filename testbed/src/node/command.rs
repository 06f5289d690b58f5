//! The command line of the node.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};

use super::up::{down, up};
use super::{Node, hold, init, suite};
use crate::folder::binaries_folder;
use crate::quoted::quoted;

/// What can be done with a node.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Start one; prints, last, the environment to use it with
    Up,
    /// Stop it and remove what it left
    Down,
    /// Run a command in its network, where pods and Services have addresses
    Exec {
        /// The command, after `--`
        #[arg(required = true, last = true)]
        command: Vec<OsString>,
    },
    /// Load images from OCI archives
    Load {
        /// The archives
        #[arg(required = true)]
        archives: Vec<PathBuf>,
    },
    /// Start a node of its own and run the tests of a binary in it, one at a time
    Test {
        /// The test binary
        binary: PathBuf,
        /// Only tests whose name contains this
        filter: Option<String>,
    },
    /// The process that keeps a node
    #[command(hide = true)]
    Hold {
        /// Folder of the node
        node: PathBuf,
        /// Process with which the node ends
        #[arg(long)]
        owner: Option<u32>,
    },
    /// The first process inside
    #[command(name = init::COMMAND, hide = true)]
    Init {
        /// Folder of the node
        node: PathBuf,
    },
}

impl Command {
    /// Does it, with the node of this folder.
    ///
    /// # Errors
    /// When it fails; the message says what to do.
    pub async fn run(self, folder: &Path) -> anyhow::Result<()> {
        match self {
            Self::Up => {
                let node = up(folder).await?;
                let text = |path: &Path| quoted(&path.display().to_string());
                println!("export KUBECONFIG={}", text(&node.kubeconfig()));
                println!("export PATH={}:{}:$PATH", text(node.tools().folder()), text(&binaries_folder()?));
                Ok(())
            }
            Self::Down => down(folder).await,
            Self::Exec { command } => exec(&Node::attach(folder)?, &command),
            Self::Load { archives } => {
                let node = Node::attach(folder)?;
                for archive in archives {
                    node.load(&archive).await?;
                    eprintln!("testbed: loaded {}", archive.display());
                }
                Ok(())
            }
            Self::Test { binary, filter } => suite::run(&binary, filter.as_deref()).await,
            Self::Hold { node, owner } => hold::hold(&node, owner).await,
            Self::Init { node } => init::init(&node).await,
        }
    }
}

/// Becomes the command; returns only when that fails.
fn exec(node: &Node, command: &[OsString]) -> anyhow::Result<()> {
    let tool = node.inside("env")?;
    let mut becomes = std::process::Command::new(&tool.program);
    // A person's home stays theirs.
    let env = tool.env.into_iter().filter(|(name, _)| name != "HOME");
    Err(becomes.args(&tool.args).args(command).envs(env).exec().into())
}
