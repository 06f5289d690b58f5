//! What a test sees in its cluster and its queue, and waits for.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Stack;
use crate::eventually::{PATIENCE, eventually};
use crate::kubeconfig;
use crate::release::service_account;
use crate::view::DeploymentView as _;

/// How long NATS may take to let us in.
const CONNECT: Duration = Duration::from_secs(5);

impl Stack {
    /// Objects of a kind in the first namespace, as administrator.
    #[must_use]
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        self.api_in(&self.namespace)
    }

    /// Objects of a kind in a namespace, as administrator.
    #[must_use]
    pub fn api_in<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Deployments of the first namespace.
    #[must_use]
    pub fn deployments(&self) -> Api<Deployment> {
        self.api()
    }

    /// A Deployment as it is now.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn deployment(&self, name: &str) -> anyhow::Result<Deployment> {
        Ok(self.deployments().get(name).await?)
    }

    /// The ReplicaSets of a Deployment, oldest first.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn replica_sets(&self, name: &str) -> anyhow::Result<Vec<ReplicaSet>> {
        let mut owned = self.list::<ReplicaSet>(&ListParams::default()).await?;
        owned.retain(|set| {
            let mut owners = set.metadata.owner_references.iter().flatten();
            owners.any(|owner| owner.kind == "Deployment" && owner.name == name)
        });
        owned.sort_by(|a, b| a.metadata.creation_timestamp.cmp(&b.metadata.creation_timestamp));
        Ok(owned)
    }

    /// The pods with the label `app: <name>` that are not being deleted.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn pods(&self, name: &str) -> anyhow::Result<Vec<Pod>> {
        let mut pods = self.list::<Pod>(&ListParams::default().labels(&format!("app={name}"))).await?;
        pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
        Ok(pods)
    }

    /// The Warning events of the first namespace, one line each.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn warning_events(&self) -> anyhow::Result<Vec<String>> {
        let events = self.list::<Event>(&ListParams::default().fields("type=Warning")).await?;
        let line = |event: Event| {
            let object = event.involved_object;
            let (kind, name) = (object.kind.unwrap_or_default(), object.name.unwrap_or_default());
            let (reason, message) = (event.reason.unwrap_or_default(), event.message.unwrap_or_default());
            format!("{kind}/{name} {reason}: {message}")
        };
        Ok(events.into_iter().map(line).collect())
    }

    /// Waits until a Deployment is as `is` says; `what` completes the sentence "Deployment web …".
    ///
    /// # Errors
    /// When it is not so in time; with how it was last.
    pub async fn deployment_that(
        &self,
        name: &str,
        what: &str,
        is: impl Fn(&Deployment) -> bool,
    ) -> anyhow::Result<Deployment> {
        let deployments = self.deployments();
        eventually(&format!("Deployment {name} {what}"), PATIENCE, async || {
            let seen = deployments.get(name).await?;
            anyhow::ensure!(is(&seen), "it is {}", seen.summary());
            Ok(seen)
        })
        .await
    }

    /// Waits until it is held.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn held(&self, name: &str) -> anyhow::Result<Deployment> {
        let held = |d: &Deployment| d.phase() == Some("held") && d.gate() == Some("closed");
        self.deployment_that(name, "is held", held).await
    }

    /// Waits until it is in flight.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn released(&self, name: &str) -> anyhow::Result<Deployment> {
        self.deployment_that(name, "is released", |d| d.phase() == Some("released")).await
    }

    /// Waits until its gate is not closed and all its pods are new and available.
    ///
    /// # Errors
    /// When it is not so in time.
    pub async fn rolled_out(&self, name: &str) -> anyhow::Result<Deployment> {
        let done = |d: &Deployment| d.gate() != Some("closed") && d.rolled_out();
        self.deployment_that(name, "is rolled out", done).await
    }

    /// Waits until it is rolled out and the executor is done with it, too.
    ///
    /// # Errors
    /// When it is not so in time.
    pub async fn succeeded(&self, name: &str) -> anyhow::Result<Deployment> {
        let done = |d: &Deployment| d.gate() != Some("closed") && d.phase().is_none() && d.rolled_out();
        self.deployment_that(name, "is rolled out and without a phase", done).await
    }

    /// A merge patch as administrator.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn patch(&self, name: &str, patch: Value) -> anyhow::Result<Deployment> {
        let patch = Patch::Merge(patch);
        Ok(self.deployments().patch(name, &PatchParams::default(), &patch).await?)
    }

    /// A client of the Kubernetes API as developer.
    ///
    /// # Errors
    /// When the kubeconfig file cannot be read.
    pub async fn developer_client(&self) -> anyhow::Result<kube::Client> {
        kubeconfig::client(&self.kubeconfig(crate::control_plane::DEVELOPER)).await
    }

    /// A client of the Kubernetes API as a ServiceAccount.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn service_account_client(&self, namespace: &str, name: &str) -> anyhow::Result<kube::Client> {
        let user = service_account(&self.client, namespace, name).await?;
        let path = self.kubeconfig(&format!("{namespace}-{name}"));
        kubeconfig::write(&path, self.control_plane.server(), &[user], namespace)?;
        kubeconfig::client(&path).await
    }

    /// A client of the test's nats-server.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn nats_client(&self) -> anyhow::Result<async_nats::Client> {
        let connected = tokio::time::timeout(CONNECT, self.nats.client()).await;
        connected.context("nats-server does not answer")?
    }

    /// JetStream of the test's nats-server.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn jetstream(&self) -> anyhow::Result<async_nats::jetstream::Context> {
        Ok(async_nats::jetstream::new(self.nats_client().await?))
    }

    fn kubeconfig(&self, user: &str) -> PathBuf {
        self.folder.join(format!("{user}.kubeconfig"))
    }

    async fn list<K>(&self, params: &ListParams) -> anyhow::Result<Vec<K>>
    where
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        Ok(self.api::<K>().list(params).await?.items)
    }
}
