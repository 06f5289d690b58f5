//! The release: one JSON Patch that lets a change through, if the object is still the one that was verified.

use contract::{Gate, Key, Phase};
use json_patch::Patch;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    edit::Edit,
    live::{Live, UnixMillis},
};

/// Opens the gate of a held Deployment, remembers the digest that was let through and when, and takes our pause away.
/// `good` stays: the rollout has yet to succeed.
pub fn patch(live: &Live, now: UnixMillis) -> Option<Patch> {
    #[cfg(feature = "seeded-bugs")]
    if ops::seeded::seeded("older-after-newer")
        && let Some(change) = &live.state.change
    {
        let edit = Edit::of(live).annotate(Key::Change, change.as_str()).gate(Gate::Open);
        return edit.phase(Some(Phase::Released)).without_our_pause().finish();
    }
    let at = OffsetDateTime::from_unix_timestamp(now / 1_000).ok()?.format(&Rfc3339).ok()?;
    Edit::of(live)
        .while_gate_and_change_stand()
        .gate(Gate::Open)
        .annotate(Key::Released, live.digest.as_str())
        .annotate(Key::ReleasedAt, &at)
        .phase(Some(Phase::Released))
        .without_our_pause()
        .without_replay()
        .finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::live::tests::{live, object};

    /// The Deployment of the case after its release.
    fn released(case: &Value) -> Value {
        let mut object = object(case);
        json_patch::patch(&mut object, &patch(&live(case), 1_500).unwrap()).unwrap();
        object
    }

    #[test]
    fn a_release_opens_the_gate_and_leaves_good() {
        let object = released(&json!({}));
        let annotations = &object["metadata"]["annotations"];
        assert_eq!(annotations["roadstead.dev/gate"], "open");
        assert_eq!(annotations["roadstead.dev/released"], live(&json!({})).digest.as_str());
        assert_eq!(annotations["roadstead.dev/good"], "b".repeat(64));
        assert_eq!(annotations["roadstead.dev/released-at"], "1970-01-01T00:00:01Z");
        assert_eq!(object["metadata"]["labels"], json!({"app": "web", "roadstead.dev/phase": "released"}));
    }

    #[test]
    fn our_pause_goes_and_a_users_own_stays() {
        let ours = released(&json!({
            "metadata": {"annotations": {"roadstead.dev/paused": "true"}}, "spec": {"paused": true}
        }));
        assert_eq!(ours["spec"].get("paused"), None);
        assert_eq!(ours["metadata"]["annotations"].get("roadstead.dev/paused"), None);
        let theirs = released(&json!({"spec": {"paused": true}}));
        assert_eq!(theirs["spec"]["paused"], true);
    }

    #[test]
    fn a_deployment_without_labels_gets_its_phase() {
        let object = released(&json!({"metadata": {"labels": null}}));
        assert_eq!(object["metadata"]["labels"], json!({"roadstead.dev/phase": "released"}));
    }

    #[test]
    fn whatever_changed_since_it_was_read_refuses_the_release() {
        let patch = patch(&live(&json!({})), 1_500).unwrap();
        for change in [
            json!({"metadata": {"uid": "u-2"}}),
            json!({"metadata": {"generation": 5}}),
            json!({"metadata": {"annotations": {"roadstead.dev/change": "cccccccccc"}}}),
            json!({"metadata": {"annotations": {"roadstead.dev/gate": "open"}}}),
            json!({"metadata": {"annotations": null}}),
        ] {
            let mut object = object(&change);
            let before = object.clone();
            assert!(json_patch::patch(&mut object, &patch).is_err(), "{change}");
            assert_eq!(object, before);
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<i32>().prop_map(Value::from), "[a-z~/ ]{0,6}".prop_map(Value::from)];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z~/.]{1,8}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn texts() -> impl Strategy<Value = Value> {
        prop::collection::btree_map("[a-z~/.]{1,12}", "[ -~]{0,8}", 0..4).prop_map(|map| {
            Value::Object(map.into_iter().map(|(key, text)| (key, Value::from(text))).collect())
        })
    }

    /// What is left of an object without the keys that a release writes.
    fn without_own_keys(mut object: Value) -> Value {
        for (map, keys) in [
            (
                "annotations",
                [
                    "roadstead.dev/gate",
                    "roadstead.dev/released",
                    "roadstead.dev/released-at",
                    "roadstead.dev/paused",
                ]
                .as_slice(),
            ),
            ("labels", &["roadstead.dev/phase"]),
        ] {
            let Some(map) = object["metadata"][map].as_object_mut() else { continue };
            for key in keys {
                map.remove(*key);
            }
        }
        object["spec"].as_object_mut().unwrap().remove("paused");
        object
    }

    proptest! {
        #[test]
        fn a_release_leaves_everything_else_as_it_was(
            spec in json(), status in json(), annotations in texts(), labels in texts(), paused in any::<[bool; 2]>(),
        ) {
            let mut case = json!({
                "metadata": {"annotations": annotations, "labels": labels},
                "spec": {"template": spec, "paused": paused[0]}, "status": {"of a later version": status},
            });
            if paused[1] {
                case["metadata"]["annotations"]["roadstead.dev/paused"] = json!("true");
            }
            let after = released(&case);
            prop_assert_eq!(after["spec"]["paused"] == true, paused[0] && !paused[1]);
            prop_assert_eq!(without_own_keys(after), without_own_keys(object(&case)));
        }
    }
}
