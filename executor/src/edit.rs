//! Builds the JSON Patches of the executor. Each begins with tests that the API server checks in the same
//! transaction, so that two executors may race and one wins.

use contract::{
    Gate, Key, Phase,
    key::{LIFT, PHASE_LABEL, REPLAY},
};
use json_patch::{
    AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation,
    jsonptr::PointerBuf,
};
use serde_json::{Value, json};

use crate::live::Live;

/// A patch of one Deployment in the making.
pub(crate) struct Edit<'a> {
    live: &'a Live,
    operations: Vec<PatchOperation>,
    tests: usize,
    has_annotations: bool,
}

impl<'a> Edit<'a> {
    /// Applies only to the object that was read: same uid, and nothing of its spec or annotations changed since.
    pub(crate) fn of(live: &'a Live) -> Self {
        let mut edit = Self { live, operations: Vec::new(), tests: 0, has_annotations: live.has_annotations };
        edit.test(&["metadata", "uid"], json!(live.uid));
        edit.test(&["metadata", "generation"], json!(live.generation));
        edit
    }

    /// Applies only while the gate and the change are what was read.
    pub(crate) fn while_gate_and_change_stand(mut self) -> Self {
        let Self { live, .. } = self;
        if let Some(change) = &live.state.change {
            self.test(&annotation(Key::Change), json!(change));
        }
        if let Some(gate) = live.state.gate {
            self.test(&annotation(Key::Gate), json!(gate.as_str()));
        }
        self
    }

    /// Applies only while the label is what was read; a label does not count in the generation.
    pub(crate) fn while_phase_stands(mut self) -> Self {
        if let Some(phase) = self.live.state.phase {
            self.test(&["metadata", "labels", PHASE_LABEL], json!(phase.as_str()));
        }
        self
    }

    /// Applies only to this very version of the object, status and labels included.
    pub(crate) fn while_version_stands(mut self, version: &str) -> Self {
        self.test(&["metadata", "resourceVersion"], json!(version));
        self
    }

    pub(crate) fn template(mut self, template: &Value) -> Self {
        self.operations.push(PatchOperation::Replace(ReplaceOperation {
            path: PointerBuf::from_tokens(["spec", "template"]),
            value: template.clone(),
        }));
        self
    }

    /// Takes the order away that lifted a quarantine: it is about one that was before.
    pub(crate) fn without_lift(mut self) -> Self {
        if self.live.lift {
            self.remove(&["metadata", "annotations", LIFT]);
        }
        self
    }

    /// Takes the order away that replayed a change: it was obeyed.
    pub(crate) fn without_replay(mut self) -> Self {
        if self.live.replay {
            self.remove(&["metadata", "annotations", REPLAY]);
        }
        self
    }

    pub(crate) fn gate(self, gate: Gate) -> Self {
        if self.live.state.gate == Some(gate) { self } else { self.annotate(Key::Gate, gate.as_str()) }
    }

    pub(crate) fn annotate(mut self, key: Key, value: &str) -> Self {
        if !self.has_annotations {
            self.add(&["metadata", "annotations"], json!({}));
            self.has_annotations = true;
        }
        self.add(&annotation(key), json!(value));
        self
    }

    /// `is_there` is whether the annotation stands: a missing one cannot be removed.
    pub(crate) fn without(mut self, key: Key, is_there: bool) -> Self {
        if is_there {
            self.remove(&annotation(key));
        }
        self
    }

    pub(crate) fn phase(mut self, phase: Option<Phase>) -> Self {
        let label = ["metadata", "labels", PHASE_LABEL];
        match (self.live.state.phase, phase) {
            (was, phase) if was == phase => {}
            (_, None) => self.remove(&label),
            (_, Some(phase)) if self.live.has_labels => self.add(&label, json!(phase.as_str())),
            (_, Some(phase)) => self.add(&label[..2], json!({ PHASE_LABEL: phase.as_str() })),
        }
        self
    }

    /// Takes our own pause away; a user's own stays.
    pub(crate) fn without_our_pause(mut self) -> Self {
        if self.live.state.paused {
            self.remove(&annotation(Key::Paused));
            if self.live.paused {
                self.remove(&["spec", "paused"]);
            }
        }
        self
    }

    /// The patch; `None` where it would change nothing.
    pub(crate) fn finish(self) -> Option<Patch> {
        (self.operations.len() > self.tests).then_some(Patch(self.operations))
    }

    fn test(&mut self, path: &[&str], value: Value) {
        #[cfg(feature = "seeded-bugs")]
        if ops::seeded::seeded("release-without-verify")
            || ops::seeded::seeded("older-after-newer")
            || ops::seeded::seeded("skip-test-generation") && path.ends_with(&["generation"])
        {
            return;
        }
        self.tests += 1;
        self.operations.push(PatchOperation::Test(TestOperation {
            path: PointerBuf::from_tokens(path.iter().copied()),
            value,
        }));
    }

    fn add(&mut self, path: &[&str], value: Value) {
        self.operations.push(PatchOperation::Add(AddOperation {
            path: PointerBuf::from_tokens(path.iter().copied()),
            value,
        }));
    }

    fn remove(&mut self, path: &[&str]) {
        self.operations.push(PatchOperation::Remove(RemoveOperation {
            path: PointerBuf::from_tokens(path.iter().copied()),
        }));
    }
}

fn annotation(key: Key) -> [&'static str; 3] {
    ["metadata", "annotations", key.name()]
}
