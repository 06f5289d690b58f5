//! The end of a rollout on the object: one JSON Patch, which only one executor wins.

use contract::{Gate, Phase};
use json_patch::Patch;

use crate::{edit::Edit, live::Live};

/// The rollout succeeded: nothing is in flight, so what was let through last is the good template. Only the label
/// changes: an annotation would bump the generation, and cost the deployment controller two more calls of the few
/// that it has.
#[must_use]
pub fn succeeded(live: &Live) -> Option<Patch> {
    fenced(live)?.phase(None).finish()
}

/// The rollout failed: the label says so until something else happens, and the good template is the one before.
#[must_use]
pub fn failed(live: &Live) -> Option<Patch> {
    fenced(live)?.phase(Some(Phase::Failed)).finish()
}

/// Applies while the gate is open and the change in flight is the same.
fn fenced(live: &Live) -> Option<Edit<'_>> {
    let in_flight = live.state.gate == Some(Gate::Open) && live.state.phase == Some(Phase::Released);
    in_flight.then(|| Edit::of(live).while_gate_and_change_stand().while_phase_stands())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::live::tests::{live, object};

    fn in_flight() -> Value {
        json!({"metadata": {
            "annotations": {"roadstead.dev/gate": "open"}, "labels": {"roadstead.dev/phase": "released"},
        }})
    }

    fn after(patch: Option<Patch>) -> Value {
        let mut object = object(&in_flight());
        json_patch::patch(&mut object, &patch.unwrap()).unwrap();
        object["metadata"].take()
    }

    #[test]
    fn success_makes_the_template_the_good_one() {
        let metadata = after(succeeded(&live(&in_flight())));
        let annotations = object(&in_flight())["metadata"]["annotations"].take();
        assert_eq!((&metadata["labels"], &metadata["annotations"]), (&json!({"app": "web"}), &annotations));
    }

    #[test]
    fn failure_leaves_good_as_it_was() {
        let metadata = after(failed(&live(&in_flight())));
        assert_eq!(metadata["annotations"]["roadstead.dev/good"], "b".repeat(64));
        assert_eq!(metadata["labels"], json!({"app": "web", "roadstead.dev/phase": "failed"}));
    }

    #[test]
    fn what_is_not_in_flight_has_no_end() {
        assert_eq!(succeeded(&live(&json!({}))), None);
        let mut ended = in_flight();
        ended["metadata"]["labels"]["roadstead.dev/phase"] = Value::Null;
        assert_eq!(failed(&live(&ended)), None);
    }

    #[test]
    fn two_executors_race_and_one_wins() {
        let patch = succeeded(&live(&in_flight())).unwrap();
        let mut object = object(&in_flight());
        json_patch::patch(&mut object, &patch).unwrap();
        assert!(json_patch::patch(&mut object, &patch).is_err());
    }
}
