//! `ReleasePolicy` and `ClusterReleasePolicy`.

use contract::Lane;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PolicyStatus;

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
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ReleasePolicySpec {
    /// Which Deployments, by their labels; absent or empty: every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// `Enforce`, or `Observe`: record what would have been held or denied, without doing it.
    #[serde(default)]
    pub mode: Mode,
    /// Expressions that a change must satisfy when it is submitted and again when it is let through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validations: Vec<Validation>,
    /// When changes may be let through. With allow windows, one of them must be open; no freeze window may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Who has to agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Approvals>,
    /// How many, how often, after whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Lane of a change whose Deployment does not ask for one; decided when it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<PolicyLane>,
    /// How often a refused change is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
    /// What becomes of a Deployment whose rollout fails; it comes before the Deployment's own annotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// How long a complete rollout must stay complete before it counts as succeeded: `5m`, `1h30m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<String>,
    /// What must hold after the soak before the rollout counts as succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterReleasePolicySpec {
    /// Which namespaces, by their labels; absent or empty: every one that is opted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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

/// One expression.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// Names the rule in messages.
    pub name: String,
    /// CEL over `object`, `oldObject`, `request` and `namespaceObject`; true: the change may pass.
    pub expression: String,
    /// What its user reads where it is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// CEL that makes that message; comes before `message`, which is used where this one fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_expression: Option<String>,
    /// `Deny`, or `Warn`: tell the user and let it pass.
    #[serde(default)]
    pub action: Action,
    /// What becomes of a change whose expression fails at run time: `Fail` denies it (or warns), `Ignore` lets it pass.
    #[serde(default)]
    pub failure_policy: FailureMode,
}

/// What becomes of a change that a validation finds wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Action {
    /// It is denied.
    #[default]
    Deny,
    /// Its user is warned.
    Warn,
}

/// What becomes of a change whose expression fails at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FailureMode {
    /// As if the expression were false.
    #[default]
    Fail,
    /// As if it were true.
    Ignore,
}

/// A time that comes again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// Names the window in messages.
    pub name: String,
    /// `Allow` or `Freeze`.
    pub kind: WindowKind,
    /// When it begins: cron of five fields, in the time zone.
    pub schedule: String,
    /// How long it is open: `8h`, `30m`.
    pub duration: String,
    /// IANA name of the time zone; absent: `UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Whether urgent changes are let through whatever this window says.
    #[serde(default)]
    pub allow_urgent: bool,
}

/// What an open window means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WindowKind {
    /// Changes are let through while one is open.
    Allow,
    /// No change is let through while one is open.
    Freeze,
}

/// Who has to agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approvals {
    /// Different people who have to approve, none of them the one who requested the change.
    pub required: u32,
    /// How long an approval counts: `24h`; absent: as long as the change waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_after: Option<String>,
}

/// How many, how often, after whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Rollouts that this policy has in flight at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Least time between two releases of one Deployment: `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_interval: Option<String>,
    /// Deployments of the same namespace that come first: a change is let through when none of them waits, rolls out
    /// or has failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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

/// What must hold before a rollout counts as succeeded; exactly one of `promql` and `job`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Names the check in messages.
    pub name: String,
    /// A query to Prometheus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promql: Option<PromQlCheck>,
    /// A Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobCheck>,
    /// How long it may take to succeed: `5m`, which is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}

/// A query to Prometheus: it succeeds when it gives at least one sample and none that is 0 or not a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromQlCheck {
    /// Name of an endpoint that the administrator allowed.
    pub endpoint: String,
    /// The query; `$namespace` and `$deployment` stand for the names.
    pub query: String,
}

/// A Job, made from the template of a CronJob in the same namespace as `kubectl create job --from` does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobCheck {
    /// Name of the CronJob; it may be suspended.
    pub cron_job: String,
}
