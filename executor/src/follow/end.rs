//! The end of a rollout on the object: one JSON Patch, which only one executor wins.

use contract::{Gate, Key, Phase};
use json_patch::Patch;

use crate::{edit::Edit, live::Live};

/// The rollout succeeded: its template is the good one now, and nothing is in flight.
#[must_use]
pub fn succeeded(live: &Live) -> Option<Patch> {
    let edit = fenced(live)?;
    let is_good_already = live.state.good.as_ref() == Some(&live.digest);
    let edit = if is_good_already { edit } else { edit.annotate(Key::Good, live.digest.as_str()) };
    edit.phase(None).finish()
}

/// The rollout failed: nothing is in flight any more; the good template is still the one before.
#[must_use]
pub fn failed(live: &Live) -> Option<Patch> {
    fenced(live)?.phase(None).finish()
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
        assert_eq!(metadata["annotations"]["roadstead.dev/good"], live(&json!({})).digest.as_str());
        assert_eq!(metadata["labels"], json!({"app": "web"}));
    }

    #[test]
    fn failure_leaves_good_as_it_was() {
        let metadata = after(failed(&live(&in_flight())));
        assert_eq!(metadata["annotations"]["roadstead.dev/good"], "b".repeat(64));
        assert_eq!(metadata["labels"], json!({"app": "web"}));
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
