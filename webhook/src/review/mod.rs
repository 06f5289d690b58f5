//! The AdmissionReview: what the API server asks, read without copying.
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#request>

mod malformed;
mod place;

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, de::IgnoredAny};

pub use self::malformed::Malformed;
use self::malformed::{from_object, printable, unreadable};
use crate::object::{Object, members, members_or_null, text_or_null};

/// Longest uid in bytes: the API server's are of 36.
const UID: usize = 128;

/// Every operation there is.
const OPERATIONS: [&str; 4] = ["CREATE", "UPDATE", "DELETE", "CONNECT"];

/// The body, with objects read as `O`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "O: Deserialize<'de>"))]
struct Review<'a, O> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(default, deserialize_with = "members_or_null")]
    request: Option<Request<'a, O>>,
}

/// The question.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "O: Deserialize<'de>"))]
pub struct Request<'a, O = Object<'a>> {
    /// Echoed in the answer.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// The resource that is written.
    #[serde(borrow, deserialize_with = "members")]
    pub resource: Resource<'a>,
    /// `status` or another part of it; absent for the main resource.
    #[serde(borrow, default, deserialize_with = "text_or_null")]
    pub sub_resource: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "text_or_null")]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "text_or_null")]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow)]
    operation: Cow<'a, str>,
    /// Who asks.
    #[serde(borrow, deserialize_with = "members")]
    pub user_info: UserInfo<'a>,
    #[serde(default, deserialize_with = "members_or_null")]
    object: Option<O>,
    #[serde(default, deserialize_with = "members_or_null")]
    old_object: Option<O>,
    /// The whole body.
    #[serde(skip)]
    pub body: &'a str,
}

/// The texts in a review, for those who look closer than the decision does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Texts<'a> {
    /// `request`, with everything in it.
    pub request: &'a str,
    /// `request.object`
    pub object: Option<&'a str>,
    /// `request.oldObject`
    pub old_object: Option<&'a str>,
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
pub struct UserInfo<'a> {
    /// User name.
    #[serde(borrow, default)]
    pub username: Cow<'a, str>,
}

impl<'a> Request<'a> {
    /// Reads the question from a request's body, in one pass where nothing is wrong with it.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let body = std::str::from_utf8(body).map_err(|error| Malformed::Json(error.to_string()))?;
        let request = match from_object(body) {
            Ok(review) => Review::request(review)?,
            Err(error) => match strange(body) {
                Some(strange) => Review::request(strange)?.without_objects(),
                None => return Err(unreadable::<Review<'a, Object<'a>>>(body, error)),
            },
        };
        if request.uid.is_empty() || request.uid.len() > UID {
            let problem = format!("must have 1 to {UID} bytes");
            return Err(Malformed::Field { field: "request.uid", problem });
        }
        if !OPERATIONS.contains(&&*request.operation) {
            let problem = "must be CREATE, UPDATE, DELETE or CONNECT".into();
            return Err(Malformed::Field { field: "request.operation", problem });
        }
        Ok(Self { body, ..request })
    }

    /// The object as it would be stored.
    pub fn object(&self) -> Result<&Object<'a>, Malformed> {
        self.named("request.object", self.object.as_ref())
    }

    /// The object as it is stored; `None` on CREATE.
    pub fn old_object(&self) -> Result<Option<&Object<'a>>, Malformed> {
        if self.is_create() {
            return Ok(None);
        }
        self.named("request.oldObject", self.old_object.as_ref()).map(Some)
    }

    /// The object, if it is the one that the request names.
    fn named<'r>(
        &self,
        field: &'static str,
        object: Option<&'r Object<'a>>,
    ) -> Result<&'r Object<'a>, Malformed> {
        let object = object.ok_or(Malformed::Missing(field))?;
        let wrong =
            |member: &str, problem: String| Malformed::unreadable(&format!("{field}.{member}"), &problem);
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

impl<'a, O> Request<'a, O> {
    /// Whether it is about this resource of the group `apps`.
    #[must_use]
    pub fn is_about(&self, resource: &str) -> bool {
        self.resource.group == "apps" && self.resource.resource == resource
    }

    /// The operation, in a word of ours.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        OPERATIONS.into_iter().find(|one| *one == self.operation).unwrap_or("")
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

    /// The plural name of the resource, where it is one of ours.
    #[must_use]
    pub fn resource_of_ours(&self) -> Option<&str> {
        (self.resource.group == "roadstead.dev").then_some(&*self.resource.resource)
    }

    /// All labels of the object.
    ///
    /// # Errors
    /// Labels that are no map of texts.
    pub fn labels(&self) -> Result<BTreeMap<String, String>, Malformed> {
        let path = ["request", "object", "metadata", "labels"];
        let labels = place::value(self.body, &path).map(serde_json::from_str::<Option<_>>).transpose();
        let problem = |error: serde_json::Error| Malformed::unreadable(&path.join("."), &error.to_string());
        Ok(labels.map_err(problem)?.flatten().unwrap_or_default())
    }

    /// The text of the object.
    ///
    /// # Errors
    /// Where it cannot be found.
    pub fn object_text(&self) -> Result<&'a str, Malformed> {
        place::value(self.body, &["request", "object"]).ok_or(Malformed::Missing("request.object"))
    }

    /// The texts of request and objects.
    ///
    /// # Errors
    /// Where they cannot be found.
    pub fn texts(&self) -> Result<Texts<'a>, Malformed> {
        let found = place::values(self.body, &["request"], ["object", "oldObject"]);
        let (request, objects) = found.ok_or(Malformed::Missing("request"))?;
        let [object, old_object] = objects.map(|text| text.filter(|text| *text != "null"));
        Ok(Texts { request, object, old_object })
    }

    /// Whether it is about something that has a template as we know it.
    fn is_ours(&self) -> bool {
        self.is_about("deployments") || self.is_about("replicasets")
    }

    fn without_objects(self) -> Request<'a> {
        let Self { uid, resource, sub_resource, name, namespace, operation, user_info, body, .. } = self;
        let (object, old_object) = (None, None);
        Request {
            uid,
            resource,
            sub_resource,
            name,
            namespace,
            operation,
            user_info,
            object,
            old_object,
            body,
        }
    }
}

impl<'a, O> Review<'a, O> {
    fn request(self) -> Result<Request<'a, O>, Malformed> {
        if self.api_version != "admission.k8s.io/v1" || self.kind != "AdmissionReview" {
            let (api_version, kind) = (printable(&self.api_version, 80), printable(&self.kind, 80));
            return Err(Malformed::Kind { api_version, kind });
        }
        self.request.ok_or(Malformed::Missing("request"))
    }
}

/// The review of something that we are not configured for: its objects may look like anything.
fn strange(body: &str) -> Option<Review<'_, IgnoredAny>> {
    let review: Review<'_, IgnoredAny> = from_object(body).ok()?;
    review.request.as_ref().is_none_or(|request| !request.is_ours()).then_some(review)
}
