//! What several policies come to for one Deployment, where it is one answer that is needed: the most restrictive. A
//! policy that only observes has no say.

use std::{sync::Arc, time::Duration};

use contract::{Lane, PolicyRef};

use crate::{
    resource::{Check, Mode, OnFailure},
    set::{Policy, Selected},
};

impl<'a> Selected<'a> {
    /// The policies that are obeyed.
    pub fn enforced(&self) -> impl Iterator<Item = &'a Arc<Policy>> + use<'a, '_> {
        self.policies.iter().copied().filter(|policy| policy.mode == Mode::Enforce)
    }

    /// Lane of a change whose Deployment asks for none: the least urgent. `None`: no policy says.
    #[must_use]
    pub fn lane(&self) -> Option<Lane> {
        self.enforced().filter_map(|policy| policy.lane).max()
    }

    /// Refusals after which a change is given up: the fewest. `None`: no policy says.
    #[must_use]
    pub fn attempts(&self) -> Option<u32> {
        self.enforced().filter_map(|policy| policy.attempts).min()
    }

    /// What becomes of the Deployment if its rollout fails: `Pause` before `Rollback` before `Keep`. `None`: no policy
    /// says, and the Deployment's annotation decides.
    #[must_use]
    pub fn on_failure(&self) -> Option<OnFailure> {
        self.enforced().filter_map(|policy| policy.on_failure).max_by_key(|&what| severity(what))
    }

    /// The policies whose queue a failed rollout pauses.
    pub fn pausing(&self) -> impl Iterator<Item = &'a Arc<Policy>> + use<'a, '_> {
        self.enforced().filter(|policy| policy.on_failure == Some(OnFailure::Pause))
    }

    /// How long a complete rollout must stay complete: the longest. `None`: no policy says.
    #[must_use]
    pub fn soak(&self) -> Option<Duration> {
        self.enforced().filter_map(|policy| policy.soak).max()
    }

    /// What must hold then: the checks of all, in the order of the policies, each with the policy that it is from.
    pub fn checks(&self) -> impl Iterator<Item = (&'a PolicyRef, &'a Check)> + use<'a, '_> {
        self.enforced().flat_map(|policy| policy.checks.iter().map(|check| (&policy.reference, check)))
    }

    /// Rollouts in flight at a time, of each policy that limits them.
    #[must_use]
    pub fn slots(&self) -> Vec<(PolicyRef, u32)> {
        self.enforced().filter_map(|policy| Some((policy.reference.clone(), policy.slots?))).collect()
    }
}

const fn severity(what: OnFailure) -> u8 {
    match what {
        OnFailure::Keep => 0,
        OnFailure::Rollback => 1,
        OnFailure::Pause => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        resource::{Limits, PolicyLane, ReleasePolicy, ReleasePolicySpec, Retries},
        set::{Labels, Set},
    };

    fn set(specs: Vec<ReleasePolicySpec>) -> Set {
        let mut set = Set::default();
        for (at, spec) in specs.into_iter().enumerate() {
            let mut policy = ReleasePolicy::new(&format!("p{at}"), spec);
            policy.metadata.namespace = Some("shop".into());
            set.put(Arc::new(Policy::of(&policy)));
        }
        set
    }

    fn full(lane: PolicyLane, number: u32, on_failure: OnFailure, soak: &str) -> ReleasePolicySpec {
        ReleasePolicySpec {
            lane: Some(lane),
            retries: Some(Retries { attempts: number }),
            limits: Some(Limits { slots: Some(number), ..Limits::default() }),
            on_failure: Some(on_failure),
            soak: Some(soak.into()),
            approvals: Some(crate::resource::Approvals { required: number, expire_after: None }),
            checks: vec![Check { name: format!("check-{number}"), ..Check::default() }],
            ..ReleasePolicySpec::default()
        }
    }

    #[test]
    fn the_most_restrictive_of_several_decides_whatever_their_order() {
        let one = full(PolicyLane::Urgent, 5, OnFailure::Keep, "10m");
        let two = full(PolicyLane::Bulk, 2, OnFailure::Pause, "1m");
        let three = full(PolicyLane::Normal, 3, OnFailure::Rollback, "1h");
        let silent = ReleasePolicySpec::default();
        for specs in
            [vec![one.clone(), two.clone(), three.clone(), silent.clone()], vec![silent, three, two, one]]
        {
            let set = set(specs);
            let selected = set.select("shop", &Labels::new(), &Labels::new());
            assert_eq!(selected.lane(), Some(Lane::Bulk));
            assert_eq!(selected.attempts(), Some(2));
            assert_eq!(selected.on_failure(), Some(OnFailure::Pause));
            assert_eq!(selected.pausing().count(), 1);
            assert_eq!(selected.soak(), Some(Duration::from_hours(1)));
            assert_eq!(selected.slots().len(), 3);
            let checks: Vec<_> =
                selected.checks().map(|(policy, check)| format!("{policy} {}", check.name)).collect();
            assert_eq!(checks.len(), 3);
            assert!(checks[0].starts_with("ReleasePolicy shop/p"), "{checks:?}");
        }
    }

    #[test]
    fn a_policy_that_only_observes_and_one_that_says_nothing_decide_nothing() {
        let observing =
            ReleasePolicySpec { mode: Mode::Observe, ..full(PolicyLane::Bulk, 1, OnFailure::Pause, "1h") };
        let set = set(vec![observing, ReleasePolicySpec::default()]);
        let selected = set.select("shop", &Labels::new(), &Labels::new());
        assert_eq!((selected.lane(), selected.attempts(), selected.on_failure()), (None, None, None));
        assert_eq!((selected.soak(), selected.slots()), (None, vec![]));
        assert_eq!((selected.checks().count(), selected.pausing().count()), (0, 0));
        assert_eq!(selected.enforced().count(), 1);
    }
}
