//! The rollback on the object: one JSON Patch that restores a template and quarantines the one that failed. Pure.

use contract::{ChangeId, Digest, Key, ROLLED_BACK_BY, change_id::Replaced};
use json_patch::Patch;
use serde_json::Value;

use crate::{edit::Edit, live::Live};

/// Digests that are quarantined at a time; the oldest goes first.
const QUARANTINED: usize = 8;

/// Restores `template`, whose digest is `good`. Applies to this very version of the object: who owns its fields is
/// to be known exactly. The gate stays open and the change in flight is a new one, followed like any way back.
pub(super) fn patch(live: &Live, version: &str, template: &Value, good: &Digest) -> Option<Patch> {
    let replaced = Replaced { uid: &live.uid, generation: live.generation };
    let change = ChangeId::derive(&live.namespace, &live.name, good, Some(replaced));
    Edit::of(live)
        .while_version_stands(version)
        .while_gate_and_change_stand()
        .while_phase_stands()
        .template(template)
        .annotate(Key::Change, change.as_str())
        .annotate(Key::Released, good.as_str())
        .annotate(Key::Quarantined, &quarantined(live))
        .annotate(Key::RequestedBy, ROLLED_BACK_BY)
        .without(Key::Attempt, live.state.attempt.is_some())
        .without_lift()
        .finish()
}

fn quarantined(live: &Live) -> String {
    let mut digests: Vec<&str> =
        live.state.quarantined.iter().filter(|old| **old != live.digest).map(Digest::as_str).collect();
    digests.push(live.digest.as_str());
    digests[digests.len().saturating_sub(QUARANTINED)..].join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::live::tests::{live, object};

    fn failed(case: &Value) -> Value {
        let mut failed = json!({"metadata": {
            "annotations": {"roadstead.dev/gate": "open", "roadstead.dev/attempt": "2", "roadstead.dev/lift": "abc"},
            "labels": {"roadstead.dev/phase": "released"},
        }});
        json_patch::merge(&mut failed, case);
        failed
    }

    fn good() -> (Value, Digest) {
        let template = json!({"spec": {"containers": [{"name": "web", "image": "web:1"}]}});
        let digest = Digest::of_value(&template).unwrap();
        (template, digest)
    }

    #[test]
    fn the_good_template_is_in_flight_and_the_failed_one_quarantined() {
        let ((template, digest), case) = (good(), failed(&json!({})));
        let before = live(&case);
        let mut object = object(&case);
        json_patch::patch(&mut object, &patch(&before, "70", &template, &digest).unwrap()).unwrap();
        let after = Live::of(&serde_json::from_value(object.clone()).unwrap()).unwrap();
        assert_eq!((&after.digest, after.state.released.as_ref()), (&digest, Some(&digest)));
        assert_eq!(after.state.quarantined, std::slice::from_ref(&before.digest));
        assert_eq!((after.state.gate, after.state.phase), (before.state.gate, before.state.phase));
        assert_ne!(after.state.change, before.state.change);
        assert_eq!((after.state.attempt, after.lift), (None, false));
        assert_eq!(object["metadata"]["annotations"]["team"], "a");
    }

    #[test]
    fn whatever_happened_since_it_was_read_refuses_the_rollback() {
        let (template, digest) = good();
        let patch = patch(&live(&failed(&json!({}))), "70", &template, &digest).unwrap();
        for change in [
            json!({"metadata": {"resourceVersion": "71"}}),
            json!({"metadata": {"uid": "u-2"}}),
            json!({"metadata": {"labels": {"roadstead.dev/phase": "failed"}}}),
            json!({"metadata": {"annotations": {"roadstead.dev/change": "cccccccccc"}}}),
        ] {
            let mut object = object(&failed(&change));
            assert!(json_patch::patch(&mut object, &patch).is_err(), "{change}");
        }
    }

    #[test]
    fn the_newest_eight_stay_quarantined_and_none_stands_twice() {
        let old: Vec<_> = (0..9).map(|number| number.to_string().repeat(64)).collect();
        let case = |list: &[String]| {
            live(&failed(
                &json!({"metadata": {"annotations": {"roadstead.dev/quarantined": list.join(",")}}}),
            ))
        };
        let nine = case(&old);
        let list = quarantined(&nine);
        let list: Vec<_> = list.split(',').collect();
        assert_eq!((list.len(), list[0], list[7]), (8, &*old[2], nine.digest.as_str()));
        let again = case(&[nine.digest.to_string(), old[1].clone()]);
        assert_eq!(quarantined(&again), format!("{},{}", old[1], again.digest));
    }
}
