//! The windows of a policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// A time that comes again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// Names the window in messages.
    #[schemars(schema_with = "schema::name")]
    pub name: String,
    /// `Allow`: changes are let through while one is open; `Freeze`: none is while this one is.
    pub kind: WindowKind,
    /// When it begins: cron of five fields, in the time zone.
    #[schemars(schema_with = "schema::schedule")]
    pub schedule: String,
    /// How long it is open: `8h`, `30m`.
    #[schemars(schema_with = "schema::duration")]
    pub duration: String,
    /// IANA name of the time zone; absent: `UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "String",
        length(min = 1, max = 64),
        regex(pattern = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$")
    )]
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
