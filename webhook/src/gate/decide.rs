//! The rules of the gate. The deployment controller does not retry a denial that carries the cause
//! [`DO_NOT_RETRY`], so a wrong one would last for ever: where the gate is not sure it denies without it.
//! Where a growing ReplicaSet is older than its owner's release: docs/adr/0021-a-stale-replicaset-is-denied.md

use contract::{ChangeId, Digest, Gate};

use super::owner::{Owner, Unreadable};
use crate::{
    answer::{Answer, Cause, Denial},
    object::{Object, OwnerReference},
    review::{Malformed, Request},
};

/// A cause that the deployment controller takes as "stop": no retry, no warning event, no condition.
/// `HasStatusCause(err, v1.NamespaceTerminatingCause)` in its `handleErr` and `getNewReplicaSet`:
/// <https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/controller/deployment/deployment_controller.go>
const DO_NOT_RETRY: &str = "NamespaceTerminating";

/// The cause that says what really happens.
const HELD: &str = "RoadsteadChangeHeld";

/// The cause that says what really happens where the change was let through already.
const STALE: &str = "RoadsteadReleaseNotSeen";

/// What became of a review; the word is a metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It may be created or grow.
    Allowed,
    /// Its change waits.
    Denied,
    /// Its change was let through since the controller looked: the release has the controller look again.
    Stale,
    /// Not known whether its change waits.
    Unsure,
}

/// A ReplicaSet that is created or grows.
#[derive(Debug, PartialEq, Eq)]
pub struct Growth {
    /// Name of the Deployment that owns it.
    pub owner: String,
    /// Uid of the Deployment that owns it.
    pub owner_uid: String,
    /// Digest of its template.
    pub digest: Digest,
    /// Whether it has pods already.
    pub has_pods: bool,
}

/// Reads what the gate has to decide on; `None` for a ReplicaSet that no Deployment owns or that does not grow:
/// nothing holds it.
///
/// # Errors
/// A review without the objects that its operation needs, or with a template that is no JSON object tree.
pub fn growth(request: &Request<'_>) -> Result<Option<Growth>, Malformed> {
    let (new, old) = (request.object()?, request.old_object()?);
    let pods = |object: &Object<'_>| object.spec.replicas.unwrap_or(1);
    let before = old.map(pods);
    if before.is_some_and(|before| pods(new) <= before) {
        return Ok(None);
    }
    let is_owner = |owner: &&OwnerReference| owner.controller == Some(true) && owner.kind == "Deployment";
    let Some(owner) = new.metadata.owner_references.iter().flatten().find(is_owner) else { return Ok(None) };
    let digest = new.spec.digest();
    Ok(Some(Growth {
        owner: owner.name.clone(),
        owner_uid: owner.uid.clone(),
        digest: digest
            .map_err(|error| Malformed::Field { field: "spec.template", problem: error.to_string() })?,
        has_pods: before.is_some_and(|before| before > 0),
    }))
}

/// Decides on a growing ReplicaSet from its live owner.
#[must_use]
pub fn decide(namespace: &str, growth: &Growth, owner: &Result<Owner, Unreadable>) -> (Verdict, Answer) {
    #[cfg(feature = "seeded-bugs")]
    if ops::seeded::seeded("gate-allows-all") {
        return (Verdict::Allowed, Answer::default());
    }
    let Growth { owner: name, digest, has_pods, .. } = growth;
    let owner = match owner {
        Ok(owner) if owner.uid == growth.owner_uid => owner,
        Ok(_) => {
            return unsure(&format!(
                "Deployment {namespace}/{name} is not the one that owns this ReplicaSet"
            ));
        }
        Err(error) => {
            return unsure(&format!("cannot read Deployment {namespace}/{name}: {}", ops::chain(error)));
        }
    };
    let same = owner.digest == *digest;
    let closed = owner.gate == Some(Gate::Closed);
    match (has_pods, closed, same) {
        // An old ReplicaSet with pods is scaled while a change waits; so is one whose owner is open, also where it is
        // one of two with the owner's template: the controller grows the other one without writing `open` to it.
        (true, true, false) | (true, false, _) => (Verdict::Allowed, Answer::default()),
        (_, true, _) => held(namespace, name, owner.change.as_ref()),
        // The controller acts on a template that is not the Deployment's any more; it will look again.
        (false, false, false) => {
            unsure(&format!("the template of Deployment {namespace}/{name} is another one by now"))
        }
        // It acts on a Deployment that was not open yet. That it is open now was a write, which it will see.
        (false, false, true) if owner.gate == Some(Gate::Open) => stale(namespace, name),
        // Nobody wrote `open`, so nobody will make it look again, nor take `closed` from the ReplicaSet.
        (false, false, true) => (Verdict::Allowed, Answer::default()),
    }
}

fn held(namespace: &str, name: &str, change: Option<&ChangeId>) -> (Verdict, Answer) {
    let id = change.map_or("(without id)", ChangeId::as_str);
    let message = format!(
        "change {id} of Deployment {namespace}/{name} is held by Roadstead until its turn comes; \
         look: kubectl roadstead get -n {namespace}"
    );
    (Verdict::Denied, final_denial(HELD, message))
}

fn stale(namespace: &str, name: &str) -> (Verdict, Answer) {
    let message = format!(
        "Deployment {namespace}/{name} was let through by Roadstead since its controller looked; \
         the controller looks again by itself"
    );
    (Verdict::Stale, final_denial(STALE, message))
}

/// A denial that the deployment controller does not answer with another try.
fn final_denial(cause: &'static str, message: String) -> Answer {
    let causes = vec![
        Cause::new(DO_NOT_RETRY, "not so: Roadstead asks the deployment controller not to retry"),
        Cause::new(cause, message.clone()),
    ];
    Answer { denial: Some(Denial::forbidden(message, causes)), ..Answer::default() }
}

fn unsure(why: &str) -> (Verdict, Answer) {
    let message = format!("Roadstead does not know whether this change waits, so it waits: {why}");
    (Verdict::Unsure, Answer { denial: Some(Denial::forbidden(message, Vec::new())), ..Answer::default() })
}

#[cfg(test)]
mod tests {
    use contract::Gate::{Closed, Open};
    use serde_json::json;

    use super::*;

    fn digest(image: &str) -> Digest {
        Digest::of_value(&json!({"image": image})).unwrap()
    }

    fn growth(image: &str, has_pods: bool) -> Growth {
        Growth { owner: "web".into(), owner_uid: "u".into(), digest: digest(image), has_pods }
    }

    #[expect(clippy::unnecessary_wraps, reason = "a case reads as what the gate is given")]
    fn owner(image: &str, gate: impl Into<Option<Gate>>) -> Result<Owner, Unreadable> {
        Ok(Owner { uid: "u".into(), gate: gate.into(), change: None, digest: digest(image) })
    }

    fn unreadable() -> Result<Owner, Unreadable> {
        Err(serde_json::from_str::<()>("not JSON").unwrap_err().into())
    }

    #[test]
    fn a_replicaset_without_pods_waits_for_the_controller_to_see_what_its_owner_says_now() {
        for (owner, verdict) in [
            (owner("new", Closed), Verdict::Denied),
            (owner("newer", Closed), Verdict::Denied),
            (owner("new", Open), Verdict::Stale),
            (owner("newer", Open), Verdict::Unsure),
            (unreadable(), Verdict::Unsure),
        ] {
            assert_eq!(decide("shop", &growth("new", false), &owner).0, verdict, "{owner:?}");
        }
    }

    #[test]
    fn a_replicaset_with_pods_grows_unless_it_is_the_held_one() {
        for (owner, verdict) in [
            (owner("old", Closed), Verdict::Denied),
            (owner("new", Closed), Verdict::Allowed),
            (owner("old", Open), Verdict::Allowed),
            (owner("new", Open), Verdict::Allowed),
            (owner("old", None), Verdict::Allowed),
            (owner("new", None), Verdict::Allowed),
            (unreadable(), Verdict::Unsure),
        ] {
            assert_eq!(decide("shop", &growth("old", true), &owner).0, verdict, "{owner:?}");
        }
    }

    #[test]
    fn what_no_release_will_open_is_not_denied_for_ever() {
        // Adopted by a Deployment that nobody held: the annotation stays closed, and no write is to come.
        assert_eq!(decide("shop", &growth("new", false), &owner("new", None)).0, Verdict::Allowed);
        assert_eq!(decide("shop", &growth("new", false), &owner("newer", None)).0, Verdict::Unsure);
    }

    #[test]
    fn an_owner_deleted_and_made_again_is_another_one() {
        let stranger = Ok(Owner { uid: "v".into(), gate: Some(Open), change: None, digest: digest("new") });
        assert_eq!(decide("shop", &growth("new", false), &stranger).0, Verdict::Unsure);
    }

    #[test]
    fn only_a_sure_denial_tells_the_controller_not_to_retry() {
        let causes = |answer: Answer| {
            answer.denial.unwrap().causes.into_iter().map(|cause| cause.reason).collect::<Vec<_>>()
        };
        assert_eq!(
            causes(decide("shop", &growth("new", false), &owner("new", Closed)).1),
            [DO_NOT_RETRY, HELD]
        );
        assert_eq!(
            causes(decide("shop", &growth("new", false), &owner("new", Open)).1),
            [DO_NOT_RETRY, STALE]
        );
        assert!(causes(decide("shop", &growth("new", false), &owner("newer", Open)).1).is_empty());
        assert!(causes(decide("shop", &growth("new", false), &unreadable()).1).is_empty());
    }
}
