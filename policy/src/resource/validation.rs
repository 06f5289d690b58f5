//! The expressions of a policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// One expression.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// Names the rule in messages.
    #[schemars(schema_with = "schema::name")]
    pub name: String,
    /// CEL over `object`, `oldObject`, `request` and `namespaceObject`; true: the change may pass.
    #[schemars(length(min = 1, max = 10240))]
    pub expression: String,
    /// What its user reads where it is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 512), regex(pattern = r"^[^\n\r]*$"))]
    pub message: Option<String>,
    /// CEL that makes that message; comes before `message`, which is used where this one fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 5120))]
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
