//! `Freeze` and `ClusterFreeze`: nothing is let through until they end.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FreezeStatus, schema};

/// Nothing of some Deployments of one namespace is let through until it ends or is deleted.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "roadstead.dev",
    version = "v1alpha1",
    kind = "Freeze",
    namespaced,
    status = "FreezeStatus",
    shortname = "fz",
    category = "roadstead",
    doc = "Nothing of some Deployments of one namespace is let through until it ends or is deleted.",
    printcolumn = r#"{"name":"Until","type":"string","jsonPath":".spec.until","description":"When it ends"}"#,
    printcolumn = r#"{"name":"Active","type":"string","jsonPath":".status.conditions[?(@.type==\"Active\")].status","description":"Whether it holds changes now"}"#,
    printcolumn = r#"{"name":"Owner","type":"string","jsonPath":".spec.owner","description":"Who can be asked"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".spec.reason","description":"Why"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    { "rule": "!has(self.from) || self.until > self.from", "message": "until has to be later than from", "fieldPath": ".until" }
]))]
pub struct FreezeSpec {
    /// Which Deployments, by their labels; absent or empty: every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::selector")]
    pub selector: Option<LabelSelector>,
    /// Why, for those whose changes wait.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^[^\n\r]*$"))]
    pub reason: String,
    /// Who can be asked.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[^\n\r]*$"))]
    pub owner: String,
    /// When it begins; absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
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
    shortname = "cfz",
    category = "roadstead",
    doc = "Nothing of the Deployments of many namespaces is let through until it ends or is deleted.",
    printcolumn = r#"{"name":"Until","type":"string","jsonPath":".spec.until","description":"When it ends"}"#,
    printcolumn = r#"{"name":"Active","type":"string","jsonPath":".status.conditions[?(@.type==\"Active\")].status","description":"Whether it holds changes now"}"#,
    printcolumn = r#"{"name":"Owner","type":"string","jsonPath":".spec.owner","description":"Who can be asked"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".spec.reason","description":"Why"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterFreezeSpec {
    /// Which namespaces, by their labels; absent or empty: every one that is opted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::selector")]
    pub namespace_selector: Option<LabelSelector>,
    /// The freeze, as in a `Freeze`.
    #[serde(flatten)]
    pub freeze: FreezeSpec,
}
