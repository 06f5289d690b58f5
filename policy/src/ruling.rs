//! Whether a change may be let through now: every rule of every policy that selects its Deployment, but for the
//! validations. Pure; the caller brings the time and what else there is to know.

use contract::{Approvals, ChangeId, Lane, Obstacle, PolicyRef};

use crate::{set::Selected, window::UnixMillis};

/// How a Deployment that comes first stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none of that name.
    Absent,
    /// A change of it waits.
    Waits,
    /// A change of it rolls out.
    RollsOut,
    /// Its last rollout failed.
    Failed,
    /// Its last rollout succeeded, and nothing else waits.
    Succeeded,
}

/// What there is to know of a change.
pub struct Facts<'a> {
    /// Now.
    pub now: UnixMillis,
    /// Namespace of the Deployment.
    pub namespace: &'a str,
    /// Name of the Deployment.
    pub name: &'a str,
    /// The change.
    pub change: &'a ChangeId,
    /// Who requested it.
    pub requested_by: Option<&'a str>,
    /// Its lane.
    pub lane: Lane,
    /// The approvals that stand on it.
    pub approvals: &'a Approvals,
    /// When a change of the Deployment was let through last.
    pub last_release: Option<UnixMillis>,
    /// How Deployments that come first stand; asked only where a policy names them.
    pub standing: &'a dyn Fn(&str) -> Standing,
    /// Rollouts in flight of a policy, this Deployment's own not counted.
    pub in_flight: &'a dyn Fn(&PolicyRef) -> u32,
}

/// What the policies say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruling {
    /// The rules that let it wait, the one that lasts longest first: what has no end, then the latest end. None: it may go.
    pub obstacles: Vec<Obstacle>,
    /// The rules that would, of policies that only observe.
    pub observed: Vec<Obstacle>,
}

impl Ruling {
    /// When the change may go at the earliest, as far as that is known: the latest end of all obstacles; `None` where
    /// one of them has none.
    #[must_use]
    pub fn until(&self) -> Option<UnixMillis> {
        None
    }
}

/// Asks every rule.
#[must_use]
pub fn ruling(selected: &Selected<'_>, facts: &Facts<'_>) -> Ruling {
    let _ = (selected, facts);
    Ruling::default()
}
