//! What the sweep writes on one Deployment. Pure.

use contract::{Gate, Key, Phase};
use json_patch::Patch;

use crate::{edit::Edit, live::Live};

/// The namespace was opted in: what was written there before counts for nothing. What runs is remembered; where a
/// change is held, nobody knows what runs. `None`: nothing to write.
#[must_use]
pub(super) fn opted_in(live: &Live) -> Option<Patch> {
    let state = &live.state;
    let (released, good) = (state.released.is_some(), state.good.is_some());
    if state.is_closed() && state.change.is_some() {
        let edit = Edit::of(live).without(Key::Released, released).without(Key::Good, good);
        // Without the label it would be found by nobody.
        return edit.phase(Some(Phase::Held)).finish();
    }
    let digest = live.digest.as_str();
    let mut edit = Edit::of(live);
    if state.released.as_ref() != Some(&live.digest) {
        edit = edit.annotate(Key::Released, digest);
    }
    // As long as nothing waits or rolls out, what was let through last is the good one.
    edit = edit.without(Key::Good, good);
    if state.is_closed() {
        // Closed by nobody that we know: no change waits behind it.
        edit = edit.gate(Gate::Open);
    }
    let in_flight = state.phase == Some(Phase::Released) && !state.is_closed();
    let edit = if in_flight { edit } else { edit.phase(None) };
    edit.without_our_pause().finish()
}

/// The namespace was opted out: every gate opens, and nothing is followed any more. `None`: nothing to write.
#[must_use]
pub(super) fn opted_out(live: &Live) -> Option<Patch> {
    let edit = if live.state.is_closed() { Edit::of(live).gate(Gate::Open) } else { Edit::of(live) };
    edit.phase(None).without_our_pause().finish()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::live::tests::{live, object};

    /// Own keys, phase and pause after the plan.
    fn after(plan: impl Fn(&Live) -> Option<Patch>, case: &Value) -> (Value, Option<String>, bool) {
        let mut object = object(case);
        if let Some(patch) = plan(&live(case)) {
            json_patch::patch(&mut object, &patch).unwrap();
            let again = Live::of(&serde_json::from_value(object.clone()).unwrap()).unwrap();
            assert_eq!(plan(&again), None, "a second sweep finds nothing to do");
        }
        let own = object["metadata"]["annotations"].as_object().unwrap().iter();
        let own = own
            .filter_map(|(key, value)| Some((key.strip_prefix("roadstead.dev/")?.to_owned(), value.clone())));
        let phase = object["metadata"]["labels"]["roadstead.dev/phase"].as_str().map(str::to_owned);
        (Value::Object(own.collect()), phase, object["spec"]["paused"] == true)
    }

    fn never_seen() -> Value {
        json!({"metadata": {"labels": null, "annotations": null}})
    }

    #[test]
    fn what_runs_when_a_namespace_is_opted_in_is_remembered() {
        let digest = live(&json!({})).digest;
        let (own, phase, _) = after(opted_in, &never_seen());
        assert_eq!((own, phase), (json!({"released": digest}), None));
    }

    #[test]
    fn what_was_written_before_counts_for_nothing() {
        let digest = live(&json!({})).digest;
        let forged = json!({"metadata": {
            "labels": {"roadstead.dev/phase": null},
            "annotations": {"roadstead.dev/gate": null, "roadstead.dev/change": null},
        }});
        assert_eq!(after(opted_in, &forged).0, json!({"released": digest}));
        let closed_by_nobody = json!({"metadata": {"annotations": {"roadstead.dev/change": null}}});
        let (own, phase, _) = after(opted_in, &closed_by_nobody);
        assert_eq!((own, phase), (json!({"gate": "open", "released": digest}), None));
    }

    #[test]
    fn what_is_held_goes_on_without_its_past() {
        let (own, phase, paused) = after(
            opted_in,
            &json!({
                "metadata": {"labels": {"roadstead.dev/phase": null}, "annotations": {"roadstead.dev/paused": "true"}},
                "spec": {"paused": true},
            }),
        );
        assert_eq!(own, json!({"gate": "closed", "change": "aaaaaaaaaa", "paused": "true"}));
        assert_eq!((phase.as_deref(), paused), (Some("held"), true));
    }

    #[test]
    fn what_rolls_out_while_a_namespace_is_swept_again_is_followed_on() {
        let in_flight = json!({"metadata": {
            "annotations": {"roadstead.dev/gate": "open"}, "labels": {"roadstead.dev/phase": "released"},
        }});
        assert_eq!(after(opted_in, &in_flight).1.as_deref(), Some("released"));
    }

    #[test]
    fn opting_out_opens_every_gate_and_takes_our_pause_away() {
        let (own, phase, paused) = after(
            opted_out,
            &json!({
                "metadata": {"annotations": {"roadstead.dev/paused": "true"}}, "spec": {"paused": true},
            }),
        );
        assert_eq!(own["gate"], "open");
        assert_eq!((own.get("paused"), phase, paused), (None, None, false));
        assert_eq!(opted_out(&live(&never_seen())), None);
    }
}
