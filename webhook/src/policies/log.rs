//! What policies found, in the log: what only observes says so there, and a client that asks again and again must not
//! fill it. The metric counts every finding.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use contract::PolicyRef;
use policy::{resource::Action, validation::Finding};

/// How long a policy is quiet after a line.
const QUIET: Duration = Duration::from_secs(10);

/// Policies whose last line is remembered. With more, the oldest lines are forgotten all at once, and come anew.
const POLICIES: usize = 4096;

/// When each policy had its last line.
#[derive(Default)]
pub(super) struct Log(Mutex<HashMap<PolicyRef, Instant>>);

impl Log {
    /// Says what was found in a Deployment, if the policy has had no line for a while.
    pub(super) fn tell(&self, finding: &Finding, namespace: &str, deployment: &str) {
        let Finding { policy, name: rule, message, error, .. } = finding;
        if let Some(error) = error {
            tracing::debug!(%policy, rule, namespace, deployment, error, "an expression failed");
        }
        if finding.observed && self.speaks(policy, Instant::now()) {
            let action = match finding.action {
                Action::Deny => "deny",
                Action::Warn => "warn",
            };
            tracing::info!(%policy, rule, namespace, deployment, action, found = message, "an observing policy would have acted");
        }
    }

    fn speaks(&self, policy: &PolicyRef, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.get(policy).is_some_and(|last| now.duration_since(*last) < QUIET) {
            return false;
        }
        if last.len() >= POLICIES {
            last.clear();
        }
        last.insert(policy.clone(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use contract::PolicyKind;

    use super::*;

    #[test]
    fn a_policy_that_spoke_is_quiet_for_a_while_and_the_others_are_not() {
        let policy = |name: &str| PolicyRef {
            kind: PolicyKind::ClusterReleasePolicy,
            namespace: None,
            name: name.into(),
        };
        let (log, start) = (Log::default(), Instant::now());
        assert!(log.speaks(&policy("a"), start));
        assert!(!log.speaks(&policy("a"), start + QUIET / 2));
        assert!(log.speaks(&policy("b"), start + QUIET / 2));
        assert!(log.speaks(&policy("a"), start + QUIET));
    }
}
