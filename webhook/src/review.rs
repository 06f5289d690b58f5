//! The AdmissionReview: what the API server asks, read without copying.
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#request>

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Why a review cannot be answered: the sender gets 400 and this text.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// The body is not the JSON of an AdmissionReview.
    #[error("not an AdmissionReview: {0}")]
    Json(serde_json::Error),
    /// Another kind or version.
    #[error("{kind} of {api_version} is not supported: send AdmissionReview of admission.k8s.io/v1")]
    Kind {
        /// `apiVersion` of the body.
        api_version: String,
        /// `kind` of the body.
        kind: String,
    },
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field has a value that it cannot have.
    #[error("{field}: {problem}")]
    Field {
        /// Its path in the review.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: Option<Request<'a>>,
}

/// The question.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    /// Echoed in the answer.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// The resource that is written.
    #[serde(borrow)]
    pub resource: Resource<'a>,
    /// `status` or another part of it; absent for the main resource.
    pub sub_resource: Option<String>,
    /// Name of the object; may be empty on CREATE with generateName.
    pub name: Option<String>,
    /// Namespace of the object.
    pub namespace: Option<String>,
    /// CREATE, UPDATE, DELETE or CONNECT.
    #[serde(borrow)]
    pub operation: Cow<'a, str>,
    /// Who asks.
    pub user_info: UserInfo,
    /// The object as it would be stored.
    #[serde(borrow)]
    pub object: Option<&'a RawValue>,
    /// The object as it is stored.
    #[serde(borrow)]
    pub old_object: Option<&'a RawValue>,
}

/// Group, version and plural name.
#[derive(Debug, Deserialize)]
pub struct Resource<'a> {
    #[serde(borrow)]
    group: Cow<'a, str>,
    #[serde(borrow)]
    resource: Cow<'a, str>,
}

/// Who asks.
#[derive(Debug, Deserialize)]
pub struct UserInfo {
    /// User name.
    #[serde(default)]
    pub username: String,
}

impl<'a> Request<'a> {
    /// Reads the question from a request's body.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let review: Review<'a> = serde_json::from_slice(body).map_err(Malformed::Json)?;
        if review.api_version != "admission.k8s.io/v1" || review.kind != "AdmissionReview" {
            let cut = |text: &str| text.chars().take(80).collect();
            return Err(Malformed::Kind { api_version: cut(&review.api_version), kind: cut(&review.kind) });
        }
        let request = review.request.ok_or(Malformed::Missing("request"))?;
        if request.uid.is_empty() || request.uid.len() > 128 {
            return Err(Malformed::Field {
                field: "request.uid",
                problem: "must have 1 to 128 characters".into(),
            });
        }
        Ok(request)
    }

    /// Whether it is about this resource of the group `apps`.
    #[must_use]
    pub fn is_about(&self, resource: &str) -> bool {
        self.resource.group == "apps" && self.resource.resource == resource
    }

    /// Whether the object is created.
    #[must_use]
    pub fn is_create(&self) -> bool {
        self.operation == "CREATE"
    }

    /// Whether the object is updated.
    #[must_use]
    pub fn is_update(&self) -> bool {
        self.operation == "UPDATE"
    }

    /// The namespace; empty where the request has none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    /// The object's name; empty while it is to be generated.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// The object as it would be stored, read as `T`.
    pub fn object<T: Deserialize<'a>>(&self) -> Result<T, Malformed> {
        read("request.object", self.object)
    }

    /// The object as it is stored, read as `T`; `None` on CREATE.
    pub fn old_object<T: Deserialize<'a>>(&self) -> Result<Option<T>, Malformed> {
        if self.is_create() { Ok(None) } else { read("request.oldObject", self.old_object).map(Some) }
    }
}

fn read<'a, T: Deserialize<'a>>(field: &'static str, object: Option<&'a RawValue>) -> Result<T, Malformed> {
    let object = object.ok_or(Malformed::Missing(field))?;
    serde_json::from_str(object.get()).map_err(|error| Malformed::Field { field, problem: error.to_string() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn review() -> serde_json::Value {
        json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "u", "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
                "operation": "UPDATE", "userInfo": {"username": "jane"}, "object": {"a": 1}, "oldObject": null,
            },
        })
    }

    fn problem(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut review = review();
        change(&mut review);
        let body = review.to_string();
        let request = Request::parse(body.as_bytes());
        request.and_then(|request| request.old_object::<serde_json::Value>()).unwrap_err().to_string()
    }

    #[test]
    fn a_malformed_review_is_told_which_field_is_wrong() {
        assert_eq!(problem(|review| review["request"] = json!(null)), "request is missing");
        assert_eq!(problem(|_| ()), "request.oldObject is missing");
        assert!(
            problem(|review| review["kind"] = json!("Pod")).starts_with("Pod of admission.k8s.io/v1 is not")
        );
        assert!(problem(|review| review["request"]["uid"] = json!("")).starts_with("request.uid"));
        assert!(
            problem(|review| review["request"]["operation"] = json!(7)).starts_with("not an AdmissionReview")
        );
        assert!(Request::parse(b"\xff").is_err());
    }
}
