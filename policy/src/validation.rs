//! What the validations of policies say of a change.

use std::sync::Arc;

use contract::PolicyRef;

use crate::{
    expression::{RunError, Subject},
    resource::{Action, FailureMode, Mode},
    set::{Policy, Validation},
};

/// Longest message that an expression may make, in bytes; as in Kubernetes.
const MAX_MESSAGE: usize = 5 * 1024;

/// When a change is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// When it is submitted: every expression is evaluated.
    Submitted,
    /// When it is let through: what looks at `oldObject` or `request` speaks of the write, and is not evaluated.
    Released,
}

/// A validation that found something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its policy.
    pub policy: PolicyRef,
    /// Its name.
    pub name: String,
    /// What becomes of the change.
    pub action: Action,
    /// Whether it is only recorded.
    pub observed: bool,
    /// What its user reads: one sentence without a final stop.
    pub message: String,
    /// Why the expression failed, where it did; then nothing but its failure mode decided.
    pub error: Option<String>,
}

/// Evaluates the validations of policies; those that find nothing wrong say nothing, the others in their order. One that
/// fails at run time under `Ignore` is a finding with an error that is only observed. All of them share what a review may
/// cost: those that only observe come last, so that they take nothing from the others.
#[must_use]
pub fn findings(policies: &[&Arc<Policy>], subject: &Subject<'_>, moment: Moment) -> Vec<Finding> {
    let all = policies
        .iter()
        .flat_map(|policy| policy.validations.iter().map(move |validation| (policy, validation)));
    let speak = |(_, validation): &(_, &Validation)| {
        moment == Moment::Submitted || !validation.expression.is_about_the_write()
    };
    let mut found = Vec::new();
    for mode in [Mode::Enforce, Mode::Observe] {
        for (at, (policy, validation)) in all.clone().filter(speak).enumerate() {
            if policy.mode == mode
                && let Some(finding) = finding(policy, validation, subject, moment)
            {
                found.push((at, finding));
            }
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, finding)| finding).collect()
}

fn finding(
    policy: &Policy,
    validation: &Validation,
    subject: &Subject<'_>,
    moment: Moment,
) -> Option<Finding> {
    let (message, error) = match validation.expression.holds(subject) {
        Ok(true) => return None,
        Ok(false) => (message(validation, subject, moment), None),
        Err(error) => (failed(&error), Some(error.to_string())),
    };
    let ignored = error.is_some() && validation.failure_policy == FailureMode::Ignore;
    Some(Finding {
        policy: policy.reference.clone(),
        name: validation.name.clone(),
        action: validation.action,
        observed: policy.mode == Mode::Observe || ignored,
        message,
        error,
    })
}

fn failed(error: &RunError) -> String {
    match error {
        RunError::Failed(why) => format!("its expression failed: {why}"),
        RunError::Cost => "its expression costs more than it may".to_owned(),
    }
}

/// As Kubernetes chooses it: what the expression makes, if that is one line of bearable length; else the message; else
/// the expression. A message that speaks of the write cannot be made when there is none.
fn message(validation: &Validation, subject: &Subject<'_>, moment: Moment) -> String {
    let expression = validation.message_expression.as_ref();
    let expression = expression.filter(|it| moment == Moment::Submitted || !it.is_about_the_write());
    let made = expression.and_then(|expression| expression.text(subject).ok());
    let made = made.as_deref().map(str::trim);
    let made = made.filter(|made| !made.is_empty() && made.len() <= MAX_MESSAGE && !made.contains('\n'));
    let written = validation.message.as_deref().map(str::trim).filter(|written| !written.is_empty());
    made.or(written).map_or_else(
        || format!("failed expression: {}", validation.expression.source().trim()),
        ToOwned::to_owned,
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::expression::Json;

    const OBJECT: &str = r#"{"metadata":{"name":"web"},"spec":{"replicas":3}}"#;

    fn policy(mode: &str, validations: &serde_json::Value) -> Arc<Policy> {
        let policy = json!({
            "apiVersion": "roadstead.dev/v1alpha1", "kind": "ReleasePolicy",
            "metadata": { "name": "rules", "namespace": "shop" },
            "spec": { "mode": mode, "validations": validations },
        });
        let policy = Policy::of(&serde_json::from_value(policy).unwrap());
        assert_eq!(policy.problems, []);
        Arc::new(policy)
    }

    fn found(mode: &str, validations: &serde_json::Value, moment: Moment) -> Vec<Finding> {
        let labels = BTreeMap::new();
        let request = Json::Text(r#"{"operation":"UPDATE"}"#);
        let subject = Subject::submitted(OBJECT, Some(OBJECT), request, "shop", &labels);
        findings(&[&policy(mode, validations)], &subject, moment)
    }

    #[test]
    fn what_only_observes_takes_nothing_from_what_is_obeyed() {
        let (labels, request) = (BTreeMap::new(), Json::Text("{}"));
        let list = (0..60).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
        let dear = format!("[{list}].all(a, [{list}].all(b, [{list}].all(c, a + b + c >= 0)))");
        let dear = (0..12).map(|number| json!({"name": format!("dear-{number}"), "expression": dear}));
        let dear = serde_json::Value::Array(dear.collect());
        let policies = [
            policy("Observe", &dear),
            policy("Enforce", &json!([{"name": "cheap", "expression": "1 == 1"}])),
        ];
        let subject = Subject::submitted(OBJECT, None, request, "shop", &labels);
        let found = findings(&policies.each_ref(), &subject, Moment::Submitted);
        assert_eq!((found.len(), found.iter().all(|finding| finding.observed)), (12, true));
        assert_eq!(subject.steps_left(), 0);
    }

    /// Message of the one validation that finds something, with these fields besides `expression: false`.
    fn message(fields: &serde_json::Value) -> String {
        let mut validation = json!({ "name": "rule", "expression": " 1 == 2 " });
        let all = validation.as_object_mut().unwrap();
        all.extend(fields.as_object().unwrap().clone());
        found("Enforce", &json!([validation]), Moment::Submitted).remove(0).message
    }

    #[test]
    fn what_is_wrong_is_said_in_the_order_of_the_policy() {
        let validations = json!([
            { "name": "holds", "expression": "object.spec.replicas == 3" },
            { "name": "warns", "expression": "object.spec.replicas == 1", "action": "Warn", "message": "one is enough" },
            { "name": "denies", "expression": "object.spec.replicas > 3", "message": "too few" },
        ]);
        let found = found("Enforce", &validations, Moment::Submitted);
        let said = found.iter().map(|it| (it.name.as_str(), it.action, it.message.as_str(), it.observed));
        assert_eq!(
            said.collect::<Vec<_>>(),
            [("warns", Action::Warn, "one is enough", false), ("denies", Action::Deny, "too few", false)]
        );
    }

    #[test]
    fn the_message_is_chosen_as_kubernetes_chooses_it() {
        let long = format!("'{}'", "a".repeat(MAX_MESSAGE + 1));
        for (fields, said) in [
            (json!({}), "failed expression: 1 == 2"),
            (json!({ "message": "  " }), "failed expression: 1 == 2"),
            (json!({ "message": " written " }), "written"),
            (
                json!({ "message": "written", "messageExpression": "object.metadata.name + ' is wrong'" }),
                "web is wrong",
            ),
            (json!({ "message": "written", "messageExpression": "' made '" }), "made"),
            (json!({ "message": "written", "messageExpression": "'  '" }), "written"),
            (json!({ "message": "written", "messageExpression": "'two\\nlines'" }), "written"),
            (json!({ "message": "written", "messageExpression": "string(object.nope)" }), "written"),
            (json!({ "message": "written", "messageExpression": long }), "written"),
        ] {
            assert_eq!(message(&fields), said, "{fields}");
        }
    }

    #[test]
    fn what_fails_follows_its_failure_mode_and_says_why() {
        let validations = json!([
            { "name": "fails", "expression": "object.nope == 1" },
            { "name": "ignored", "expression": "object.nope == 1", "failurePolicy": "Ignore" },
        ]);
        let found = found("Enforce", &validations, Moment::Submitted);
        let said = found.iter().map(|it| (it.name.as_str(), it.observed, it.error.as_deref()));
        let why = Some("no such key: nope");
        assert_eq!(said.collect::<Vec<_>>(), [("fails", false, why), ("ignored", true, why)]);
        assert_eq!(found[0].message, "its expression failed: no such key: nope");
    }

    #[test]
    fn who_only_observes_finds_the_same_and_does_nothing() {
        let validations = json!([{ "name": "denies", "expression": "object.spec.replicas > 3" }]);
        let found = found("Observe", &validations, Moment::Submitted);
        assert!(found.len() == 1 && found[0].observed && found[0].error.is_none(), "{found:?}");
    }

    #[test]
    fn what_speaks_of_the_write_is_not_asked_when_a_change_is_let_through() {
        let validations = json!([
            { "name": "old", "expression": "oldObject == null" },
            { "name": "request", "expression": "request.operation == 'CREATE'" },
            { "name": "live", "expression": "object.spec.replicas > 3",
              "messageExpression": "request.operation + ' with too few'" },
        ]);
        let names = |moment| {
            found("Enforce", &validations, moment)
                .into_iter()
                .map(|it| (it.name, it.message))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Moment::Submitted).len(), 3);
        let live = ("live".to_owned(), "failed expression: object.spec.replicas > 3".to_owned());
        assert_eq!(names(Moment::Released), [live]);
    }
}
