//! Whether our own annotations still fit: Kubernetes takes 256 KiB of annotations in all, and an object that only
//! we made too large would be refused with a message that its user cannot understand.
//! <https://github.com/kubernetes/apimachinery/blob/v0.37.2/pkg/api/validation/objectmeta.go>

use std::collections::HashMap;

use serde::Deserialize;

use crate::{
    answer::{Answer, Cause, Denial},
    review::{Malformed, Request},
};

/// Bytes of keys and values that Kubernetes takes.
const LIMIT: usize = 256 * 1024;

/// Bytes kept free for what is written later: the digests of a release and of its success, its time, one that is
/// quarantined, when each approval was seen, and what the deployment controller copies and adds.
const LATER: usize = 3 * 1024;

/// Bytes of our annotations at the very most: a review shorter than the rest of the limit need not be measured. The
/// longest are the user's name, the reason of an override and the list of what is quarantined.
const OURS: usize = 64 * 1024;

/// The members that are measured; everything else is skipped.
#[derive(Deserialize)]
struct Measured {
    request: MeasuredRequest,
}

#[derive(Deserialize)]
struct MeasuredRequest {
    object: MeasuredObject,
}

#[derive(Deserialize)]
struct MeasuredObject {
    metadata: MeasuredMetadata,
}

#[derive(Deserialize)]
struct MeasuredMetadata {
    #[serde(default)]
    annotations: Option<HashMap<String, String>>,
}

/// A denial where the answer's patch would make the annotations too large.
///
/// # Errors
/// An object whose annotations are no map of texts.
pub fn denial(request: &Request<'_>, answer: &Answer) -> Result<Option<Denial>, Malformed> {
    // A review is never shorter than the annotations in it: nearly every one ends here.
    if answer.patch.is_empty() || request.body.len() + OURS <= LIMIT {
        return Ok(None);
    }
    let unreadable = |error: serde_json::Error| Malformed::Unreadable {
        path: "request.object.metadata.annotations".into(),
        problem: error.to_string(),
    };
    let measured: Measured = serde_json::from_str(request.body).map_err(unreadable)?;
    let mut annotations = measured.request.object.metadata.annotations.unwrap_or_default();
    let sent = size(&annotations);
    for operation in &answer.patch {
        let operation = json(operation);
        let path = operation["path"].as_str().and_then(|path| path.strip_prefix("/metadata/annotations/"));
        let Some(key) = path.map(|key| key.replace("~1", "/").replace("~0", "~")) else { continue };
        match operation["value"].as_str() {
            Some(value) => drop(annotations.insert(key, value.to_owned())),
            None => drop(annotations.remove(&key)),
        }
    }
    let whole = size(&annotations) + LATER;
    // One that was too large as it was sent is refused by the API server, in its own words.
    if sent > LIMIT || whole <= LIMIT {
        return Ok(None);
    }
    let message = format!(
        "metadata.annotations: {sent} bytes leave no room for those that Roadstead writes; Kubernetes takes {LIMIT} \
         in all: shorten them by {} bytes",
        whole - LIMIT
    );
    let causes = vec![Cause::of_field("FieldValueTooLong", "metadata.annotations", message.clone())];
    Ok(Some(Denial::forbidden(message, causes)))
}

fn json(operation: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(operation).unwrap_or_default()
}

fn size(annotations: &HashMap<String, String>) -> usize {
    annotations.iter().map(|(key, value)| key.len() + value.len()).sum()
}

#[cfg(test)]
mod tests {
    use contract::Key;
    use serde_json::json;

    use super::*;
    use crate::hold::{self, NoPolicies, Settings};

    /// What is said to a new Deployment whose annotations come to `bytes`.
    fn told(bytes: usize, key: &str, letter: &str) -> Option<Denial> {
        let value = letter.repeat((bytes - key.len()) / letter.len());
        let object =
            json!({"metadata": {"name": "web", "annotations": {key: value}}, "spec": {"template": {}}});
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "u", "resource": {"group": "apps", "version": "v1", "resource": "deployments"}, "name": "web",
                "operation": "CREATE", "userInfo": {"username": "jane"}, "object": object,
            },
        });
        let body = review.to_string();
        let request = Request::parse(body.as_bytes()).unwrap();
        let settings = Settings { warnings: true };
        denial(&request, &hold::decide(&request, &settings, &NoPolicies).unwrap().1).unwrap()
    }

    #[test]
    fn annotations_that_leave_us_no_room_are_denied_with_what_to_do() {
        let message = told(LIMIT, "note", "x").unwrap().message;
        assert!(message.contains("shorten them by"), "{message}");
    }

    #[test]
    fn annotations_that_fit_or_are_too_large_by_themselves_are_let_through() {
        for (bytes, key, letter) in [
            (10, "note", "x"),
            (LIMIT - 4 * 1024, "note", "x"),
            // In the text of the review this is twice as long.
            (LIMIT - 4 * 1024, "note", "\n"),
            (LIMIT + 1, "note", "x"),
            // Ours to strip.
            (LIMIT, Key::Quarantined.name(), "x"),
        ] {
            assert_eq!(told(bytes, key, letter), None, "{bytes} bytes of {key}");
        }
    }
}
