//! `Freeze` and `ClusterFreeze`: nothing is let through until they end.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FreezeStatus;

/// Nothing of some Deployments of one namespace is let through until it ends or is deleted.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "roadstead.dev",
    version = "v1alpha1",
    kind = "Freeze",
    namespaced,
    status = "FreezeStatus",
    category = "roadstead",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct FreezeSpec {
    /// Which Deployments, by their labels; absent or empty: every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// Why, for those whose changes wait.
    pub reason: String,
    /// Who can be asked.
    pub owner: String,
    /// When it begins; absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// When it ends.
    pub until: Time,
    /// Whether urgent changes are let through all the same.
    #[serde(default)]
    pub allow_urgent: bool,
}

/// Nothing of the Deployments of many namespaces is let through until it ends or is deleted.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "roadstead.dev",
    version = "v1alpha1",
    kind = "ClusterFreeze",
    status = "FreezeStatus",
    category = "roadstead",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterFreezeSpec {
    /// Which namespaces, by their labels; absent or empty: every one that is opted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// The freeze, as in a `Freeze`.
    #[serde(flatten)]
    pub freeze: FreezeSpec,
}
