//! What the status of a policy or a freeze says. Pure. The time of a condition moves with its status only.

use contract::PolicyRef;
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use policy::{
    resource::{FreezeStatus, PolicyStatus},
    set::{Frost, Policy},
};

/// Most problems that are named in a message.
const NAMED: usize = 10;

/// Longest message of a condition, in bytes; the API server takes 32 KiB.
const LONGEST: usize = 4 * 1024;

/// How long it is believed that an expression failed that failed elsewhere.
const BELIEVED: i64 = 60 * 60;

/// What is seen of a policy.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Changes that wait for it; `None`: not known.
    pub(super) waiting: Option<i64>,
    /// Rollouts in flight.
    pub(super) in_flight: i64,
    /// What an expression said that failed here lately.
    pub(super) failure: Option<String>,
}

/// One condition: type, status, reason, message.
type Words = (&'static str, bool, &'static str, String);

/// The status of a policy.
pub(super) fn policy(policy: &Policy, seen: &Seen, now: Timestamp) -> PolicyStatus {
    let (old, generation) = (&policy.status, policy.generation);
    let words = [ready(policy), paused(policy), holds(policy, seen, now)];
    PolicyStatus {
        observed_generation: Some(generation),
        conditions: words.map(|words| condition(&old.conditions, words, generation, now)).into(),
        waiting: seen.waiting.or(old.waiting),
        in_flight: Some(seen.in_flight),
        paused: old.paused.clone(),
    }
}

/// The status of a freeze.
pub(super) fn freeze(frost: &Frost, waiting: Option<i64>, now: Timestamp) -> FreezeStatus {
    let (old, at) = (&frost.status, now.as_millisecond());
    let time = |millis| Timestamp::from_millisecond(millis).map(|time| time.to_string()).unwrap_or_default();
    let mut active = match frost.from.filter(|from| at < *from) {
        Some(from) => ("Active", false, "Pending", format!("it begins at {}", time(from))),
        None if at < frost.until => {
            ("Active", true, "Active", format!("nothing is let through until {}", time(frost.until)))
        }
        None => ("Active", false, "Over", format!("it ended at {}", time(frost.until))),
    };
    for problem in frost.problems.iter().take(NAMED) {
        active.3 = format!("{}; {}: {}", active.3, problem.field, problem.message);
    }
    FreezeStatus {
        observed_generation: Some(frost.generation),
        conditions: vec![condition(&old.conditions, active, frost.generation, now)],
        waiting: waiting.or(old.waiting),
    }
}

fn ready(policy: &Policy) -> Words {
    if policy.problems.is_empty() {
        return ("Ready", true, "Valid", "every rule of it is obeyed".to_owned());
    }
    let problem = |problem: &policy::set::Problem| format!("{}: {}", problem.field, problem.message);
    let mut named: Vec<_> = policy.problems.iter().take(NAMED).map(problem).collect();
    if policy.problems.len() > NAMED {
        named.push(format!("and {} more", policy.problems.len() - NAMED));
    }
    let message = format!("the changes that it selects wait until this is right: {}", named.join("; "));
    ("Ready", false, "Invalid", message)
}

fn paused(policy: &Policy) -> Words {
    let Some(paused) = &policy.paused else {
        return ("Paused", false, "Running", "its queue is not paused".to_owned());
    };
    let message = format!(
        "change {} of {}/{} failed: {}; to go on: {}",
        paused.change,
        paused.namespace,
        paused.deployment,
        paused.reason,
        command(&policy.reference, paused.change.as_str())
    );
    let message = match policy.resume.as_deref().filter(|named| *named != paused.change.as_str()) {
        Some(named) => {
            format!("{message} (roadstead.dev/resume names {named:?} now, which is another change)")
        }
        None => message,
    };
    ("Paused", true, "RolloutFailed", message)
}

/// The command that lets the queue of a policy go on.
pub(crate) fn command(policy: &PolicyRef, change: &str) -> String {
    let kind = policy.kind.as_str().to_lowercase();
    let namespace = policy.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
    format!("`kubectl annotate {kind} {}{namespace} roadstead.dev/resume={change} --overwrite`", policy.name)
}

/// A failure that another executor saw is believed for a while: each sees those of the changes that it looks at.
fn holds(policy: &Policy, seen: &Seen, now: Timestamp) -> Words {
    const TYPE: &str = "ExpressionsHold";
    if let Some(failure) = &seen.failure {
        return (TYPE, false, "ExpressionFailed", format!("an expression failed at run time: {failure}"));
    }
    let old = policy.status.conditions.iter().find(|old| old.type_ == TYPE && old.status == "False");
    let is_recent = |old: &&Condition| {
        let age = now.as_second() - old.last_transition_time.0.as_second();
        age < BELIEVED && old.observed_generation == Some(policy.generation)
    };
    match old.filter(is_recent) {
        Some(old) => (TYPE, false, "ExpressionFailed", old.message.clone()),
        None => (TYPE, true, "NoFailure", "no expression failed at run time lately".to_owned()),
    }
}

/// A condition: the old one, where it says the same.
fn condition(old: &[Condition], words: Words, generation: i64, now: Timestamp) -> Condition {
    let (kind, status, reason, mut message) = words;
    message.truncate(message.floor_char_boundary(LONGEST));
    let status = if status { "True" } else { "False" };
    let old = old.iter().find(|old| old.type_ == kind && old.status == status);
    Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        observed_generation: Some(generation),
        reason: reason.to_owned(),
        message,
        last_transition_time: old.map_or_else(|| Time(whole(now)), |old| old.last_transition_time.clone()),
    }
}

/// As the API server gives it back: in whole seconds.
fn whole(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use policy::resource::{Freeze, ReleasePolicy};
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn policy_of(case: &Value) -> Policy {
        let mut object = json!({
            "apiVersion": "roadstead.dev/v1alpha1", "kind": "ReleasePolicy",
            "metadata": {"namespace": "shop", "name": "web", "generation": 3}, "spec": {},
        });
        json_patch::merge(&mut object, case);
        Policy::of(&serde_json::from_value::<ReleasePolicy>(object).unwrap())
    }

    fn with(mut case: Value, status: &PolicyStatus) -> Policy {
        case["status"] = serde_json::to_value(status).unwrap();
        policy_of(&case)
    }

    fn states(status: &PolicyStatus) -> Vec<(&str, &str)> {
        status.conditions.iter().map(|condition| (&*condition.type_, &*condition.status)).collect()
    }

    #[test]
    fn a_policy_without_problems_is_ready_and_what_says_the_same_is_not_written_again() {
        let seen = || Seen { waiting: Some(2), in_flight: 1, failure: None };
        let first = policy(&policy_of(&json!({})), &seen(), at(NOW));
        assert_eq!(states(&first), [("Ready", "True"), ("Paused", "False"), ("ExpressionsHold", "True")]);
        assert_eq!((first.observed_generation, first.waiting, first.in_flight), (Some(3), Some(2), Some(1)));
        assert_eq!(policy(&with(json!({}), &first), &seen(), at(NOW + 999)), first);
        let unknown = policy(&with(json!({}), &first), &Seen { waiting: None, ..seen() }, at(NOW));
        assert_eq!(unknown, first, "who does not know how many wait leaves the number alone");
    }

    #[test]
    fn the_time_of_a_condition_moves_with_its_status_only() {
        let first = policy(&policy_of(&json!({})), &Seen::default(), at(NOW));
        let edited = with(json!({"metadata": {"generation": 4}}), &first);
        let second = policy(&edited, &Seen::default(), at(NOW + 60));
        assert_eq!(second.conditions[0].observed_generation, Some(4));
        assert_eq!(second.conditions[0].last_transition_time.0, at(NOW));
        let failed = Seen { failure: Some("a: no such key".into()), ..Seen::default() };
        let third = policy(&with(json!({"metadata": {"generation": 4}}), &second), &failed, at(NOW + 90));
        let holds = &third.conditions[2];
        assert_eq!((&*holds.status, holds.last_transition_time.0), ("False", at(NOW + 90)));
        assert!(holds.message.ends_with("a: no such key"), "{}", holds.message);
    }

    #[test]
    fn what_failed_elsewhere_is_believed_for_a_while_and_until_the_policy_is_edited() {
        let failed = Seen { failure: Some("a: no such key".into()), ..Seen::default() };
        let told = policy(&policy_of(&json!({})), &failed, at(NOW));
        let holds = |case: Value, now| {
            let status = policy(&with(case, &told), &Seen::default(), at(now));
            status.conditions[2].status == "True"
        };
        assert!(!holds(json!({}), NOW + BELIEVED - 1));
        assert!(holds(json!({}), NOW + BELIEVED));
        assert!(holds(json!({"metadata": {"generation": 4}}), NOW + 1));
    }

    #[test]
    fn what_cannot_be_obeyed_is_named_with_its_field() {
        let wrong = policy_of(&json!({"spec": {"soak": "1d"}}));
        let ready = policy(&wrong, &Seen::default(), at(NOW)).conditions.remove(0);
        assert_eq!((&*ready.status, &*ready.reason), ("False", "Invalid"));
        assert!(ready.message.contains("spec.soak: "), "{}", ready.message);
    }

    #[test]
    fn a_pause_says_what_failed_and_how_to_go_on() {
        let paused = json!({"status": {"paused": {
            "since": "2026-11-30T10:00:00Z", "namespace": "shop", "deployment": "web", "change": "aaaaaaaaaa",
            "reason": "no progress",
        }}});
        let condition =
            |case: &Value| policy(&policy_of(case), &Seen::default(), at(NOW)).conditions.remove(1);
        let said = condition(&paused);
        assert_eq!((&*said.status, &*said.reason), ("True", "RolloutFailed"));
        let command =
            "`kubectl annotate releasepolicy web -n shop roadstead.dev/resume=aaaaaaaaaa --overwrite`";
        assert_eq!(
            said.message,
            format!("change aaaaaaaaaa of shop/web failed: no progress; to go on: {command}")
        );
        let mut mistaken = paused;
        mistaken["metadata"]["annotations"]["roadstead.dev/resume"] = json!("bbbbbbbbbb");
        assert!(condition(&mistaken).message.contains(r#"names "bbbbbbbbbb" now"#));
    }

    #[test]
    fn a_freeze_is_active_between_its_ends() {
        let frost = Frost::of(
            &serde_json::from_value::<Freeze>(json!({
                "apiVersion": "roadstead.dev/v1alpha1", "kind": "Freeze",
                "metadata": {"namespace": "shop", "name": "sale", "generation": 1},
                "spec": {"reason": "sale", "owner": "ann", "from": "2026-12-01T00:00:00Z", "until": "2026-12-02T00:00:00Z"},
            }))
            .unwrap(),
        );
        for (now, status, reason, message) in [
            ("2026-11-30T23:59:59Z", "False", "Pending", "it begins at 2026-12-01T00:00:00Z"),
            ("2026-12-01T00:00:00Z", "True", "Active", "nothing is let through until 2026-12-02T00:00:00Z"),
            ("2026-12-02T00:00:00Z", "False", "Over", "it ended at 2026-12-02T00:00:00Z"),
        ] {
            let told = freeze(&frost, Some(4), now.parse().unwrap());
            let condition = &told.conditions[0];
            assert_eq!(
                (&*condition.status, &*condition.reason, &*condition.message),
                (status, reason, message)
            );
            assert_eq!(told.waiting, Some(4));
        }
    }
}
