//! What must hold before a rollout counts as succeeded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// What must hold before a rollout counts as succeeded; exactly one of `promql` and `job`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    { "rule": "has(self.promql) != has(self.job)", "message": "exactly one of promql and job has to be given" }
]))]
pub struct Check {
    /// Names the check in messages.
    #[schemars(schema_with = "schema::name")]
    pub name: String,
    /// A query to Prometheus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PromQlCheck")]
    pub promql: Option<PromQlCheck>,
    /// A Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "JobCheck")]
    pub job: Option<JobCheck>,
    /// How long it may take to succeed: `5m`, which is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub timeout: Option<String>,
}

/// A query to Prometheus: it succeeds when it gives at least one sample and none that is 0 or not a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromQlCheck {
    /// Name of an endpoint that the administrator allowed.
    #[schemars(schema_with = "schema::name")]
    pub endpoint: String,
    /// The query; `$namespace` and `$deployment` stand for the names.
    #[schemars(length(min = 1, max = 4096))]
    pub query: String,
}

/// A Job, made from the template of a CronJob in the same namespace as `kubectl create job --from` does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobCheck {
    /// Name of the CronJob; it may be suspended.
    // As long as Kubernetes lets the name of a CronJob be.
    #[schemars(length(min = 1, max = 52), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub cron_job: String,
}
