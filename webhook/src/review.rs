//! The AdmissionReview: what the API server asks, read without copying.
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#request>

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::object::Object;

/// Longest uid in bytes: the API server's are of 36.
const UID: usize = 128;

/// Longest text that a sender is told of a problem, in characters: what he sent may be part of it.
const PROBLEM: usize = 300;

/// Why a review cannot be answered: the sender gets 400 and this text.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// The body is not the JSON of an AdmissionReview.
    #[error("not an AdmissionReview: {0}")]
    Json(String),
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
    /// A field cannot be read.
    #[error("{path}: {problem}")]
    Unreadable {
        /// Its path in the review.
        path: String,
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
        let body = std::str::from_utf8(body).map_err(|error| Malformed::Json(error.to_string()))?;
        let review: Review<'a> = read("", body)?;
        if review.api_version != "admission.k8s.io/v1" || review.kind != "AdmissionReview" {
            let (api_version, kind) = (printable(&review.api_version, 80), printable(&review.kind, 80));
            return Err(Malformed::Kind { api_version, kind });
        }
        let request = review.request.ok_or(Malformed::Missing("request"))?;
        if request.uid.is_empty() || request.uid.len() > UID {
            let problem = format!("must have 1 to {UID} bytes");
            return Err(Malformed::Field { field: "request.uid", problem });
        }
        if !matches!(&*request.operation, "CREATE" | "UPDATE" | "DELETE" | "CONNECT") {
            let problem = "must be CREATE, UPDATE, DELETE or CONNECT".into();
            return Err(Malformed::Field { field: "request.operation", problem });
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

    /// The object as it would be stored.
    pub fn object(&self) -> Result<Object<'a>, Malformed> {
        self.read("request.object", self.object)
    }

    /// The object as it is stored; `None` on CREATE.
    pub fn old_object(&self) -> Result<Option<Object<'a>>, Malformed> {
        if self.is_create() {
            return Ok(None);
        }
        self.read("request.oldObject", self.old_object).map(Some)
    }

    fn read(&self, field: &'static str, text: Option<&'a RawValue>) -> Result<Object<'a>, Malformed> {
        let object: Object<'a> = read(field, text.ok_or(Malformed::Missing(field))?.get())?;
        let wrong = |member: &str, problem: String| Malformed::Unreadable {
            path: format!("{field}.{member}"),
            problem: printable(&problem, PROBLEM),
        };
        if !object.spec.has_template_object() {
            return Err(wrong("spec.template", "must be an object".into()));
        }
        // Not known yet on CREATE with generateName: the API server generates the name after this.
        let is_named = !(self.is_create() && self.name().is_empty());
        if is_named && object.metadata.name != self.name() {
            return Err(wrong("metadata.name", format!("is not request.name, {:?}", self.name())));
        }
        let namespace = &object.metadata.namespace;
        if !namespace.is_empty() && namespace != self.namespace() {
            let problem = format!("is not request.namespace, {:?}", self.namespace());
            return Err(wrong("metadata.namespace", problem));
        }
        Ok(object)
    }
}

/// Reads a text that stands in `field`. Where the way to a field is told costs time, so that it is asked for only
/// after the reading failed.
fn read<'a, T: Deserialize<'a>>(field: &str, text: &'a str) -> Result<T, Malformed> {
    // Where an object is wanted, serde takes an array of its members as well.
    if text.trim_ascii_start().starts_with('[') {
        let (path, problem) = (field.to_owned(), "an array is no object".to_owned());
        return Err(if field.is_empty() {
            Malformed::Json(problem)
        } else {
            Malformed::Unreadable { path, problem }
        });
    }
    serde_json::from_str(text).map_err(|error| {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let (path, problem) = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
            Err(error) => (error.path().to_string(), error.into_inner()),
            // The text is whole and something follows it.
            Ok(_) => (String::new(), error),
        };
        let problem = printable(&problem.to_string(), PROBLEM);
        let parts = [field, path.as_str()].into_iter().filter(|part| !matches!(*part, "" | "."));
        match parts.collect::<Vec<_>>().join(".") {
            path if path.is_empty() => Malformed::Json(problem),
            path => Malformed::Unreadable { path: printable(&path, PROBLEM), problem },
        }
    })
}

/// A text that a stranger chose, fit for one line of a log.
fn printable(text: &str, most: usize) -> String {
    text.chars().take(most).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
