//! What the policies say of a rollout after its release: how long it soaks, what is checked then, what becomes of it if
//! it fails. Asked anew each time: a policy that is edited meanwhile counts as it is now.

use std::time::Duration;

use contract::{OnFailure, PolicyRef};
use ops::{namespaces::Namespaces, policies::Policies};
use policy::resource;

use crate::{checks::Asked, live::Live};

/// What becomes of a rollout that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It stays.
    Keep,
    /// The last good template is brought back.
    Back,
    /// It stays, and the queues of these policies are paused.
    Pause(Vec<PolicyRef>),
}

/// What the policies say of one rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// How long it has to stay complete.
    pub(super) soak: Duration,
    /// What must hold then.
    pub(super) checks: Vec<Asked>,
    /// What becomes of it if it fails.
    pub(super) way: Way,
}

impl Rules {
    /// The rules for a Deployment that rolls out. A way back to what succeeded before neither soaks nor is checked.
    pub(super) fn of(policies: &Policies, namespaces: &Namespaces, live: &Live) -> Self {
        let (set, opted_in) = (policies.load(), namespaces.get(&live.namespace).unwrap_or_default());
        let selected = set.select(&live.namespace, &opted_in.labels, &live.labels);
        let way = match (selected.on_failure(), live.on_failure) {
            (Some(resource::OnFailure::Pause), _) => {
                Way::Pause(selected.pausing().map(|policy| policy.reference.clone()).collect())
            }
            (Some(resource::OnFailure::Rollback), _) | (None, OnFailure::Rollback) => Way::Back,
            (Some(resource::OnFailure::Keep), _) | (None, OnFailure::Keep) => Way::Keep,
        };
        if live.state.last_good() == Some(&live.digest) {
            return Self { soak: Duration::ZERO, checks: Vec::new(), way };
        }
        let asked = |(policy, check): (&PolicyRef, &resource::Check)| Asked {
            policy: policy.clone(),
            check: check.clone(),
        };
        Self {
            soak: selected.soak().unwrap_or_default(),
            checks: selected.checks().map(asked).collect(),
            way,
        }
    }

    /// What is told of a rollout that came to a good end.
    pub(super) fn fulfilled(&self) -> String {
        let mut told = "rolled out".to_owned();
        if !self.soak.is_zero() {
            let soak = humantime::format_duration(self.soak);
            told = format!("{told}; it stayed complete for {soak}");
        }
        if !self.checks.is_empty() {
            let names: Vec<_> = self.checks.iter().map(|asked| &*asked.check.name).collect();
            told = format!("{told}; its checks succeeded: {}", names.join(", "));
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use policy::{
        resource::{Check, ReleasePolicy, ReleasePolicySpec},
        set::{Policy, Set},
    };
    use serde_json::json;

    use super::*;
    use crate::live::tests::live;

    fn rules(on_failure: Option<resource::OnFailure>, live: &Live) -> Rules {
        let spec = ReleasePolicySpec {
            soak: Some("1m".into()),
            checks: vec![Check::default()],
            on_failure,
            ..ReleasePolicySpec::default()
        };
        let mut policy = ReleasePolicy::new("calm", spec);
        policy.metadata.namespace = Some("shop".into());
        let (policies, mut set) = (Policies::default(), Set::default());
        set.put(Arc::new(Policy::of(&policy)));
        policies.replace(set);
        Rules::of(&policies, &Namespaces::new(Vec::new()), live)
    }

    #[test]
    fn a_policy_comes_before_the_annotation() {
        let wants_back =
            live(&json!({"metadata": {"annotations": {"roadstead.dev/on-failure": "Rollback"}}}));
        assert_eq!(rules(None, &wants_back).way, Way::Back);
        assert_eq!(rules(Some(resource::OnFailure::Keep), &wants_back).way, Way::Keep);
        assert_eq!(rules(Some(resource::OnFailure::Rollback), &live(&json!({}))).way, Way::Back);
        let Way::Pause(pausing) = rules(Some(resource::OnFailure::Pause), &wants_back).way else {
            panic!("nothing is paused")
        };
        assert_eq!(pausing[0].to_string(), "ReleasePolicy shop/calm");
    }

    #[test]
    fn a_way_back_neither_soaks_nor_is_checked() {
        let mut live = live(&json!({}));
        let forward = rules(None, &live);
        assert_eq!((forward.soak, forward.checks.len()), (Duration::from_mins(1), 1));
        live.state.good = Some(live.digest.clone());
        let back = rules(None, &live);
        assert_eq!((back.soak, back.checks.len()), (Duration::ZERO, 0));
        assert_eq!(back.fulfilled(), "rolled out");
        assert!(forward.fulfilled().starts_with("rolled out; it stayed complete for 1m; its checks"));
    }
}
