//! The objects a fresh control plane gets: fake nodes, and what the developer may do. And what must have
//! happened in it before a first Deployment rolls out without delay.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Api, ListParams, PostParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::DEVELOPER;
use crate::eventually::eventually;

/// From the API server's start to nodes that take pods; seconds, but on a busy machine more of them.
const SETTLED: Duration = Duration::from_mins(1);
const NAMESPACE_READER: &str = "testbed-namespace-reader";
const URGENT: &str = "testbed-urgent";

/// Creates nodes and the developer's rights.
pub(crate) async fn create(client: &kube::Client, nodes: usize) -> anyhow::Result<()> {
    for number in 0..nodes {
        make::<Node>(client, node(&format!("node-{number}"))).await?;
    }
    let reader = json!({
        "metadata": { "name": NAMESPACE_READER },
        "rules": [{ "apiGroups": [""], "resources": ["namespaces", "nodes"], "verbs": ["get", "list", "watch"] }],
    });
    make::<ClusterRole>(client, reader).await?;
    // Where no policy of Roadstead asks for the verb, this says nothing.
    let urgent = json!({
        "metadata": { "name": URGENT },
        "rules": [{ "apiGroups": ["roadstead.dev"], "resources": ["changes"], "verbs": ["urgent"] }],
    });
    make::<ClusterRole>(client, urgent).await?;
    make::<ClusterRoleBinding>(client, binding("testbed-developer-urgent", URGENT)).await?;
    make::<ClusterRoleBinding>(client, binding("testbed-developer-edits", "edit")).await?;
    make::<ClusterRoleBinding>(client, binding("testbed-developer-reads", NAMESPACE_READER)).await
}

/// Waits until nodes are ready, the role `edit` is filled and ServiceAccounts appear.
pub(crate) async fn wait_until_usable(client: &kube::Client, nodes: usize) -> anyhow::Result<()> {
    let accounts = Api::<ServiceAccount>::default_namespaced(client.clone());
    let roles = Api::<ClusterRole>::all(client.clone());
    let all = Api::<Node>::all(client.clone());
    eventually("the control plane serves Deployments", SETTLED, async || {
        let edit = roles.get("edit").await?;
        anyhow::ensure!(edit.rules.is_some_and(|rules| !rules.is_empty()), "the ClusterRole edit is empty");
        let ready =
            all.list(&ListParams::default()).await?.items.iter().filter(|node| takes_pods(node)).count();
        anyhow::ensure!(ready == nodes, "{ready} of {nodes} nodes take pods");
        accounts.get("default").await?;
        Ok(())
    })
    .await
}

fn takes_pods(node: &Node) -> bool {
    let untainted = node.spec.as_ref().is_none_or(|s| s.taints.as_ref().is_none_or(Vec::is_empty));
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref());
    untainted && conditions.unwrap_or_default().iter().any(|c| c.type_ == "Ready" && c.status == "True")
}

fn node(name: &str) -> Value {
    json!({
        "metadata": {
            "name": name,
            "annotations": { "kwok.x-k8s.io/node": "fake" },
            "labels": { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" },
        },
        "status": { "allocatable": room(), "capacity": room() },
    })
}

fn room() -> Value {
    json!({ "cpu": "1000", "memory": "4Ti", "pods": "10000" })
}

fn binding(name: &str, role: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": DEVELOPER }],
    })
}

async fn make<K>(client: &kube::Client, object: Value) -> anyhow::Result<()>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned,
{
    let object: K = serde_json::from_value(object)?;
    Api::<K>::all(client.clone()).create(&PostParams::default(), &object).await?;
    Ok(())
}
