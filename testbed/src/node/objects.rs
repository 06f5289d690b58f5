//! The objects that a fresh node gets: `CoreDNS`, a default `StorageClass` with volumes in folders, and what the developer
//! may do.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use serde_json::{Value, json};

use super::commands::NODE_NAME;
use super::{Node, plan};
use crate::control_plane::objects;
use crate::eventually::eventually;

/// From the objects' creation until names are resolved, on a busy machine.
const SETTLED: Duration = Duration::from_mins(2);
const DNS: &str = include_str!("dns.yaml");
/// Nobody makes volumes on demand here, and a used one is not used again.
const VOLUMES: usize = 40;

pub(super) async fn create(node: &Node, client: &kube::Client) -> anyhow::Result<()> {
    objects::create(client, 0).await?;
    // The API server makes it itself, soon after it is ready.
    let namespaces = Api::<Namespace>::all(client.clone());
    eventually("the namespace kube-system is there", SETTLED, async || {
        Ok(namespaces.get("kube-system").await?)
    })
    .await?;
    let folder = plan::data(node.folder()).join("volumes");
    let mut objects = DNS.to_owned();
    for object in std::iter::once(storage_class()).chain((1..=VOLUMES).map(|number| volume(&folder, number)))
    {
        objects = objects + "---\n" + &object.to_string() + "\n";
    }
    for number in 1..=VOLUMES {
        std::fs::create_dir_all(folder.join(number.to_string()))?;
    }
    node.tool("kubectl").run(&["create", "-f", "-"], Some(&objects)).await?.ok().map(drop)
}

/// Waits until the node takes pods and names are resolved.
pub(super) async fn wait_until_usable(client: &kube::Client) -> anyhow::Result<()> {
    objects::wait_until_usable(client, 1).await?;
    let deployments = Api::<Deployment>::namespaced(client.clone(), "kube-system");
    eventually("CoreDNS is available", SETTLED, async || {
        let status = deployments.get("coredns").await?.status.unwrap_or_default();
        anyhow::ensure!(status.available_replicas == Some(1), "{status:?}");
        Ok(())
    })
    .await
}

/// Waits with binding until a pod wants the claim, as classes of real clusters do.
fn storage_class() -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "local",
            "annotations": { "storageclass.kubernetes.io/is-default-class": "true" },
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    })
}

fn volume(folder: &std::path::Path, number: usize) -> Value {
    let here = json!({ "key": "kubernetes.io/hostname", "operator": "In", "values": [NODE_NAME] });
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": format!("local-{number}") },
        "spec": {
            "capacity": { "storage": "20Gi" },
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "local",
            "local": { "path": folder.join(number.to_string()) },
            "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [here] }] } },
        },
    })
}
