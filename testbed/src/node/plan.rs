//! What a node is started from, on paper: written by whoever starts it, read by its keeper and by its first process.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;
use crate::kubeconfig::write_private;
use crate::process::Spec;

const FILE: &str = "plan.json";
/// Holds the id of the process that holds the namespaces, as long as there are any.
const NAMESPACES: &str = "namespaces.pid";
/// Data of the parts, of no use once the node is over.
pub(crate) const DATA: &str = "node-data";

/// How a node is started.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Name that nobody else has, for what lies outside the folder.
    pub(super) id: String,
    /// Where the API server listens inside, and the forward outside.
    pub(super) api_port: u16,
    /// When the parts that need it can be started.
    pub(super) api: Endpoint,
    /// Parts that need no other part.
    pub(super) first: Vec<Spec>,
    /// Parts that give up where the API server is not ready.
    pub(super) then: Vec<Spec>,
}

impl Plan {
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        write_private(&folder.join(FILE), &serde_json::to_string_pretty(self)?)
    }

    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let text =
            std::fs::read(&path).with_context(|| format!("no node was started in {}", folder.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
    }
}

/// Where the parts keep their data.
pub(super) fn data(folder: &Path) -> PathBuf {
    folder.join(DATA)
}

/// Writes down which process holds the namespaces.
pub(super) fn record_namespaces(folder: &Path, pid: u32) -> anyhow::Result<()> {
    write_private(&folder.join(NAMESPACES), &pid.to_string())
}

/// Forgets it.
pub(super) fn forget_namespaces(folder: &Path) {
    // It is gone as well where the whole folder is.
    let _ = std::fs::remove_file(folder.join(NAMESPACES));
}

/// The network namespace of the node that runs in this folder.
///
/// # Errors
/// When none does.
pub(super) fn network(folder: &Path) -> anyhow::Result<PathBuf> {
    let none = || format!("no node runs in {}", folder.display());
    let pid = std::fs::read_to_string(folder.join(NAMESPACES)).with_context(none)?;
    let path = PathBuf::from(format!("/proc/{}/ns/net", pid.trim()));
    anyhow::ensure!(path.exists(), none());
    Ok(path)
}
