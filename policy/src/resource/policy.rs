//! `ReleasePolicy` and `ClusterReleasePolicy`.

use contract::Lane;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Check, PolicyStatus, Validation, Window, schema};

/// The rules for the changes of some Deployments of one namespace. Every rule is optional; where several policies
/// select a Deployment, all of them hold, and the most restrictive decides.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "roadstead.dev",
    version = "v1alpha1",
    kind = "ReleasePolicy",
    namespaced,
    status = "PolicyStatus",
    shortname = "rp",
    category = "roadstead",
    doc = "The rules for the changes of some Deployments of one namespace.",
    printcolumn = r#"{"name":"Mode","type":"string","jsonPath":".spec.mode","description":"Whether it is obeyed, or only recorded"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status","description":"Whether everything in it could be read"}"#,
    printcolumn = r#"{"name":"Waiting","type":"integer","jsonPath":".status.waiting","description":"Changes that wait for a rule of it"}"#,
    printcolumn = r#"{"name":"In-Flight","type":"integer","jsonPath":".status.inFlight","description":"Rollouts in flight that it selects"}"#,
    printcolumn = r#"{"name":"Paused","type":"string","jsonPath":".status.paused.change","description":"The change whose failure paused its queue"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ReleasePolicySpec {
    /// Which Deployments, by their labels; absent or empty: every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::selector")]
    pub selector: Option<LabelSelector>,
    /// `Enforce`, or `Observe`: record what would have been held or denied, without doing it.
    #[serde(default)]
    pub mode: Mode,
    /// Expressions that a change must satisfy when it is submitted and again when it is let through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub validations: Vec<Validation>,
    /// When changes may be let through. With allow windows, one of them must be open; no freeze window may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub windows: Vec<Window>,
    /// Who has to agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Approvals")]
    pub approvals: Option<Approvals>,
    /// How many, how often, after whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Limits")]
    pub limits: Option<Limits>,
    /// Lane of a change whose Deployment does not ask for one; decided when it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PolicyLane")]
    pub lane: Option<PolicyLane>,
    /// How often a refused change is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Retries")]
    pub retries: Option<Retries>,
    /// What becomes of a Deployment whose rollout fails; it comes before the Deployment's own annotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OnFailure")]
    pub on_failure: Option<OnFailure>,
    /// How long a complete rollout must stay complete before it counts as succeeded: `5m`, `1h30m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub soak: Option<String>,
    /// What must hold after the soak before the rollout counts as succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub checks: Vec<Check>,
}

/// The floor: rules for the changes of Deployments in many namespaces, that no namespace can weaken.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "roadstead.dev",
    version = "v1alpha1",
    kind = "ClusterReleasePolicy",
    plural = "clusterreleasepolicies",
    status = "PolicyStatus",
    shortname = "crp",
    category = "roadstead",
    doc = "The rules for the changes of Deployments in many namespaces, that no namespace can weaken.",
    printcolumn = r#"{"name":"Mode","type":"string","jsonPath":".spec.mode","description":"Whether it is obeyed, or only recorded"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status","description":"Whether everything in it could be read"}"#,
    printcolumn = r#"{"name":"Waiting","type":"integer","jsonPath":".status.waiting","description":"Changes that wait for a rule of it"}"#,
    printcolumn = r#"{"name":"In-Flight","type":"integer","jsonPath":".status.inFlight","description":"Rollouts in flight that it selects"}"#,
    printcolumn = r#"{"name":"Paused","type":"string","jsonPath":".status.paused.change","description":"The change whose failure paused its queue"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterReleasePolicySpec {
    /// Which namespaces, by their labels; absent or empty: every one that is opted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::selector")]
    pub namespace_selector: Option<LabelSelector>,
    /// The rules, as in a `ReleasePolicy`.
    #[serde(flatten)]
    pub rules: ReleasePolicySpec,
}

/// Whether a policy is obeyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// It is obeyed.
    #[default]
    Enforce,
    /// It is recorded what would have been held or denied, and nothing is done.
    Observe,
}

/// Who has to agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approvals {
    /// Different people who have to approve, none of them the one who requested the change.
    #[schemars(with = "i32", range(min = 1, max = 32))]
    pub required: u32,
    /// How long an approval counts: `24h`; absent: as long as the change waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub expire_after: Option<String>,
}

/// How many, how often, after whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1))]
pub struct Limits {
    /// Rollouts that this policy has in flight at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 10000))]
    pub slots: Option<u32>,
    /// Least time between two releases of one Deployment: `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub min_interval: Option<String>,
    /// Deployments of the same namespace that come first: a change is let through when none of them waits, rolls out
    /// or has failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::deployments")]
    pub after: Vec<String>,
}

/// A lane, as policies write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PolicyLane {
    /// Before all others.
    Urgent,
    /// In between.
    Normal,
    /// After all others.
    Bulk,
}

impl From<PolicyLane> for Lane {
    fn from(lane: PolicyLane) -> Self {
        match lane {
            PolicyLane::Urgent => Self::Urgent,
            PolicyLane::Normal => Self::Normal,
            PolicyLane::Bulk => Self::Bulk,
        }
    }
}

/// How often a refused change is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retries {
    /// Refusals after which it is given up.
    #[schemars(with = "i32", range(min = 1, max = 1000))]
    pub attempts: u32,
}

/// What becomes of a Deployment whose rollout fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnFailure {
    /// The failed template stays.
    Keep,
    /// The last good template is brought back.
    Rollback,
    /// The failed template stays, and nothing more of this policy is let through until a person resumes it.
    Pause,
}
