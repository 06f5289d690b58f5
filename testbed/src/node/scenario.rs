//! What a test in a node is given: a namespace of its own, kubectl, Helm, a client, and plain requests to Services.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::{FOLDER_VARIABLE, Node};
use crate::endpoint::Endpoint;
use crate::kubeconfig::write_private;
use crate::run::{Output, Tool};
use crate::unique::short_name;

/// Begin of the line by which a test says that it was skipped.
pub(super) const SKIPPED: &str = "skipped: ";

/// A test's view of the cluster.
pub struct Cluster {
    node: Node,
    namespace: String,
    client: kube::Client,
    kubeconfig: PathBuf,
}

/// Runs a test on the cluster that `make cluster-test` has started, in a namespace of its own. That is taken away
/// afterwards; of a test that failed, what was in it is printed before.
///
/// # Errors
/// When the test fails, and outside of a cluster.
pub async fn cluster(test: impl AsyncFnOnce(&Cluster) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let folder =
        std::env::var_os(FOLDER_VARIABLE).context("this test runs in a cluster: `make cluster-test`")?;
    let cluster = Cluster::create(Path::new(&folder)).await?;
    let tested = test(&cluster).await;
    if tested.is_err() {
        cluster.print_what_is_there().await;
    }
    // The next test has the machine to itself.
    let removed = cluster.kubectl(&["delete", "namespace", &cluster.namespace, "--timeout=50s"]).await;
    tested.and(removed?.ok().map(drop))
}

/// What an address answers to a plain GET, over a connection of its own.
///
/// # Errors
/// When it does not answer within two seconds, or with a status of 400 and above.
pub async fn get(url: &str) -> anyhow::Result<String> {
    let endpoint = Endpoint { url: url.to_owned(), ca_pem: None, ready: "/".to_owned() };
    endpoint.get("/").await
}

/// Says why a test is not run; it is counted as skipped if it ends well.
pub fn skip(reason: &str) {
    println!("{SKIPPED}{reason}");
}

impl Cluster {
    async fn create(folder: &Path) -> anyhow::Result<Self> {
        let node = Node::attach(folder)?;
        let namespace = format!("t-{}", short_name()?);
        let kubeconfig = node.folder().join(format!("{namespace}.kubeconfig"));
        write_private(&kubeconfig, &in_namespace(&node.kubeconfig(), &namespace)?)?;
        let this = Self { client: node.client().await?, node, namespace, kubeconfig };
        this.kubectl(&["create", "namespace", &this.namespace]).await?.ok()?;
        Ok(this)
    }

    /// The node itself.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The test's namespace; kubectl and Helm use it where no other is named.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A client as administrator.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// A command of the tools' folder, in the test's namespace, for whoever needs more than [`Cluster::kubectl`].
    #[must_use]
    pub fn tool(&self, name: &str) -> Tool {
        Tool { env: self.node.environment(&self.kubeconfig), ..self.node.tool(name) }
    }

    /// kubectl as administrator; `--context=developer` is a user who may edit what teams edit.
    ///
    /// # Errors
    /// When it cannot be started or does not end within a minute.
    pub async fn kubectl(&self, args: &[&str]) -> anyhow::Result<Output> {
        self.tool("kubectl").run(args, None).await
    }

    /// kubectl as administrator, with this on its stdin.
    ///
    /// # Errors
    /// As [`Cluster::kubectl`].
    pub async fn kubectl_with(&self, args: &[&str], stdin: &str) -> anyhow::Result<Output> {
        self.tool("kubectl").run(args, Some(stdin)).await
    }

    /// Helm 4 as administrator.
    ///
    /// # Errors
    /// As [`Cluster::kubectl`].
    pub async fn helm(&self, args: &[&str]) -> anyhow::Result<Output> {
        self.tool("helm").run(args, None).await
    }

    /// Helm 3 as administrator.
    ///
    /// # Errors
    /// As [`Cluster::kubectl`].
    pub async fn helm3(&self, args: &[&str]) -> anyhow::Result<Output> {
        self.tool("helm3").run(args, None).await
    }

    /// As [`get`].
    ///
    /// # Errors
    /// As [`get`].
    pub async fn get(&self, url: &str) -> anyhow::Result<String> {
        get(url).await
    }

    /// The address of a Service of the test's namespace, as a URL.
    ///
    /// # Errors
    /// When there is none.
    pub async fn service(&self, name: &str) -> anyhow::Result<String> {
        let path = "jsonpath=http://{.spec.clusterIP}:{.spec.ports[0].port}";
        self.kubectl(&["get", "service", name, "-o", path]).await?.ok()
    }

    async fn print_what_is_there(&self) {
        for args in [
            &["get", "all,persistentvolumeclaims", "-o", "wide"][..],
            &["get", "events", "--sort-by=.lastTimestamp"],
            &["get", "pods", "-A", "-o", "wide"],
        ] {
            match self.kubectl(args).await {
                Ok(output) => eprintln!("{output}"),
                Err(error) => eprintln!("{error:#}"),
            }
        }
    }
}

/// The text of a kubeconfig file, with another default namespace.
fn in_namespace(kubeconfig: &Path, namespace: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(kubeconfig)?;
    let mut config: serde_json::Value = serde_norway::from_str(&text)?;
    let contexts = config["contexts"].as_array_mut().context("a kubeconfig file has contexts")?;
    for context in contexts {
        context["context"]["namespace"] = json!(namespace);
    }
    Ok(serde_norway::to_string(&config)?)
}
