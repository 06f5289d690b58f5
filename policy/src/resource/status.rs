//! What Roadstead says of policies and freezes.

use contract::ChangeId;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What Roadstead says of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// The generation that the rest speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub observed_generation: Option<i64>,
    /// `Ready`: every expression, window and duration could be read. `Paused`: its queue waits for a person.
    /// `ExpressionsHold`: no expression failed at run time lately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Changes that wait for a rule of this policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub waiting: Option<i64>,
    /// Rollouts in flight that this policy selects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub in_flight: Option<i64>,
    /// Why its queue is paused; absent: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Paused")]
    pub paused: Option<Paused>,
}

/// Why the queue of a policy is paused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Paused {
    /// Since when.
    pub since: Time,
    /// Namespace of the Deployment that failed.
    pub namespace: String,
    /// Name of the Deployment that failed.
    pub deployment: String,
    /// The change that failed; whoever resumes names it.
    #[schemars(with = "String")]
    pub change: ChangeId,
    /// What went wrong.
    pub reason: String,
}

/// What Roadstead says of a freeze.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreezeStatus {
    /// The generation that the rest speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub observed_generation: Option<i64>,
    /// `Active`: it holds changes now; otherwise it is yet to begin, or over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Changes that wait for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub waiting: Option<i64>,
}
