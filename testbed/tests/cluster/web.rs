//! A small real web server as a user would deploy it, and what is asked of it meanwhile.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testbed::{Cluster, PATIENCE, eventually};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Images of the first and second version; each answers with its tag.
pub const V1: &str = "registry.test/web:v1";
pub const V2: &str = "registry.test/web:v2";
/// Between two requests, so that they do not take the machine from the rollout.
const PAUSE: Duration = Duration::from_millis(20);

/// A Deployment `web` and its Service.
pub fn web(image: &str, replicas: u32) -> String {
    let labels = json!({ "app": "web" });
    let container = json!({
        "name": "web",
        "image": image,
        "ports": [{ "containerPort": 8080 }],
        "readinessProbe": { "httpGet": { "path": "/", "port": 8080 }, "periodSeconds": 1 },
        "resources": { "requests": { "cpu": "10m", "memory": "32Mi" } },
    });
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "web" },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": labels },
            "strategy": { "rollingUpdate": { "maxUnavailable": 0, "maxSurge": 1 } },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": [container] } },
        },
    });
    format!("{deployment}\n---\n{}\n", service("web"))
}

/// A Service for the pods with this label `app`.
pub fn service(app: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": app },
        "spec": { "selector": { "app": app }, "ports": [{ "port": 80, "targetPort": 8080 }] },
    })
}

/// Waits until a Deployment is rolled out.
pub async fn rolled_out(c: &Cluster, name: &str) -> Result<()> {
    c.kubectl(&["rollout", "status", &format!("deployment/{name}"), "--timeout=55s"]).await?.ok().map(drop)
}

/// Waits until this address answers with this text.
pub async fn answers(c: &Cluster, url: &str, text: &str) -> Result<()> {
    eventually(&format!("{url} answers {text}"), PATIENCE, async || {
        let said = c.get(url).await?;
        ensure!(said.contains(text), "{said}");
        Ok(())
    })
    .await
}

/// Requests to an address, one after the other over new connections, until they are counted.
pub struct Requests {
    stop: CancellationToken,
    task: JoinHandle<Seen>,
}

/// What came of them.
#[derive(Debug, Default)]
pub struct Seen {
    pub answered: usize,
    pub failures: Vec<String>,
}

impl Requests {
    pub fn start(url: &str) -> Self {
        let (stop, url) = (CancellationToken::new(), url.to_owned());
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut seen = Seen::default();
            while !stopped.is_cancelled() {
                match testbed::node::get(&url).await {
                    Ok(_) => seen.answered += 1,
                    Err(error) => seen.failures.push(format!("{error:#}")),
                }
                tokio::time::sleep(PAUSE).await;
            }
            seen
        });
        Self { stop, task }
    }

    pub async fn stop(self) -> Result<Seen> {
        self.stop.cancel();
        Ok(self.task.await?)
    }
}
