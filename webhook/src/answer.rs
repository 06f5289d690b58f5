//! What the API server is answered.
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#response>

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

/// Longest warning that the API server passes on whole, in characters.
const WARNING: usize = 120;

/// The answer.
#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    /// Why the request is refused; `None` lets it through.
    pub denial: Option<Denial>,
    /// JSON Patch operations, already encoded; empty: nothing changes.
    pub patch: Vec<PatchOperation>,
    /// Sentences that the client shows to its user.
    pub warnings: Vec<String>,
}

/// One operation of a JSON Patch (RFC 6902).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PatchOperation {
    /// `add` or `remove`.
    pub op: &'static str,
    /// JSON Pointer to the member.
    pub path: String,
    /// The new value of an `add`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Value>,
}

/// A refusal, as a `metav1.Status`.
#[derive(Clone, Debug, PartialEq)]
pub struct Denial {
    /// What the user reads.
    pub message: String,
    /// Causes: a type for machines, a sentence for people.
    pub causes: Vec<(&'static str, String)>,
}

impl Answer {
    /// The AdmissionReview to send back.
    #[must_use]
    pub fn encode(&self, uid: &str) -> Vec<u8> {
        let mut response = serde_json::json!({"uid": uid, "allowed": self.denial.is_none()});
        if let Some(denial) = &self.denial {
            let causes: Vec<_> = denial
                .causes
                .iter()
                .map(|(reason, message)| serde_json::json!({"reason": reason, "message": message}))
                .collect();
            response["status"] = serde_json::json!({
                "code": 403, "reason": "Forbidden", "message": denial.message, "details": {"causes": causes},
            });
        }
        if !self.patch.is_empty() {
            let patch = serde_json::json!(self.patch).to_string();
            response["patchType"] = "JSONPatch".into();
            response["patch"] = STANDARD.encode(patch).into();
        }
        if !self.warnings.is_empty() {
            let warnings: Vec<String> =
                self.warnings.iter().map(|text| text.chars().take(WARNING).collect()).collect();
            response["warnings"] = warnings.into();
        }
        let review = serde_json::json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
        review.to_string().into_bytes()
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
