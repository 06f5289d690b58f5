//! A Deployment as it was read, with every field: its template is written back as it stands, and a typed one would lose what
//! a newer API server knows.

use contract::{ChangeId, Digest, Phase, State};
use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::Value;

use super::done::Done;
use crate::failure::Failure;

/// A Deployment as it was read.
#[derive(Clone, Debug)]
pub struct Live {
    /// The object.
    pub object: DynamicObject,
    /// What it says of its change.
    pub state: State,
}

impl Live {
    /// Reads what an object says.
    #[must_use]
    pub fn of(object: DynamicObject) -> Self {
        let state = State::of(object.metadata.annotations.as_ref(), object.metadata.labels.as_ref());
        Self { object, state }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        self.object.name_any()
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.object.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// An annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.object.annotations().get(key).map(String::as_str)
    }

    /// Its pod template.
    #[must_use]
    pub fn template(&self) -> &Value {
        &self.object.data["spec"]["template"]
    }

    /// Digest of its pod template, computed.
    ///
    /// # Errors
    /// None for what came as JSON.
    pub fn digest(&self) -> Result<Digest, Failure> {
        Ok(Digest::of_value(self.template())?)
    }

    /// The change that waits; `None` where none does.
    #[must_use]
    pub fn waiting(&self) -> Option<&ChangeId> {
        let waits = self.state.is_closed() && self.state.phase == Some(Phase::Held);
        self.state.change.as_ref().filter(|_| waits)
    }

    /// `Deployment web in namespace shop`.
    #[must_use]
    pub fn called(&self) -> String {
        format!("Deployment {} in namespace {}", self.name(), self.namespace())
    }

    /// The arguments that name it in a command: `web -n shop`.
    #[must_use]
    pub fn typed(&self) -> String {
        format!("{} -n {}", self.name(), self.namespace())
    }

    /// Where its change stands and what can be typed then, in a sentence without a full stop.
    #[must_use]
    pub fn stands(&self) -> String {
        let typed = self.typed();
        let change = self.state.change.as_ref().map_or("its change", ChangeId::as_str);
        match (self.state.is_closed(), self.state.phase) {
            (true, Some(Phase::Dead)) => {
                format!("change {change} was given up; to queue it again: kubectl roadstead retry {typed}")
            }
            (true, _) => format!("change {change} waits; to look at it: kubectl roadstead get {typed}"),
            (false, Some(Phase::Released)) => {
                format!("change {change} rolls out; to go back: kubectl roadstead rollback {typed}")
            }
            (false, Some(Phase::Failed)) => format!(
                "change {change} has failed; to try it again: kubectl roadstead retry {typed}, to go back: kubectl \
                 roadstead rollback {typed}"
            ),
            (false, _) => "no change of it waits, rolls out or has failed".to_owned(),
        }
    }

    /// What was done to it.
    #[must_use]
    pub fn done(&self, did: &'static str, message: String) -> Done {
        Done {
            resource: "deployment.apps",
            namespace: Some(self.namespace().to_owned()),
            name: self.name(),
            change: self.state.change.clone(),
            did,
            message,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    pub const CHANGE: &str = "abcdefghij";

    /// A Deployment `shop/web` of image `web:2`, with these own annotations and phase.
    pub fn live(annotations: &Value, phase: Option<&str>) -> Live {
        let mut own = json!({"roadstead.dev/change": CHANGE});
        json_patch::merge(&mut own, annotations);
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "namespace": "shop", "name": "web", "uid": "u-1", "generation": 4, "resourceVersion": "7",
                "labels": {"roadstead.dev/phase": phase}, "annotations": own,
            },
            "spec": {"template": template("web:2")},
        });
        let mut object = object;
        if phase.is_none() {
            object["metadata"]["labels"] = json!({});
        }
        Live::of(serde_json::from_value(object).unwrap())
    }

    /// A pod template.
    pub fn template(image: &str) -> Value {
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": image}]}})
    }

    #[test]
    fn only_what_is_held_waits() {
        let closed = json!({"roadstead.dev/gate": "closed"});
        assert_eq!(live(&closed, Some("held")).waiting().map(ChangeId::as_str), Some(CHANGE));
        for (gate, phase) in [("closed", Some("dead")), ("open", Some("released")), ("open", None)] {
            let live = live(&json!({"roadstead.dev/gate": gate}), phase);
            assert_eq!(live.waiting(), None, "{gate} {phase:?}");
        }
    }

    #[test]
    fn how_it_stands_names_the_command_that_may_be_meant() {
        for (gate, phase, says) in [
            ("closed", Some("held"), "waits; to look at it: kubectl roadstead get web -n shop"),
            ("closed", Some("dead"), "given up; to queue it again: kubectl roadstead retry web -n shop"),
            ("open", Some("released"), "rolls out; to go back: kubectl roadstead rollback web -n shop"),
            ("open", Some("failed"), "has failed; to try it again: kubectl roadstead retry web -n shop"),
            ("open", None, "no change of it waits"),
        ] {
            let stands = live(&json!({"roadstead.dev/gate": gate}), phase).stands();
            assert!(stands.contains(says), "{stands}");
        }
    }
}
