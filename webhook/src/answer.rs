//! What the API server is answered.
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#response>

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::{Key, key::PHASE_LABEL};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// Longest warning that the API server passes on whole, in characters.
const WARNING: usize = 120;

/// The answer.
#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    /// Why the request is refused; `None` lets it through.
    pub denial: Option<Denial>,
    /// JSON Patch operations; none: nothing changes.
    pub patch: Vec<PatchOperation>,
    /// Sentences that the client shows to its user.
    pub warnings: Vec<String>,
    /// What the policies found, for the API server's audit log.
    pub audit: Option<String>,
}

/// One operation of a JSON Patch (RFC 6902).
#[derive(Clone, Debug, PartialEq)]
pub enum PatchOperation {
    /// Adds or replaces the member.
    Add(Path, Added),
    /// Removes the member.
    Remove(Path),
}

/// The value of a member that is added.
#[derive(Clone, Debug, PartialEq)]
pub enum Added {
    /// A map without members.
    EmptyMap,
    /// A text.
    Text(String),
    /// `true`
    True,
}

/// A member of a Deployment that we write; there are no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// All annotations.
    Annotations,
    /// An annotation of ours.
    Annotation(Key),
    /// An annotation by which a user gives an order, one of [`contract::key`].
    Order(&'static str),
    /// All labels.
    Labels,
    /// The label of ours.
    Phase,
    /// `spec.paused`
    Paused,
}

/// A refusal, as a `metav1.Status`.
#[derive(Clone, Debug, PartialEq)]
pub struct Denial {
    /// What the user reads.
    pub message: String,
    /// Causes, each by itself.
    pub causes: Vec<Cause>,
    /// The object, where it is no valid one; `None`: it may not be written.
    pub invalid: Option<Named>,
}

/// One cause of a refusal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cause {
    /// Path of the field, or the rule, that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A sentence for people.
    pub message: String,
    /// A type for machines.
    pub reason: &'static str,
}

/// An object by its kind and name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Named {
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

impl Denial {
    /// It may not be written.
    #[must_use]
    pub fn forbidden(message: String, causes: Vec<Cause>) -> Self {
        Self { message, causes, invalid: None }
    }
}

impl Cause {
    /// A cause that is about no field.
    #[must_use]
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { field: None, message: message.into(), reason }
    }

    /// A cause that is about a field.
    #[must_use]
    pub fn of_field(reason: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(reason, message) }
    }
}

impl Answer {
    /// The AdmissionReview to send back.
    #[must_use]
    pub fn encode(&self, uid: &str) -> Vec<u8> {
        let warnings: Vec<_> = self.warnings.iter().map(|text| cut(text)).collect();
        let patch = if self.patch.is_empty() { None } else { Some(STANDARD.encode(json(&self.patch))) };
        json(&Review {
            api_version: "admission.k8s.io/v1",
            kind: "AdmissionReview",
            response: Response {
                allowed: self.denial.is_none(),
                patch_type: patch.as_ref().map(|_| "JSONPatch"),
                patch,
                status: self.denial.as_ref().map(Status::of),
                audit_annotations: self.audit.as_deref().map(|found| Audit { found }),
                uid,
                warnings,
            },
        })
    }
}

/// JSON text of what has one in any case: texts, numbers, maps with keys that are texts.
fn json(value: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::with_capacity(1024);
    serde_json::to_writer(&mut text, value).expect("memory takes every byte and every key is a text");
    text
}

fn cut(warning: &str) -> &str {
    warning.char_indices().nth(WARNING).map_or(warning, |(end, _)| &warning[..end])
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_annotations: Option<Audit<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    uid: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'a str>,
}

#[derive(Serialize)]
struct Audit<'a> {
    /// The API server puts the webhook's name before it.
    #[serde(rename = "policy-findings")]
    found: &'a str,
}

#[derive(Serialize)]
struct Status<'a> {
    code: u16,
    details: Details<'a>,
    message: &'a str,
    reason: &'static str,
}

#[derive(Serialize)]
struct Details<'a> {
    causes: &'a [Cause],
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    invalid: Option<&'a Named>,
}

impl<'a> Status<'a> {
    /// kubectl shows the causes of an `Invalid` one by one with their fields, and of anything else the message.
    fn of(denial: &'a Denial) -> Self {
        let Denial { message, causes, invalid } = denial;
        let (code, reason) = if invalid.is_some() { (422, "Invalid") } else { (403, "Forbidden") };
        Self { code, details: Details { causes, invalid: invalid.as_ref() }, message, reason }
    }
}

impl Serialize for PatchOperation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut operation = serializer.serialize_map(None)?;
        match self {
            Self::Add(path, value) => {
                operation.serialize_entry("op", "add")?;
                operation.serialize_entry("path", path)?;
                operation.serialize_entry("value", value)?;
            }
            Self::Remove(path) => {
                operation.serialize_entry("op", "remove")?;
                operation.serialize_entry("path", path)?;
            }
        }
        operation.end()
    }
}

impl Serialize for Added {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::EmptyMap => serializer.serialize_map(Some(0))?.end(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::True => serializer.serialize_bool(true),
        }
    }
}

impl Serialize for Path {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (map, member) = match self {
            Self::Annotations => return f.write_str("/metadata/annotations"),
            Self::Annotation(key) => ("/metadata/annotations/", key.name()),
            Self::Order(key) => ("/metadata/annotations/", *key),
            Self::Labels => return f.write_str("/metadata/labels"),
            Self::Phase => ("/metadata/labels/", PHASE_LABEL),
            Self::Paused => return f.write_str("/spec/paused"),
        };
        f.write_str(map)?;
        // RFC 6901: `/` within a key is `~1`; there is no `~` in a key of ours.
        for (number, part) in member.split('/').enumerate() {
            f.write_str(if number == 0 { "" } else { "~1" })?;
            f.write_str(part)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_says_no_more_than_it_must() {
        let answer: serde_json::Value = serde_json::from_slice(&Answer::default().encode("u")).unwrap();
        assert_eq!(answer["response"], json!({"uid": "u", "allowed": true}));
    }

    #[test]
    fn a_warning_is_cut_where_the_api_server_would_drop_it() {
        let answer = Answer { warnings: vec!["ä".repeat(200)], ..Answer::default() };
        let answer: serde_json::Value = serde_json::from_slice(&answer.encode("u")).unwrap();
        assert_eq!(answer["response"]["warnings"][0].as_str().unwrap().chars().count(), 120);
    }
}
