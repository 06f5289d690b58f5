//! What the other parts of this process see of policies: rollouts in flight, and expressions that failed at run time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use contract::PolicyRef;
use k8s_openapi::jiff::Timestamp;

/// How long it is said that an expression failed. A change that waits for it is looked at more often.
const LATELY: Duration = Duration::from_mins(15);

/// Longest error that is kept, in bytes.
const ERROR: usize = 1_024;

/// How many changes wait for each policy and freeze; `None`: that is not known yet.
pub type Waiting = Arc<dyn Fn() -> Option<HashMap<PolicyRef, usize>> + Send + Sync>;

/// Collects it.
#[derive(Clone, Default)]
pub struct Reports(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    in_flight: BTreeMap<PolicyRef, i64>,
    failures: HashMap<PolicyRef, (String, Timestamp)>,
}

impl Reports {
    /// How many rollouts are in flight under each policy.
    pub fn in_flight(&self, counts: BTreeMap<PolicyRef, i64>) {
        self.seen().in_flight = counts;
    }

    /// An expression of a policy failed at run time; `rule` is its name.
    pub fn expression_failed(&self, policy: &PolicyRef, rule: &str, error: &str) {
        let mut text = format!("{rule}: {error}");
        text.truncate(text.floor_char_boundary(ERROR));
        self.seen().failures.insert(policy.clone(), (text, Timestamp::now()));
    }

    /// How many rollouts are in flight under a policy.
    pub(super) fn of(&self, policy: &PolicyRef) -> i64 {
        self.seen().in_flight.get(policy).copied().unwrap_or_default()
    }

    /// What an expression of a policy said that failed here lately.
    pub(super) fn failure(&self, policy: &PolicyRef, now: Timestamp) -> Option<String> {
        let mut seen = self.seen();
        seen.failures.retain(|_, (_, at)| now.duration_since(*at).as_secs() < LATELY.as_secs().cast_signed());
        seen.failures.get(policy).map(|(text, _)| text.clone())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use contract::PolicyKind;

    use super::*;

    #[test]
    fn a_failure_is_told_of_for_a_while() {
        let policy =
            PolicyRef { kind: PolicyKind::ReleasePolicy, namespace: Some("shop".into()), name: "web".into() };
        let reports = Reports::default();
        reports.expression_failed(&policy, "no-latest", &format!("no such key{}", "ä".repeat(ERROR)));
        let now = Timestamp::now();
        let text = reports.failure(&policy, now).unwrap();
        assert!(text.starts_with("no-latest: no such key") && text.len() <= ERROR);
        let later = now + LATELY + Duration::from_secs(1);
        assert_eq!(reports.failure(&policy, later), None);
    }
}
