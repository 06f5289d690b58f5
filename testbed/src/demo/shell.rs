//! The commands of the story: typed as a person would, shown as they are run, with their real output.

use std::path::PathBuf;

use super::console::Console;
use crate::Stack;
use crate::control_plane::DEVELOPER;
use crate::folder::binaries_folder;
use crate::run::{Output, Tool};

/// A developer at a terminal: kubectl with the plugin, and the NATS command line.
pub(super) struct Shell {
    kubectl: Tool,
    nats: Tool,
    console: Console,
}

impl Shell {
    pub(super) fn new(stack: &Stack, console: &Console) -> anyhow::Result<Self> {
        let tools = stack.control_plane.tools();
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let folders = [binaries_folder()?, tools.folder().to_owned()];
        let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&inherited)))?;
        let kubeconfig = stack.folder.join(format!("{DEVELOPER}.kubeconfig"));
        let text = |path: PathBuf| path.display().to_string();
        let env = [
            ("PATH".to_owned(), path.to_string_lossy().into_owned()),
            ("HOME".to_owned(), text(stack.folder.join("home"))),
            ("KUBECONFIG".to_owned(), text(kubeconfig)),
            ("NATS_URL".to_owned(), stack.nats.url().to_owned()),
        ];
        let tool = |name: &str| Tool { program: tools.path(name), args: vec![], env: env.to_vec() };
        Ok(Self { kubectl: tool("kubectl"), nats: tool("nats"), console: console.clone() })
    }

    /// `kubectl …`
    pub(super) async fn kubectl(&self, line: &str) -> anyhow::Result<Output> {
        self.run("kubectl", &self.kubectl, line, None).await
    }

    /// `kubectl … < file`
    pub(super) async fn kubectl_with(&self, line: &str, file: &str, text: &str) -> anyhow::Result<Output> {
        self.run("kubectl", &self.kubectl, line, Some((file, text))).await
    }

    /// `nats …`
    pub(super) async fn nats(&self, line: &str) -> anyhow::Result<Output> {
        self.run("nats", &self.nats, line, None).await
    }

    async fn run(
        &self,
        name: &str,
        tool: &Tool,
        line: &str,
        stdin: Option<(&str, &str)>,
    ) -> anyhow::Result<Output> {
        let from = stdin.map(|(file, _)| format!(" < {file}")).unwrap_or_default();
        self.console.line("");
        self.console.command(&format!("{name} {line}{from}"));
        let args: Vec<_> = line.split_whitespace().collect();
        let output = tool.run(&args, stdin.map(|(_, text)| text)).await?;
        self.console.output(&output);
        Ok(output)
    }
}
