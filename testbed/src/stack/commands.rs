//! The commands of a test, in its first namespace, each with its environment.

use std::path::Path;

use super::{Commands, Stack};
use crate::control_plane::ControlPlane;
use crate::fixtures::DeploymentFixture;
use crate::folder::binaries_folder;
use crate::kubeconfig::{self, User};
use crate::run::{Output, Tool};

impl Commands {
    pub(super) fn new(
        control_plane: &ControlPlane,
        folder: &Path,
        namespace: &str,
        nats_url: &str,
    ) -> anyhow::Result<Self> {
        let home = ("HOME".to_owned(), control_plane.folder().join("home").display().to_string());
        let kubeconfig = |user: &User| {
            let path = folder.join(format!("{}.kubeconfig", user.name));
            kubeconfig::write(&path, control_plane.server(), std::slice::from_ref(user), namespace)?;
            // kubectl finds its plugin, our CLI, in PATH.
            let path_with_plugin =
                format!("{}:{}", binaries_folder()?.display(), std::env::var("PATH").unwrap_or_default());
            Ok::<_, anyhow::Error>(vec![
                home.clone(),
                ("KUBECONFIG".to_owned(), path.display().to_string()),
                ("PATH".to_owned(), path_with_plugin),
            ])
        };
        let tool = |name: &str, env: &[(String, String)]| Tool {
            program: control_plane.tools().path(name),
            args: vec![],
            env: env.to_vec(),
        };
        let admin = kubeconfig(&control_plane.identities().admin)?;
        let developer = kubeconfig(&control_plane.identities().developer)?;
        let nats = [home.clone(), ("NATS_URL".to_owned(), nats_url.to_owned())];
        Ok(Self {
            kubectl: tool("kubectl", &developer),
            admin_kubectl: tool("kubectl", &admin),
            helm3: tool("helm3", &admin),
            helm4: tool("helm", &admin),
            nats: tool("nats", &nats),
        })
    }
}

impl Stack {
    /// kubectl as developer.
    ///
    /// # Errors
    /// When it cannot be started or does not end within a minute.
    pub async fn kubectl(&self, args: &[&str]) -> anyhow::Result<Output> {
        self.tools.kubectl.run(args, None).await
    }

    /// kubectl as developer, with this on its stdin.
    ///
    /// # Errors
    /// As [`Stack::kubectl`].
    pub async fn kubectl_with(&self, args: &[&str], stdin: &str) -> anyhow::Result<Output> {
        self.tools.kubectl.run(args, Some(stdin)).await
    }

    /// kubectl as administrator.
    ///
    /// # Errors
    /// As [`Stack::kubectl`].
    pub async fn admin_kubectl(&self, args: &[&str]) -> anyhow::Result<Output> {
        self.tools.admin_kubectl.run(args, None).await
    }

    /// kubectl as administrator, with this on its stdin.
    ///
    /// # Errors
    /// As [`Stack::kubectl`].
    pub async fn admin_kubectl_with(&self, args: &[&str], stdin: &str) -> anyhow::Result<Output> {
        self.tools.admin_kubectl.run(args, Some(stdin)).await
    }

    /// Helm 3 as administrator.
    ///
    /// # Errors
    /// As [`Stack::kubectl`].
    pub async fn helm3(&self, args: &[&str]) -> anyhow::Result<Output> {
        self.tools.helm3.run(args, None).await
    }

    /// Helm 4 as administrator.
    ///
    /// # Errors
    /// As [`Stack::kubectl`].
    pub async fn helm4(&self, args: &[&str]) -> anyhow::Result<Output> {
        self.tools.helm4.run(args, None).await
    }

    /// The NATS command line, connected to the test's server.
    ///
    /// # Errors
    /// As [`Stack::kubectl`].
    pub async fn nats_cli(&self, args: &[&str]) -> anyhow::Result<Output> {
        self.tools.nats.run(args, None).await
    }

    /// `kubectl apply` as developer.
    ///
    /// # Errors
    /// As [`Stack::kubectl`].
    pub async fn apply(&self, deployment: &DeploymentFixture) -> anyhow::Result<Output> {
        self.kubectl_with(&["apply", "-f", "-"], &deployment.yaml()).await
    }
}
