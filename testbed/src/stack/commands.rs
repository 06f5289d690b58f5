//! The commands of a test, in its first namespace.

use super::Stack;
use crate::fixtures::DeploymentFixture;
use crate::run::Output;

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
