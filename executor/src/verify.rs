//! What a message comes to, decided by the live object alone: the message is a pointer to a change, and a
//! forged, repeated, late or duplicated one comes to nothing.

use contract::{ChangeId, Lane, Phase, Pointer};

use crate::live::Live;

/// How the Deployment's namespace stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not opted in, or not served: its gates are opened by the sweep.
    OptedOut,
    /// Opted in, but what was written there before still counts.
    NotSwept,
    /// Served; the Deployment's changes wait in this lane now.
    Served(Lane),
}

/// What a message comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Let it through. The digest that counts is the live one: where it is another than the message's, a newer
    /// API server defaulted the same change differently, and what is stored is what is let through.
    Release,
    /// It was let through and rolls out: the follower has it.
    Released,
    /// It was let through, and its rollout has come to its end.
    Ended,
    /// It was given up, or it is an attempt before the one that waits.
    Spent,
    /// It waits for something else than a slot.
    Wait(Wait),
    /// It will never be let through.
    Stale(Stale),
}

/// Why a change waits though its turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Its namespace is opted out, and its gate about to be opened.
    OptedOut,
    /// Its namespace is about to be swept.
    NotSwept,
    /// It waits in another lane now, and may come back to this one.
    OtherLane,
}

/// Why a change will never be let through.
#[derive(Clone, Debug, PartialEq)]
pub enum Stale {
    /// The Deployment is gone, or goes with its namespace, or another one has its name.
    Gone,
    /// A newer change waits in its place.
    Superseded(ChangeId),
    /// Another change took its place and is open: a newer one that was let through, or a way back.
    Overtaken(Option<ChangeId>),
}

/// Judges a message.
#[must_use]
pub fn verify(pointer: &Pointer, live: Option<&Live>, standing: Standing) -> Verdict {
    let Some(live) = live.filter(|live| live.uid == pointer.uid && !live.deleting) else {
        return Verdict::Stale(Stale::Gone);
    };
    let state = &live.state;
    match &state.change {
        Some(change) if *change == pointer.change => {}
        Some(newer) if state.is_closed() => return Verdict::Stale(Stale::Superseded(newer.clone())),
        other => return Verdict::Stale(Stale::Overtaken(other.clone())),
    }
    match (state.is_closed(), state.phase, standing) {
        (false, Some(Phase::Released), _) => Verdict::Released,
        (false, ..) => Verdict::Ended,
        (true, Some(Phase::Dead), _) => Verdict::Spent,
        (true, ..) if state.attempt() != pointer.attempt => Verdict::Spent,
        (true, _, Standing::OptedOut) => Verdict::Wait(Wait::OptedOut),
        (true, _, Standing::NotSwept) => Verdict::Wait(Wait::NotSwept),
        (true, _, Standing::Served(lane)) if lane != pointer.lane => Verdict::Wait(Wait::OtherLane),
        (true, _, Standing::Served(_)) => Verdict::Release,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::live::tests::live;

    fn pointer() -> Pointer {
        Pointer {
            namespace: "shop".into(),
            name: "web".into(),
            uid: "u-1".into(),
            change: "aaaaaaaaaa".parse().unwrap(),
            digest: live(&json!({})).digest,
            lane: Lane::Normal,
            attempt: 1,
            requested_by: None,
        }
    }

    fn judge(case: &Value, standing: Standing) -> Verdict {
        verify(&pointer(), Some(&live(case)), standing)
    }

    #[test]
    fn the_live_object_decides() {
        let newer = "cccccccccc".parse::<ChangeId>().unwrap();
        let own = |annotations: Value, phase: Value| json!({"metadata": {"annotations": annotations, "labels": {"roadstead.dev/phase": phase}}});
        for (what, case, verdict) in [
            ("held", json!({}), Verdict::Release),
            ("another digest", json!({"spec": {"template": {"defaulted": true}}}), Verdict::Release),
            ("the label was lost", own(json!({}), Value::Null), Verdict::Release),
            ("given up", own(json!({}), json!("dead")), Verdict::Spent),
            ("replayed since", own(json!({"roadstead.dev/attempt": "2"}), json!("held")), Verdict::Spent),
            ("released", own(json!({"roadstead.dev/gate": "open"}), json!("released")), Verdict::Released),
            ("ended", own(json!({"roadstead.dev/gate": "open"}), Value::Null), Verdict::Ended),
            (
                "superseded",
                own(json!({"roadstead.dev/change": newer}), json!("held")),
                Verdict::Stale(Stale::Superseded(newer.clone())),
            ),
            (
                "overtaken",
                own(json!({"roadstead.dev/change": newer, "roadstead.dev/gate": "open"}), Value::Null),
                Verdict::Stale(Stale::Overtaken(Some(newer.clone()))),
            ),
            (
                "own keys lost",
                own(json!({"roadstead.dev/change": null, "roadstead.dev/gate": null}), Value::Null),
                Verdict::Stale(Stale::Overtaken(None)),
            ),
            ("another object", json!({"metadata": {"uid": "u-2"}}), Verdict::Stale(Stale::Gone)),
            (
                "being deleted",
                json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
                Verdict::Stale(Stale::Gone),
            ),
        ] {
            assert_eq!(judge(&case, Standing::Served(Lane::Normal)), verdict, "{what}");
        }
        assert_eq!(verify(&pointer(), None, Standing::Served(Lane::Normal)), Verdict::Stale(Stale::Gone));
    }

    #[test]
    fn a_held_change_waits_for_its_namespace_and_its_lane() {
        for (standing, wait) in [
            (Standing::OptedOut, Wait::OptedOut),
            (Standing::NotSwept, Wait::NotSwept),
            (Standing::Served(Lane::Urgent), Wait::OtherLane),
        ] {
            assert_eq!(judge(&json!({}), standing), Verdict::Wait(wait));
        }
    }
}
