//! The rules of the gate. The deployment controller does not retry a denial that carries the cause
//! [`DO_NOT_RETRY`], so a wrong one would last for ever: where the gate is not sure it denies without it.

use contract::{ChangeId, Digest};

use super::owner::{Owner, Unreadable};
use crate::{
    answer::{Answer, Denial},
    object::{Object, OwnerReference},
    review::{Malformed, Request},
};

/// A cause that the deployment controller takes as "stop": no retry, no warning event, no condition.
/// `HasStatusCause(err, v1.NamespaceTerminatingCause)` in its `handleErr` and `getNewReplicaSet`:
/// <https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/controller/deployment/deployment_controller.go>
const DO_NOT_RETRY: &str = "NamespaceTerminating";

/// The cause that says what really happens.
const HELD: &str = "RoadsteadChangeHeld";

/// What became of a review; the word is a metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It may be created or grow.
    Allowed,
    /// Its change waits.
    Denied,
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
    match (has_pods, owner.is_closed, same) {
        // An old ReplicaSet with pods is scaled while a change waits; so is one whose owner is open.
        (true, true, false) | (true, false, _) | (false, false, true) => {
            (Verdict::Allowed, Answer::default())
        }
        (_, true, _) => held(namespace, name, owner.change.as_ref()),
        // The controller acts on a template that is not the Deployment's any more; it will look again.
        (false, false, false) => {
            unsure(&format!("the template of Deployment {namespace}/{name} is another one by now"))
        }
    }
}

fn held(namespace: &str, name: &str, change: Option<&ChangeId>) -> (Verdict, Answer) {
    let id = change.map_or("(without id)", ChangeId::as_str);
    let message = format!(
        "change {id} of Deployment {namespace}/{name} is held by Roadstead until its turn comes; \
         look: kubectl roadstead get -n {namespace}"
    );
    let causes = vec![
        (DO_NOT_RETRY, "not so: Roadstead asks the deployment controller not to retry".to_owned()),
        (HELD, message.clone()),
    ];
    (Verdict::Denied, Answer { denial: Some(Denial { message, causes }), ..Answer::default() })
}

fn unsure(why: &str) -> (Verdict, Answer) {
    let message = format!("Roadstead does not know whether this change waits, so it waits: {why}");
    (Verdict::Unsure, Answer { denial: Some(Denial { message, causes: Vec::new() }), ..Answer::default() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(image: &str) -> Digest {
        Digest::of_value(&json!({"image": image})).unwrap()
    }

    fn growth(image: &str, has_pods: bool) -> Growth {
        Growth { owner: "web".into(), owner_uid: "u".into(), digest: digest(image), has_pods }
    }

    #[expect(clippy::unnecessary_wraps, reason = "a case reads as what the gate is given")]
    fn owner(image: &str, is_closed: bool) -> Result<Owner, Unreadable> {
        Ok(Owner { uid: "u".into(), is_closed, change: None, digest: digest(image) })
    }

    fn unreadable() -> Result<Owner, Unreadable> {
        Err(serde_json::from_str::<()>("not JSON").unwrap_err().into())
    }

    #[test]
    fn a_replicaset_without_pods_needs_an_open_owner_of_the_same_template() {
        for (owner, verdict) in [
            (owner("new", true), Verdict::Denied),
            (owner("newer", true), Verdict::Denied),
            (owner("new", false), Verdict::Allowed),
            (owner("newer", false), Verdict::Unsure),
            (unreadable(), Verdict::Unsure),
        ] {
            assert_eq!(decide("shop", &growth("new", false), &owner).0, verdict, "{owner:?}");
        }
    }

    #[test]
    fn a_replicaset_with_pods_grows_unless_it_is_the_held_one() {
        for (owner, verdict) in [
            (owner("old", true), Verdict::Denied),
            (owner("new", true), Verdict::Allowed),
            (owner("old", false), Verdict::Allowed),
            (owner("new", false), Verdict::Allowed),
            (unreadable(), Verdict::Unsure),
        ] {
            assert_eq!(decide("shop", &growth("old", true), &owner).0, verdict, "{owner:?}");
        }
    }

    #[test]
    fn an_owner_deleted_and_made_again_is_another_one() {
        let stranger = Ok(Owner { uid: "v".into(), is_closed: false, change: None, digest: digest("new") });
        assert_eq!(decide("shop", &growth("new", false), &stranger).0, Verdict::Unsure);
    }

    #[test]
    fn only_a_sure_denial_tells_the_controller_not_to_retry() {
        let causes = |answer: Answer| {
            answer.denial.unwrap().causes.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
        };
        assert_eq!(
            causes(decide("shop", &growth("new", false), &owner("new", true)).1),
            [DO_NOT_RETRY, HELD]
        );
        assert!(causes(decide("shop", &growth("new", false), &owner("newer", false)).1).is_empty());
        assert!(causes(decide("shop", &growth("new", false), &unreadable()).1).is_empty());
    }
}
