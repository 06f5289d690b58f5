//! The binaries of the real parts: etcd, the Kubernetes ones, nats-server, Helm. A folder named by
//! `ROADSTEAD_TOOLS`, or the one that `tools/build.sh` builds (minutes when cold, at once when warm).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// A folder with the binaries, used as it is instead of building them.
pub const FOLDER_VARIABLE: &str = "ROADSTEAD_TOOLS";

/// The folder of the parts' binaries.
#[derive(Clone, Debug)]
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Finds the binaries, and builds them where that is needed; its progress goes to stderr.
    ///
    /// # Errors
    /// When the folder named does not exist, or the build fails.
    pub fn locate() -> anyhow::Result<Self> {
        Self::built(&[])
    }

    /// As [`Tools::locate`], with the parts of a node that runs containers and the images it starts from.
    ///
    /// # Errors
    /// As [`Tools::locate`].
    pub fn locate_with_node() -> anyhow::Result<Self> {
        Self::built(&["node"])
    }

    fn built(what: &[&str]) -> anyhow::Result<Self> {
        if let Some(folder) = std::env::var_os(FOLDER_VARIABLE) {
            let folder = PathBuf::from(folder);
            if !folder.is_dir() {
                bail!("{FOLDER_VARIABLE} names {}, which is no folder", folder.display());
            }
            return Ok(Self { folder });
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/build.sh");
        let built = Command::new(&script)
            .args(what)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot run {}", script.display()))?;
        if !built.status.success() {
            bail!("{} failed ({}); what it said stands above", script.display(), built.status);
        }
        let said = String::from_utf8(built.stdout).context("the build script prints a folder")?;
        let folder = said.lines().last().context("the build script printed nothing")?;
        Ok(Self { folder: PathBuf::from(folder) })
    }

    /// As [`Tools::locate`], without blocking the caller's runtime.
    ///
    /// # Errors
    /// As [`Tools::locate`].
    pub async fn locate_in_background() -> anyhow::Result<Self> {
        tokio::task::spawn_blocking(Self::locate).await.context("the search for the tools ended early")?
    }

    /// The folder itself, for `PATH`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// One of the binaries.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The files that say how kwok's fake nodes and pods live, in the order of their names.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn kwok_stages(&self) -> anyhow::Result<Vec<PathBuf>> {
        let folder = self.folder.join("kwok-stages");
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("{} has no kwok-stages", self.folder.display()))?;
        let mut stages: Vec<_> = entries.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
        stages.sort();
        Ok(stages)
    }
}
