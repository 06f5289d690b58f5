//! What a shell needs to use a running cluster.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use testbed::kubeconfig::write_private;
use testbed::quoted::quoted;

const FILE: &str = "state.json";

/// The environment of a person who uses the cluster.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Exports {
    /// Administrator's kubeconfig file; the context `developer` is in it, too.
    pub(super) kubeconfig: PathBuf,
    /// Folders for the front of `PATH`.
    pub(super) path: Vec<PathBuf>,
    /// Where NATS is, or would be.
    pub(super) nats_url: String,
    /// Where the webhook is, or would be.
    pub(super) webhook_url: String,
    /// File with the authority of its certificate, for `--set-file webhook.caBundle=`.
    pub(super) webhook_ca: PathBuf,
}

impl Exports {
    /// Those of the cluster in this folder; `None` where none was started to the end.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(FILE);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        Ok(Some(serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?))
    }

    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        write_private(&folder.join(FILE), &serde_json::to_string_pretty(self)?)
    }

    /// Prints them for `eval`.
    pub(super) fn print(&self) {
        print!("{self}");
    }
}

impl std::fmt::Display for Exports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path: String =
            self.path.iter().map(|folder| quoted(&folder.display().to_string()) + ":").collect();
        writeln!(f, "export KUBECONFIG={}", quoted(&self.kubeconfig.display().to_string()))?;
        writeln!(f, "export PATH={path}$PATH")?;
        writeln!(f, "export NATS_URL={}", quoted(&self.nats_url))?;
        writeln!(f, "export ROADSTEAD_WEBHOOK_URL={}", quoted(&self.webhook_url))?;
        writeln!(f, "export ROADSTEAD_WEBHOOK_CA={}", quoted(&self.webhook_ca.display().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        let exports = Exports {
            kubeconfig: "/a b/it's".into(),
            path: vec!["/tools".into(), "/x y".into()],
            nats_url: "nats://127.0.0.1:1".into(),
            webhook_url: "https://127.0.0.1:2".into(),
            webhook_ca: "/ca.crt".into(),
        };
        let script =
            format!("{exports}printf '%s|%s|%s' \"$KUBECONFIG\" \"$PATH\" \"$ROADSTEAD_WEBHOOK_CA\"");
        let said = std::process::Command::new("/bin/sh").args(["-c", &script]).env("PATH", "/old").output();
        let said = String::from_utf8(said.unwrap().stdout).unwrap();
        assert_eq!(said, "/a b/it's|/tools:/x y:/old|/ca.crt");
        assert!(exports.to_string().contains("export ROADSTEAD_WEBHOOK_CA=/ca.crt\n"));
    }
}
