//! When does a Roadstead that was just installed serve a namespace? Processes that are ready are not enough:
//! the API server and the executor learn of it a moment later.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use serde_json::json;

use crate::eventually::{PATIENCE, eventually};
use crate::fixtures::deployment;
use crate::view::DeploymentView as _;

/// Waits until the API server calls both webhooks for this namespace; asked by dry runs.
///
/// # Errors
/// When it does not in time.
pub async fn held(client: &kube::Client, namespace: &str) -> anyhow::Result<()> {
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let probe = deployment("testbed-probe").object();
    let deployments = Api::<Deployment>::namespaced(client.clone(), namespace);
    let replica_sets = Api::<ReplicaSet>::namespaced(client.clone(), namespace);
    eventually("a Deployment is held and its gate is guarded", PATIENCE, async || {
        let held = deployments.create(&dry, &probe).await?;
        anyhow::ensure!(held.gate() == Some("closed"), "the hold webhook is not called: {}", held.summary());
        match replica_sets.create(&dry, &replica_set_of(&held)?).await {
            Err(kube::Error::Api(status)) if status.code == 403 => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => anyhow::bail!("the gate webhook is not called"),
        }
    })
    .await
}

/// Waits until the executor has swept these namespaces: it writes down which.
///
/// # Errors
/// When it does not in time.
pub async fn swept(
    client: &kube::Client,
    release_namespace: &str,
    fullname: &str,
    namespaces: &[String],
) -> anyhow::Result<()> {
    let records = Api::<ConfigMap>::namespaced(client.clone(), release_namespace);
    let name = format!("{fullname}-namespaces");
    eventually("the executor has swept the namespaces", PATIENCE, async || {
        let data = records.get(&name).await?.data.unwrap_or_default();
        let missing: Vec<_> = namespaces.iter().filter(|name| !data.contains_key(*name)).collect();
        anyhow::ensure!(missing.is_empty(), "not swept: {missing:?}");
        Ok(())
    })
    .await
}

/// The ReplicaSet that the controller would create for this Deployment.
///
/// # Errors
/// When the Deployment has no form in JSON.
pub fn replica_set_of(owner: &Deployment) -> anyhow::Result<ReplicaSet> {
    let owner = serde_json::to_value(owner)?;
    let (metadata, spec) = (&owner["metadata"], &owner["spec"]);
    Ok(serde_json::from_value(json!({
        "metadata": {
            "name": "testbed-probe",
            "annotations": metadata["annotations"],
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "Deployment", "controller": true,
                "name": metadata["name"], "uid": metadata["uid"],
            }],
        },
        "spec": { "replicas": 1, "selector": spec["selector"], "template": spec["template"] },
    }))?)
}
