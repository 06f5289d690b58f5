//! What is written on a Deployment: a JSON Patch that applies only to what was read.

use contract::Key;
use json_patch::{
    AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation,
    jsonptr::PointerBuf,
};
use serde_json::{Value, json};

use super::live::Live;

/// A patch under construction.
pub struct Edit(Vec<PatchOperation>);

impl Edit {
    /// Nothing yet, on the same object with the same change only: where another change took its place, the API server
    /// refuses.
    #[must_use]
    pub fn of(live: &Live) -> Self {
        let mut tests = vec![test(&["metadata", "uid"], json!(live.object.metadata.uid))];
        if let Some(change) = &live.state.change {
            tests.push(test(&["metadata", "annotations", Key::Change.name()], json!(change)));
        }
        Self(tests)
    }

    /// Writes an annotation. The object has some: that of its change.
    #[must_use]
    pub fn annotate(mut self, key: &str, value: &str) -> Self {
        let path = PointerBuf::from_tokens(["metadata", "annotations", key]);
        self.0.push(PatchOperation::Add(AddOperation { path, value: json!(value) }));
        self
    }

    /// Takes an annotation away that is there.
    #[must_use]
    pub fn forget(mut self, key: &str) -> Self {
        let path = PointerBuf::from_tokens(["metadata", "annotations", key]);
        self.0.push(PatchOperation::Remove(RemoveOperation { path }));
        self
    }

    /// Writes the pod template over the one that was read, and over no other.
    #[must_use]
    pub fn template(mut self, live: &Live, template: Value) -> Self {
        self.0.push(test(&["metadata", "generation"], json!(live.object.metadata.generation)));
        let path = PointerBuf::from_tokens(["spec", "template"]);
        self.0.push(PatchOperation::Replace(ReplaceOperation { path, value: template }));
        self
    }

    /// The patch.
    #[must_use]
    pub fn patch(self) -> Patch {
        Patch(self.0)
    }
}

fn test(path: &[&str], value: Value) -> PatchOperation {
    PatchOperation::Test(TestOperation { path: PointerBuf::from_tokens(path.iter().copied()), value })
}

#[cfg(test)]
mod tests {
    use super::{super::live::tests::*, *};

    fn applied(read: &Live, stored: &Live, edit: Edit) -> Option<Value> {
        assert_eq!(read.name(), stored.name());
        let mut object = serde_json::to_value(&stored.object).unwrap();
        json_patch::patch(&mut object, &edit.patch()).ok().map(|()| object)
    }

    #[test]
    fn an_edit_applies_to_the_change_that_was_read_and_to_no_other() {
        let read = live(&json!({}), Some("held"));
        let edit = || Edit::of(&read).annotate("roadstead.dev/approve", CHANGE);
        let written = applied(&read, &read, edit()).unwrap();
        assert_eq!(written["metadata"]["annotations"]["roadstead.dev/approve"], CHANGE);
        let newer = live(&json!({"roadstead.dev/change": "bbbbbbbbbb"}), Some("held"));
        assert_eq!(applied(&read, &newer, edit()), None);
        let mut another = read.clone();
        another.object.metadata.uid = Some("u-2".into());
        assert_eq!(applied(&read, &another, edit()), None);
    }

    #[test]
    fn a_template_is_not_written_over_one_that_nobody_read() {
        let read = live(&json!({}), Some("held"));
        let edit = || Edit::of(&read).template(&read, template("web:1"));
        let written = applied(&read, &read, edit()).unwrap();
        assert_eq!(written["spec"]["template"], template("web:1"));
        let mut later = read.clone();
        later.object.metadata.generation = Some(5);
        assert_eq!(applied(&read, &later, edit()), None);
    }
}
