//! The JSON Patch from the object as it was sent to the object as it is meant: only what differs, so that our
//! own output, sent again, gives an empty patch.

use contract::{Key, key::PHASE_LABEL};
use serde_json::Value;

use super::decide::Intent;
use crate::{answer::PatchOperation, object::Object};

/// The operations that give `object` the own keys, the label and the pause of `intent`.
pub(super) fn operations(object: &Object<'_>, intent: &Intent<'_>) -> Vec<PatchOperation> {
    let mut operations = Vec::new();
    let sent = &object.metadata.annotations;
    let mut annotations = Member::of("/metadata/annotations", sent.is_some());
    for key in Key::ALL {
        let sent = sent.as_ref().and_then(|annotations| annotations.get(key));
        annotations.set(&mut operations, key.name(), sent, intent.own.get(key));
    }
    let sent = &object.metadata.labels;
    let phase = sent.as_ref().and_then(|labels| labels.phase.as_deref());
    Member::of("/metadata/labels", sent.is_some()).set(
        &mut operations,
        PHASE_LABEL,
        phase,
        intent.phase.as_deref(),
    );
    match (object.spec.is_paused(), intent.paused) {
        (false, true) => operations.push(add("/spec/paused".into(), Value::Bool(true))),
        (true, false) => {
            operations.push(PatchOperation { op: "remove", path: "/spec/paused".into(), value: None });
        }
        _ => {}
    }
    operations
}

/// A map of texts that may be absent (or null) in the object.
struct Member {
    path: &'static str,
    exists: bool,
}

impl Member {
    fn of(path: &'static str, exists: bool) -> Self {
        Self { path, exists }
    }

    fn set(
        &mut self,
        operations: &mut Vec<PatchOperation>,
        name: &str,
        sent: Option<&str>,
        meant: Option<&str>,
    ) {
        if sent == meant {
            return;
        }
        // RFC 6901: `~` and `/` within a key are escaped.
        let path = format!("{}/{}", self.path, name.replace('~', "~0").replace('/', "~1"));
        if let Some(meant) = meant {
            if !self.exists {
                operations.push(add(self.path.into(), Value::Object(serde_json::Map::new())));
                self.exists = true;
            }
            operations.push(add(path, Value::from(meant)));
        } else {
            operations.push(PatchOperation { op: "remove", path, value: None });
        }
    }
}

fn add(path: String, value: Value) -> PatchOperation {
    PatchOperation { op: "add", path, value: Some(value) }
}
