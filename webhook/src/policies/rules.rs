//! What the policies that select a Deployment say of its new change: which validations refuse it, which only warn, which
//! lane it gets. What they found is counted; a policy that only observes changes nothing in the answer.

use std::sync::Arc;

use contract::Lane;
use ops::{namespaces::Namespaces, policies::Policies};
use policy::{
    expression::{Expression, Json, Subject},
    resource::Action,
    set::{Labels, Selected},
    validation::{Finding, Moment, findings},
};

use super::log::Log;
use crate::{
    answer::Cause,
    hold::{self, Opinion},
    metrics::Metrics,
    review::{Malformed, Request},
};

/// Longest text for the audit log, in bytes: an event of it has other things to say, too.
const AUDIT: usize = 4096;

/// The policies, and who counts what they find.
#[derive(Clone)]
pub struct Rules {
    policies: Policies,
    namespaces: Namespaces,
    metrics: Metrics,
    log: Arc<Log>,
}

impl Rules {
    /// The rules of these policies, in these namespaces.
    #[must_use]
    pub fn new(policies: Policies, namespaces: Namespaces, metrics: Metrics) -> Self {
        Self { policies, namespaces, metrics, log: Arc::default() }
    }

    fn record(&self, request: &Request<'_>, findings: &[Finding]) {
        for finding in findings {
            self.metrics.found(finding.action, finding.observed);
            self.log.tell(finding, request.namespace(), request.name());
            if finding.error.is_some() {
                self.metrics.expression_failed();
            }
        }
    }
}

/// Evaluates the validations of policies over a change.
fn evaluate(
    request: &Request<'_>,
    selected: &Selected<'_>,
    namespace_labels: &Labels,
) -> Result<Vec<Finding>, Malformed> {
    let validations = || selected.policies.iter().flat_map(|policy| policy.validations.iter());
    if validations().next().is_none() {
        return Ok(Vec::new());
    }
    // Most expressions look at the object alone: the rest of the review need not be gone through for them.
    let about_the_write = validations().any(|validation| {
        let message = validation.message_expression.as_ref();
        validation.expression.is_about_the_write() || message.is_some_and(Expression::is_about_the_write)
    });
    let (object, old_object, asked) = if about_the_write {
        let texts = request.texts()?;
        let object = texts.object.ok_or(Malformed::Missing("request.object"))?;
        (object, texts.old_object, texts.request)
    } else {
        (request.object_text()?, None, "{}")
    };
    let subject =
        Subject::submitted(object, old_object, Json::Text(asked), request.namespace(), namespace_labels);
    Ok(findings(&selected.policies, &subject, Moment::Submitted))
}

impl hold::Policies for Rules {
    fn opinion(&self, request: &Request<'_>) -> Result<Opinion, Malformed> {
        let set = self.policies.load();
        let namespace = request.namespace();
        // Where nobody has written a policy, a review costs nothing more.
        if !set.speaks_of(namespace) {
            return Ok(Opinion::default());
        }
        // A namespace that was opted in a moment ago may not be known yet; its labels then count as none. What is let
        // through is validated again before it is.
        let opted_in = self.namespaces.get(namespace).unwrap_or_default();
        let selected = set.select(namespace, &opted_in.labels, &request.labels()?);
        let findings = evaluate(request, &selected, &opted_in.labels)?;
        self.record(request, &findings);
        Ok(opinion(selected.lane(), &findings))
    }
}

pub(super) fn opinion(lane: Option<Lane>, findings: &[Finding]) -> Opinion {
    let mut opinion = Opinion { lane, audit: audit(findings), ..Opinion::default() };
    for finding in findings.iter().filter(|finding| !finding.observed) {
        let Finding { policy, name, message, .. } = finding;
        match finding.action {
            Action::Deny => {
                let message = format!("{policy} denied this change: rule {name}: {message}");
                opinion.refusals.push(Cause::of_field(
                    "RoadsteadPolicy",
                    format!("{policy}, rule {name}"),
                    message,
                ));
            }
            Action::Warn => opinion.warnings.push(format!("{policy}: rule {name}: {message}")),
        }
    }
    opinion
}

/// All findings in one line, as far as they fit.
fn audit(findings: &[Finding]) -> Option<String> {
    let line = |finding: &Finding| {
        let Finding { policy, name, message, .. } = finding;
        let done = match (finding.action, finding.observed) {
            (Action::Deny, false) => "denied",
            (Action::Deny, true) => "would have denied",
            (Action::Warn, false) => "warned",
            (Action::Warn, true) => "would have warned",
        };
        format!("{policy} {done}: rule {name}: {message}")
    };
    let mut text = findings.iter().map(line).collect::<Vec<_>>().join("; ");
    text.truncate(text.floor_char_boundary(AUDIT));
    (!text.is_empty()).then_some(text)
}
