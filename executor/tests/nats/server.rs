//! A nats-server of a test's own, on a free port, with its store in a folder that goes away.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use async_nats::Client;
use tempfile::TempDir;

/// Longest wait for the server to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends the server when its standard input ends, which it does with this process, whatever ends that.
const KEEPER: &str = r#""$@" & server=$!; read -r _; kill -9 "$server"; wait"#;

pub(crate) struct Server {
    keeper: Child,
    folder: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (path, config) = (folder.path().to_str().unwrap(), folder.path().join("nats.conf"));
        // As in production: what is acknowledged is on disk.
        let jetstream = format!("jetstream {{ store_dir: {path:?}, sync_interval: always }}");
        std::fs::write(&config, jetstream).unwrap();
        let config = config.to_str().unwrap();
        let arguments = ["-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", path, "-c", config];
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh", "nats-server"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { keeper, folder }
    }

    pub(crate) async fn client(&self) -> Client {
        let begun = Instant::now();
        loop {
            if let Some(url) = url(self.folder.path()) {
                return async_nats::connect(url).await.unwrap();
            }
            let waited = "nats-server does not listen: is it on the PATH? `make unit` puts it there";
            assert!(begun.elapsed() < PATIENCE, "{waited}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The address, once the server has written it down.
fn url(folder: &Path) -> Option<String> {
    let mut files = std::fs::read_dir(folder).unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let ports = files.find(|path| path.extension().is_some_and(|extension| extension == "ports"))?;
    let ports: serde_json::Value = serde_json::from_slice(&std::fs::read(ports).ok()?).ok()?;
    ports["nats"][0].as_str().map(str::to_owned)
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
