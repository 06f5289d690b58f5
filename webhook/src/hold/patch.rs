//! The JSON Patch from the object as it was sent to the object as it is meant: only what differs, so that our
//! own output, sent again, gives an empty patch.

use contract::{Key, key};

use super::decide::Intent;
use crate::{
    answer::{Added, PatchOperation, Path},
    object::{Annotations, Object},
};

/// The operations that give `object` the own keys, the label and the pause of `intent`.
pub(super) fn operations(object: &Object<'_>, intent: &Intent<'_>) -> Vec<PatchOperation> {
    // A hold writes seven members; a map of them that is missing is an eighth.
    let mut operations = Vec::with_capacity(8);
    let sent = object.metadata.annotations.as_ref();
    let mut annotations = Member { map: Path::Annotations, exists: sent.is_some() };
    for key in Key::ALL {
        let sent = sent.and_then(|annotations| annotations.get(key));
        annotations.set(&mut operations, Path::Annotation(key), sent, intent.own.get(key));
    }
    // An order is taken off by the write that gives it: who gives the same later has to write it anew.
    for (order, key) in [
        (sent.and_then(Annotations::approve), key::APPROVE),
        (sent.and_then(Annotations::release), key::RELEASE),
    ] {
        if order.is_some() {
            operations.push(PatchOperation::Remove(Path::Order(key)));
        }
    }
    let sent = object.metadata.labels.as_ref();
    let phase = sent.and_then(|labels| labels.phase.as_deref());
    let mut labels = Member { map: Path::Labels, exists: sent.is_some() };
    labels.set(&mut operations, Path::Phase, phase, intent.phase.as_deref());
    match (object.spec.is_paused(), intent.paused) {
        (false, true) => operations.push(PatchOperation::Add(Path::Paused, Added::True)),
        (true, false) => operations.push(PatchOperation::Remove(Path::Paused)),
        _ => {}
    }
    operations
}

/// A map of texts that may be absent (or null) in the object.
struct Member {
    map: Path,
    exists: bool,
}

impl Member {
    fn set(
        &mut self,
        operations: &mut Vec<PatchOperation>,
        path: Path,
        sent: Option<&str>,
        meant: Option<&str>,
    ) {
        if sent == meant {
            return;
        }
        if let Some(meant) = meant {
            if !self.exists {
                operations.push(PatchOperation::Add(self.map, Added::EmptyMap));
                self.exists = true;
            }
            operations.push(PatchOperation::Add(path, Added::Text(meant.to_owned())));
        } else {
            operations.push(PatchOperation::Remove(path));
        }
    }
}
