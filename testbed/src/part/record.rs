//! A detached part on paper: written by the command that started it, read by the one that stops it.

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::Part;
use crate::endpoint::Endpoint;
use crate::kubeconfig::write_private;
use crate::process::{Lifetime, Process, Spec};

/// Extension of the file that describes a detached part, in place of the log's.
pub const RECORD: &str = "part.json";

/// A part on paper, from which another process can find or start it again.
#[derive(Debug, Serialize, Deserialize)]
struct Recorded {
    spec: Spec,
    endpoint: Option<Endpoint>,
    /// Process id and start time, while it runs.
    process: Option<(u32, u64)>,
}

impl Part {
    /// A detached part from the file that [`Part::record`] wrote; its process is found if it still runs.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn from_record(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let recorded: Recorded =
            serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
        // Whoever started it may have been killed before the process was written down.
        let process = recorded.process.and_then(|(pid, started)| Process::find(pid, started));
        let process = process.or_else(|| Process::writing_to(&recorded.spec.log));
        let part = Self::new(recorded.spec, recorded.endpoint, Lifetime::Detached);
        *part.process() = process;
        Ok(part)
    }

    /// Of a detached part: writes beside its log what another process needs to find it. Done at each start
    /// and stop, so that an interrupted `up` can be taken down.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn record(&self) -> anyhow::Result<()> {
        if self.lifetime == Lifetime::Ours {
            return Ok(());
        }
        let process = self.process().as_ref().map(|process| (process.pid(), process.started()));
        let recorded = Recorded { spec: self.spec.clone(), endpoint: self.endpoint.clone(), process };
        let path = self.spec.log.with_extension(RECORD);
        write_private(&path, &serde_json::to_string_pretty(&recorded)?)
    }
}
