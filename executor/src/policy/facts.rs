//! What a rule asks about other Deployments, and what validations come to as obstacles. Pure.

use ::policy::{resource::Action, ruling::Standing, validation::Finding};
use contract::{Obstacle, Phase, Rule};

use crate::{live::Live, rollback};

/// How a Deployment that comes first stands. One that was rolled back runs again, but what was to come first did not.
pub(super) fn standing(live: Option<&Live>) -> Standing {
    let Some(live) = live.filter(|live| !live.deleting) else { return Standing::Absent };
    let state = &live.state;
    match state.phase {
        _ if state.is_closed() => Standing::Waits,
        Some(Phase::Released) => Standing::RollsOut,
        Some(Phase::Failed) => Standing::Failed,
        _ if state.requested_by.as_deref() == Some(rollback::REQUESTED_BY) => Standing::Failed,
        _ => Standing::Succeeded,
    }
}

/// The obstacle that a finding is, and whether it is only observed; `None` where it denies nothing.
pub(super) fn obstacle(finding: Finding) -> Option<(Obstacle, bool)> {
    let Finding { policy, name, action, observed, message, .. } = finding;
    if action != Action::Deny {
        return None;
    }
    let message = format!("{policy} does not let it through, rule {name}: {message}");
    Some((Obstacle { policy, rule: Rule::Validation, until: None, message }, observed))
}

/// Adds obstacles that have no end behind the others of that kind, and before those that have one.
pub(super) fn add(to: &mut Vec<Obstacle>, more: Vec<Obstacle>) {
    let at = to.iter().position(|obstacle| obstacle.until.is_some()).unwrap_or(to.len());
    to.splice(at..at, more);
}

#[cfg(test)]
mod tests {
    use contract::{PolicyKind, PolicyRef};
    use serde_json::{Value, json};

    use super::*;
    use crate::live::tests::live;

    fn policy() -> PolicyRef {
        PolicyRef { kind: PolicyKind::ReleasePolicy, namespace: Some("shop".into()), name: "web".into() }
    }

    #[test]
    fn a_deployment_that_comes_first_stands_as_its_own_keys_say() {
        let own = |gate: &str, by: &str, phase: Value| {
            json!({"metadata": {
                "annotations": {"roadstead.dev/gate": gate, "roadstead.dev/requested-by": by},
                "labels": {"roadstead.dev/phase": phase},
            }})
        };
        for (what, case, standing) in [
            ("held", json!({}), Standing::Waits),
            ("given up", own("closed", "jane", json!("dead")), Standing::Waits),
            ("in flight", own("open", "jane", json!("released")), Standing::RollsOut),
            ("a rollback in flight", own("open", "roadstead", json!("released")), Standing::RollsOut),
            ("failed", own("open", "jane", json!("failed")), Standing::Failed),
            ("rolled back", own("open", "roadstead", Value::Null), Standing::Failed),
            ("succeeded", own("open", "jane", Value::Null), Standing::Succeeded),
            ("going", json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}), Standing::Absent),
        ] {
            assert_eq!(super::standing(Some(&live(&case))), standing, "{what}");
        }
        assert_eq!(super::standing(None), Standing::Absent);
    }

    #[test]
    fn a_finding_that_denies_is_an_obstacle_without_an_end() {
        let finding = |action, observed| Finding {
            policy: policy(),
            name: "no-latest".into(),
            action,
            observed,
            message: "the image has no tag".into(),
            error: None,
        };
        assert_eq!(super::obstacle(finding(Action::Warn, false)), None);
        let (obstacle, observed) = super::obstacle(finding(Action::Deny, true)).unwrap();
        assert!(observed);
        let message = "ReleasePolicy shop/web does not let it through, rule no-latest: the image has no tag";
        assert_eq!(
            (obstacle.rule, obstacle.until, obstacle.message.as_str()),
            (Rule::Validation, None, message)
        );
    }

    #[test]
    fn what_has_no_end_stands_before_what_has_one() {
        let obstacle = |message: &str, until: Option<&str>| Obstacle {
            policy: policy(),
            rule: Rule::Window,
            until: until.map(str::to_owned),
            message: message.into(),
        };
        let mut all = vec![obstacle("a", None), obstacle("c", Some("2026-01-01T00:00:00Z"))];
        add(&mut all, vec![obstacle("b", None)]);
        let order: Vec<_> = all.iter().map(|obstacle| obstacle.message.as_str()).collect();
        assert_eq!(order, ["a", "b", "c"]);
    }
}
