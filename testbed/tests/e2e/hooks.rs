//! What the chart gives to Helm for a moment, run as Helm has it run: the hook's own rights and arguments, and the CLI
//! of the image.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::{Output, Stack, folder::binaries_folder, release::Release, run::Tool};

/// The CLI with that kubeconfig.
pub(crate) fn cli(kubeconfig: &Path) -> Result<Tool> {
    let env = vec![("KUBECONFIG".to_owned(), kubeconfig.display().to_string())];
    Ok(Tool { program: binaries_folder()?.join("kubectl-roadstead"), args: vec![], env })
}

/// The CLI of an administrator.
pub(crate) fn admin(t: &Stack) -> Result<Tool> {
    cli(&t.folder.join("admin.kubeconfig"))
}

/// A hook whose rights are in the cluster.
pub(crate) struct Hook {
    tool: Tool,
    args: Vec<String>,
}

impl Hook {
    /// Applies what the hook of that event has made, but for the pod: that is this process.
    pub(crate) async fn prepare(t: &Stack, event: &str) -> Result<Self> {
        let (chart, values) = (Release::chart(), t.folder.join("values.json"));
        let (chart, values) = (chart.display().to_string(), values.display().to_string());
        let render = ["template", &t.release, &chart, "--namespace", &t.release, "--values", &values];
        let rendered = t.helm4(&render).await?.ok()?;
        let mut objects = Vec::new();
        for text in rendered.split("\n---\n") {
            let object: Value = serde_norway::from_str(text)?;
            if object["metadata"]["annotations"]["helm.sh/hook"] == event {
                objects.push(object);
            }
        }
        let (pods, rights): (Vec<_>, Vec<_>) =
            objects.into_iter().partition(|object| object["kind"] == "Job" || object["kind"] == "Pod");
        let [pod] = &pods[..] else { anyhow::bail!("{} pods", pods.len()) };
        let pod = if pod["kind"] == "Job" { &pod["spec"]["template"]["spec"] } else { &pod["spec"] };
        let account = pod["serviceAccountName"].as_str().context("a ServiceAccount")?;
        ensure!(pod["containers"][0]["command"][0] == "/kubectl-roadstead", "{pod}");
        let args = serde_json::from_value(pod["containers"][0]["args"].clone())?;
        let applied = rights.iter().map(|object| format!("---\n{object}")).collect::<Vec<_>>().join("\n");
        t.admin_kubectl_with(&["apply", "--server-side", "-f", "-"], &applied).await?.ok()?;
        t.service_account_client(&t.release, account).await?;
        let tool = cli(&t.folder.join(format!("{}-{account}.kubeconfig", t.release)))?;
        Ok(Self { tool, args })
    }

    /// Runs it to its end, with more arguments.
    pub(crate) async fn run(&self, more: &[&str]) -> Result<Output> {
        let args: Vec<_> = self.args.iter().map(String::as_str).chain(more.iter().copied()).collect();
        self.tool.run(&args, None).await
    }
}
