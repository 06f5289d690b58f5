//! What is written on one Deployment to give it back to its owner. Pure, and from its metadata alone.
//!
//! The gate is opened, never removed: the deployment controller copies values to ReplicaSets, but removes none. What a
//! user wrote (lane, on-failure, a pause of their own) stays.

use contract::{Gate, Key, key::PHASE_LABEL};
use json_patch::{
    AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation,
    jsonptr::PointerBuf,
};
use kube::api::ObjectMeta;
use serde_json::{Value, json};

/// The patch; `None` where nothing of ours is left. It begins with tests: it applies only to the object that was read,
/// with nothing of its spec, its annotations or our label changed since.
#[must_use]
pub fn plan(metadata: &ObjectMeta) -> Option<Patch> {
    let annotation = |key: Key| metadata.annotations.as_ref().and_then(|map| map.get(key.name()));
    let phase = metadata.labels.as_ref().and_then(|map| map.get(PHASE_LABEL));
    let mut edit = Vec::new();
    for key in Key::ALL {
        let Some(value) = annotation(key) else { continue };
        if key != Key::Gate {
            edit.push(remove(&["metadata", "annotations", key.name()]));
        } else if value != Gate::Open.as_str() {
            edit.push(PatchOperation::Replace(ReplaceOperation {
                path: PointerBuf::from_tokens(["metadata", "annotations", key.name()]),
                value: json!(Gate::Open.as_str()),
            }));
        }
    }
    if annotation(Key::Paused).is_some_and(|ours| ours == "true") {
        // `add` also where it is not set any more: then `remove` would fail.
        let path = PointerBuf::from_tokens(["spec", "paused"]);
        edit.push(PatchOperation::Add(AddOperation { path, value: json!(false) }));
    }
    if let Some(phase) = phase {
        let label = ["metadata", "labels", PHASE_LABEL];
        // A label does not count in the generation.
        edit.push(test(&label, json!(phase)));
        edit.push(remove(&label));
    }
    if edit.is_empty() {
        return None;
    }
    let read = [
        test(&["metadata", "uid"], json!(metadata.uid)),
        test(&["metadata", "generation"], json!(metadata.generation)),
    ];
    Some(Patch(read.into_iter().chain(edit).collect()))
}

fn test(path: &[&str], value: Value) -> PatchOperation {
    PatchOperation::Test(TestOperation { path: PointerBuf::from_tokens(path.iter().copied()), value })
}

fn remove(path: &[&str]) -> PatchOperation {
    PatchOperation::Remove(RemoveOperation { path: PointerBuf::from_tokens(path.iter().copied()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The object after the patch, and that a second look finds nothing to do.
    fn opened(case: &Value) -> Value {
        let mut object = json!({
            "metadata": {"name": "web", "uid": "u", "generation": 7, "annotations": {}, "labels": {"app": "web"}},
            "spec": {},
        });
        json_patch::merge(&mut object, case);
        let metadata =
            |object: &Value| serde_json::from_value::<ObjectMeta>(object["metadata"].clone()).unwrap();
        if let Some(patch) = plan(&metadata(&object)) {
            json_patch::patch(&mut object, &patch).unwrap();
        }
        assert_eq!(plan(&metadata(&object)), None, "{object}");
        object
    }

    #[test]
    fn what_is_held_opens_and_forgets_what_we_wrote_but_not_what_its_owner_wrote() {
        let object = opened(&json!({
            "metadata": {
                "labels": {"roadstead.dev/phase": "held"},
                "annotations": {
                    "roadstead.dev/gate": "closed", "roadstead.dev/change": "c", "roadstead.dev/released": "r",
                    "roadstead.dev/good": "g", "roadstead.dev/requested-by": "jane", "roadstead.dev/paused": "true",
                    "roadstead.dev/quarantined": "q", "roadstead.dev/traceparent": "t", "roadstead.dev/attempt": "2",
                    "roadstead.dev/lane": "urgent", "roadstead.dev/on-failure": "Keep", "example.com/own": "x",
                },
            },
            "spec": {"paused": true},
        }));
        assert_eq!(
            object["metadata"]["annotations"],
            json!({
                "roadstead.dev/gate": "open", "roadstead.dev/lane": "urgent", "roadstead.dev/on-failure": "Keep",
                "example.com/own": "x",
            })
        );
        assert_eq!(
            (&object["metadata"]["labels"], &object["spec"]["paused"]),
            (&json!({"app": "web"}), &json!(false))
        );
    }

    #[test]
    fn a_pause_of_its_owner_stays() {
        let held = json!({
            "metadata": {"annotations": {"roadstead.dev/gate": "closed"}, "labels": {"roadstead.dev/phase": "held"}},
            "spec": {"paused": true},
        });
        assert_eq!(opened(&held)["spec"]["paused"], true);
    }

    #[test]
    fn what_was_never_ours_or_is_open_already_is_not_written() {
        for annotations in [json!(null), json!({"roadstead.dev/gate": "open", "roadstead.dev/lane": "bulk"})]
        {
            let metadata = json!({"name": "web", "uid": "u", "generation": 1, "annotations": annotations});
            assert_eq!(plan(&serde_json::from_value(metadata).unwrap()), None);
        }
    }

    #[test]
    fn a_write_of_somebody_else_in_between_is_not_overwritten() {
        let read = json!({"name": "web", "uid": "u", "generation": 7, "annotations": {"roadstead.dev/paused": "true"}});
        let patch = plan(&serde_json::from_value(read.clone()).unwrap()).unwrap();
        for (key, other) in [("uid", json!("v")), ("generation", json!(8))] {
            let mut object = json!({"metadata": read, "spec": {}});
            object["metadata"][key] = other;
            assert!(json_patch::patch(&mut object, &patch).is_err(), "{key}");
        }
    }
}
