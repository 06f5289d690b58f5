//! Writes: create, patch, delete. A patch is applied for real, so that its tests count.

use hyper::{StatusCode, body::Bytes, header::HeaderValue};
use serde_json::{Value, json};

use super::{
    DEPLOYMENTS,
    answer::Refused,
    path::Asked,
    store::{Place, Store},
};

impl Store {
    /// Creates an object.
    pub(super) fn create(&mut self, asked: &Asked, body: &[u8]) -> Result<Bytes, Refused> {
        let mut object = parsed(body)?;
        let metadata = &mut object["metadata"];
        if let Some(namespace) = &asked.namespace {
            metadata["namespace"] = json!(namespace);
        }
        let name = metadata["name"].as_str().unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err(unprocessable("metadata.name is required; generateName is not known here"));
        }
        let place = (asked.namespace.clone().unwrap_or_default(), name);
        if self.object(&asked.kind, &place).is_some() {
            let message = format!("{} {:?} already exists", asked.plural(), place.1);
            return Err(Refused::new(StatusCode::CONFLICT, "AlreadyExists", message));
        }
        metadata["uid"] = json!(format!("00000000-0000-4000-8000-{:012x}", self.version() + 1));
        metadata["generation"] = json!(1);
        Ok(self.put(&asked.kind, object).body)
    }

    /// Patches an object.
    pub(super) fn patch(
        &mut self,
        asked: &Asked,
        content_type: Option<&HeaderValue>,
        body: &[u8],
    ) -> Result<Bytes, Refused> {
        let place = place(asked)?;
        let Some(stored) = self.object(&asked.kind, &place) else { return Err(absent(asked, &place)) };
        let old = parsed(&stored.body)?;
        let mut new = old.clone();
        match content_type.and_then(|value| value.to_str().ok()).unwrap_or_default() {
            "application/json-patch+json" => {
                let patch: json_patch::Patch =
                    serde_json::from_slice(body).map_err(|error| unprocessable(&error.to_string()))?;
                json_patch::patch(&mut new, &patch).map_err(|error| unprocessable(&error.to_string()))?;
            }
            "application/merge-patch+json" | "application/strategic-merge-patch+json" => {
                json_patch::merge(&mut new, &parsed(body)?);
            }
            other => {
                let message = format!("a patch of type {other:?} is not known here");
                return Err(Refused::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "UnsupportedMediaType",
                    message,
                ));
            }
        }
        let (was, is) = (&old["metadata"]["resourceVersion"], &new["metadata"]["resourceVersion"]);
        if was != is {
            let message = "the object has been modified; please apply your changes to the latest version";
            return Err(Refused::new(StatusCode::CONFLICT, "Conflict", message));
        }
        if new == old {
            return Ok(stored.body.clone());
        }
        if counts(&asked.kind, &old, &new) {
            let generation = old["metadata"]["generation"].as_i64().unwrap_or(0);
            new["metadata"]["generation"] = json!(generation + 1);
        }
        Ok(self.put(&asked.kind, new).body)
    }

    /// Deletes an object.
    pub(super) fn delete(&mut self, asked: &Asked) -> Result<Bytes, Refused> {
        let place = place(asked)?;
        self.remove(&asked.kind, &place).map(|old| old.body).ok_or_else(|| absent(asked, &place))
    }
}

/// Whether the generation counts a change: of the spec, and for Deployments of the annotations as well.
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/apps/deployment/strategy.go>
fn counts(kind: &str, old: &Value, new: &Value) -> bool {
    old["spec"] != new["spec"]
        || kind == DEPLOYMENTS && old["metadata"]["annotations"] != new["metadata"]["annotations"]
}

/// Namespace and name of the one object that is asked for.
pub(super) fn place(asked: &Asked) -> Result<Place, Refused> {
    let name = asked.name.clone();
    let name =
        name.ok_or_else(|| Refused::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "no name"))?;
    Ok((asked.namespace.clone().unwrap_or_default(), name))
}

pub(super) fn absent(asked: &Asked, place: &Place) -> Refused {
    Refused::not_found(&format!("{} {:?}", asked.plural(), place.1))
}

fn parsed(body: &[u8]) -> Result<Value, Refused> {
    serde_json::from_slice(body)
        .map_err(|error| Refused::new(StatusCode::BAD_REQUEST, "BadRequest", error.to_string()))
}

fn unprocessable(message: &str) -> Refused {
    Refused::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
}
