//! Policies, read and compiled. What in one cannot be obeyed is kept with it: its changes wait until it is corrected.

use std::{sync::Arc, time::Duration};

use contract::{Lane, PolicyKind, PolicyRef, key};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{ObjectMeta, Selector};

use super::{Problem, reference, selector::selector};
use crate::{
    expression::{Expression, Yields},
    resource::{
        Action, Check, ClusterReleasePolicy, FailureMode, Mode, OnFailure, Paused, PolicyStatus,
        ReleasePolicy, ReleasePolicySpec,
    },
    window::{self, Calendar, Window},
};

/// Most bytes of expressions in one policy, so that reading it takes less time than the API server waits for an answer.
const MAX_EXPRESSIONS: usize = 64 * 1024;

/// A policy, read and compiled. A clone shares what was compiled.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The object.
    pub reference: PolicyRef,
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.generation`
    pub generation: i64,
    /// Whether it is obeyed.
    pub mode: Mode,
    /// Its validations, in their order.
    pub validations: Arc<[Validation]>,
    /// Its windows.
    pub windows: Arc<Calendar>,
    /// How many have to approve, and how long that counts.
    pub approvals: Option<(u32, Option<Duration>)>,
    /// Rollouts in flight at a time.
    pub slots: Option<u32>,
    /// Least time between two releases of one Deployment.
    pub min_interval: Option<Duration>,
    /// Deployments that come first.
    pub after: Vec<String>,
    /// Lane of a change whose Deployment asks for none.
    pub lane: Option<Lane>,
    /// Refusals after which a change is given up.
    pub attempts: Option<u32>,
    /// What becomes of a Deployment whose rollout fails.
    pub on_failure: Option<OnFailure>,
    /// How long a complete rollout must stay complete.
    pub soak: Option<Duration>,
    /// What must hold then.
    pub checks: Vec<Check>,
    /// Why its queue is paused.
    pub paused: Option<Paused>,
    /// The change that its queue is to go on after, in the words of whoever resumes it.
    pub resume: Option<String>,
    /// What Roadstead said of it last.
    pub status: PolicyStatus,
    /// What in it cannot be obeyed; where there is anything, its changes wait.
    pub problems: Vec<Problem>,
    pub(super) selector: Selector,
    pub(super) namespaces: Selector,
}

/// One validation, compiled.
#[derive(Debug)]
pub struct Validation {
    /// Names it in messages.
    pub name: String,
    /// True: the change may pass.
    pub expression: Expression,
    /// What its user reads.
    pub message: Option<String>,
    /// Makes that message.
    pub message_expression: Option<Expression>,
    /// What becomes of the change.
    pub action: Action,
    /// What becomes of it where the expression fails.
    pub failure_policy: FailureMode,
}

impl Policy {
    /// Reads a policy; what cannot be read is among its problems.
    #[must_use]
    pub fn of(policy: &ReleasePolicy) -> Self {
        let reference = reference(PolicyKind::ReleasePolicy, &policy.metadata);
        Self::read(reference, &policy.metadata, &policy.spec, None, policy.status.clone())
    }

    /// As [`Policy::of`], for one of the cluster.
    #[must_use]
    pub fn of_cluster(policy: &ClusterReleasePolicy) -> Self {
        let reference = reference(PolicyKind::ClusterReleasePolicy, &policy.metadata);
        let namespaces = policy.spec.namespace_selector.as_ref();
        Self::read(reference, &policy.metadata, &policy.spec.rules, namespaces, policy.status.clone())
    }

    /// The same policy where only its status or its annotations were written since: nothing is compiled again. `None`
    /// where there is more to it.
    #[must_use]
    pub fn renewed(&self, metadata: &ObjectMeta, status: Option<&PolicyStatus>) -> Option<Self> {
        let same =
            (metadata.uid.as_deref(), metadata.generation) == (Some(&*self.uid), Some(self.generation));
        let status = status.cloned().unwrap_or_default();
        same.then(|| Self { paused: status.paused.clone(), resume: resume(metadata), status, ..self.clone() })
    }

    fn read(
        reference: PolicyRef,
        metadata: &ObjectMeta,
        spec: &ReleasePolicySpec,
        namespaces: Option<&LabelSelector>,
        status: Option<PolicyStatus>,
    ) -> Self {
        let status = status.unwrap_or_default();
        let mut problems = Vec::new();
        let validations = validations(spec, &mut problems);
        let windows = Arc::new(Calendar::from(windows(spec, &mut problems)));
        checks(&spec.checks, &mut problems);
        let selector_of_deployments = selector("spec.selector", spec.selector.as_ref(), &mut problems);
        let selector_of_namespaces = selector("spec.namespaceSelector", namespaces, &mut problems);
        let mut read = |field: &str, text: Option<&String>| length(field, text, &mut problems);
        let limits = spec.limits.clone().unwrap_or_default();
        let approvals = spec.approvals.as_ref().map(|approvals| {
            (approvals.required, read("spec.approvals.expireAfter", approvals.expire_after.as_ref()))
        });
        let min_interval = read("spec.limits.minInterval", limits.min_interval.as_ref());
        let soak = read("spec.soak", spec.soak.as_ref());
        Self {
            reference,
            uid: metadata.uid.clone().unwrap_or_default(),
            generation: metadata.generation.unwrap_or_default(),
            mode: spec.mode,
            validations: validations.into(),
            windows,
            approvals,
            slots: limits.slots,
            min_interval,
            after: limits.after,
            lane: spec.lane.map(Lane::from),
            attempts: spec.retries.as_ref().map(|retries| retries.attempts),
            on_failure: spec.on_failure,
            soak,
            checks: spec.checks.clone(),
            paused: status.paused.clone(),
            resume: resume(metadata),
            status,
            problems,
            selector: selector_of_deployments,
            namespaces: selector_of_namespaces,
        }
    }
}

fn resume(metadata: &ObjectMeta) -> Option<String> {
    metadata.annotations.as_ref().and_then(|map| map.get(key::RESUME)).cloned()
}

fn validations(spec: &ReleasePolicySpec, problems: &mut Vec<Problem>) -> Vec<Validation> {
    let sources =
        spec.validations.iter().flat_map(|it| [Some(&it.expression), it.message_expression.as_ref()]);
    let length: usize = sources.flatten().map(String::len).sum();
    if length > MAX_EXPRESSIONS {
        let message = format!(
            "must have at most {MAX_EXPRESSIONS} bytes of expressions, not {length}: use several policies"
        );
        problems.push(Problem { field: "spec.validations".to_owned(), message });
        return Vec::new();
    }
    let mut compile = |field: String, source: &str, yields| match Expression::compile(source, yields) {
        Ok(expression) => Some(expression),
        Err(error) => {
            problems.push(Problem { field, message: error.to_string() });
            None
        }
    };
    let mut validations = Vec::new();
    for (at, validation) in spec.validations.iter().enumerate() {
        let path = |field: &str| format!("spec.validations[{at}].{field}");
        let expression = compile(path("expression"), &validation.expression, Yields::Bool);
        let message_expression = validation
            .message_expression
            .as_ref()
            .and_then(|source| compile(path("messageExpression"), source, Yields::Text));
        let Some(expression) = expression else { continue };
        validations.push(Validation {
            name: validation.name.clone(),
            expression,
            message: validation.message.clone(),
            message_expression,
            action: validation.action,
            failure_policy: validation.failure_policy,
        });
    }
    validations
}

fn windows(spec: &ReleasePolicySpec, problems: &mut Vec<Problem>) -> Vec<Window> {
    let mut windows = Vec::new();
    for (at, window) in spec.windows.iter().enumerate() {
        match Window::read(window) {
            Ok(window) => windows.push(window),
            Err(wrong) => problems.extend(wrong.into_iter().map(|window::Problem { field, message }| {
                Problem { field: format!("spec.windows[{at}].{field}"), message }
            })),
        }
    }
    windows
}

/// Checks are kept as they are written; whoever runs them reads what was found readable here.
fn checks(checks: &[Check], problems: &mut Vec<Problem>) {
    for (at, check) in checks.iter().enumerate() {
        length(&format!("spec.checks[{at}].timeout"), check.timeout.as_ref(), problems);
        if check.promql.is_some() == check.job.is_some() {
            let message = "must have either promql or job".to_owned();
            problems.push(Problem { field: format!("spec.checks[{at}]"), message });
        }
    }
}

fn length(field: &str, text: Option<&String>, problems: &mut Vec<Problem>) -> Option<Duration> {
    let read = text.map(|text| window::duration(text)).transpose();
    read.unwrap_or_else(|message| {
        problems.push(Problem { field: field.to_owned(), message });
        None
    })
}
