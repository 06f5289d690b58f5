//! The policies and freezes of a cluster, read and compiled, and which of them select a Deployment.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use contract::{Lane, PolicyKind, PolicyRef};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt as _};

use crate::{
    expression::{Expression, Yields},
    resource::{
        Action, Check, ClusterFreeze, ClusterReleasePolicy, FailureMode, Freeze, FreezeSpec, Mode, OnFailure,
        Paused, ReleasePolicy, ReleasePolicySpec,
    },
    window::{self, UnixMillis, Window},
};

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// Something in a policy that cannot be obeyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field: `spec.windows[0].schedule`.
    pub field: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// A policy, read and compiled.
#[derive(Debug)]
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
    pub validations: Vec<Validation>,
    /// Its windows.
    pub windows: Vec<Window>,
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
    /// What in it cannot be obeyed; where there is anything, its changes wait.
    pub problems: Vec<Problem>,
    selector: Selector,
    namespaces: Selector,
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

/// A freeze.
#[derive(Debug)]
pub struct Frost {
    /// The object.
    pub reference: PolicyRef,
    /// `metadata.generation`
    pub generation: i64,
    /// Why.
    pub reason: String,
    /// Who can be asked.
    pub owner: String,
    /// When it begins; `None`: it has begun.
    pub from: Option<UnixMillis>,
    /// When it ends.
    pub until: UnixMillis,
    /// Whether urgent changes are let through all the same.
    pub allow_urgent: bool,
    selector: Selector,
    namespaces: Selector,
}

/// Every policy and freeze there is.
#[derive(Clone, Debug, Default)]
pub struct Set {
    policies: Places<Policy>,
    freezes: Places<Frost>,
}

/// Objects by the namespace that they are for; the empty name: those of the cluster.
type Places<T> = HashMap<String, Vec<Arc<T>>>;

/// What selects one Deployment: the cluster's first, then by name.
#[derive(Clone, Debug, Default)]
pub struct Selected<'a> {
    /// Policies.
    pub policies: Vec<&'a Arc<Policy>>,
    /// Freezes.
    pub freezes: Vec<&'a Arc<Frost>>,
}

impl Set {
    /// What selects a Deployment with these labels in a namespace with these.
    #[must_use]
    pub fn select(&self, namespace: &str, namespace_labels: &Labels, labels: &Labels) -> Selected<'_> {
        Selected {
            policies: found(&self.policies, namespace, |policy| {
                policy.namespaces.matches(namespace_labels) && policy.selector.matches(labels)
            }),
            freezes: found(&self.freezes, namespace, |frost| {
                frost.namespaces.matches(namespace_labels) && frost.selector.matches(labels)
            }),
        }
    }

    /// Every policy.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.values().flatten()
    }

    /// Every freeze.
    pub fn freezes(&self) -> impl Iterator<Item = &Arc<Frost>> {
        self.freezes.values().flatten()
    }

    /// Adds a policy, or replaces the one of its name.
    pub fn put(&mut self, policy: Arc<Policy>) {
        put(&mut self.policies, policy, |policy| &policy.reference);
    }

    /// Adds a freeze, or replaces the one of its name.
    pub fn put_freeze(&mut self, frost: Arc<Frost>) {
        put(&mut self.freezes, frost, |frost| &frost.reference);
    }

    /// Removes a policy or a freeze.
    pub fn remove(&mut self, reference: &PolicyRef) {
        match reference.kind {
            PolicyKind::ReleasePolicy | PolicyKind::ClusterReleasePolicy => {
                remove(&mut self.policies, reference, |policy| &policy.reference);
            }
            PolicyKind::Freeze | PolicyKind::ClusterFreeze => {
                remove(&mut self.freezes, reference, |frost| &frost.reference);
            }
        }
    }
}

fn found<'a, T>(places: &'a Places<T>, namespace: &str, matches: impl Fn(&T) -> bool) -> Vec<&'a Arc<T>> {
    let of = |namespace: &str| places.get(namespace).into_iter().flatten();
    of("").chain(of(namespace)).filter(|one| matches(one)).collect()
}

fn place(reference: &PolicyRef) -> &str {
    reference.namespace.as_deref().unwrap_or_default()
}

fn put<T>(places: &mut Places<T>, one: Arc<T>, reference: impl Fn(&T) -> &PolicyRef) {
    let list = places.entry(place(reference(&one)).to_owned()).or_default();
    match list.binary_search_by(|other| reference(other).name.cmp(&reference(&one).name)) {
        Ok(at) => list[at] = one,
        Err(at) => list.insert(at, one),
    }
}

fn remove<T>(places: &mut Places<T>, reference: &PolicyRef, of: impl Fn(&T) -> &PolicyRef) {
    let namespace = place(reference);
    let Some(list) = places.get_mut(namespace) else { return };
    list.retain(|one| of(one) != reference);
    if list.is_empty() {
        places.remove(namespace);
    }
}

impl Policy {
    /// Reads a policy; what cannot be read is among its problems.
    #[must_use]
    pub fn of(policy: &ReleasePolicy) -> Self {
        let reference = reference(PolicyKind::ReleasePolicy, &policy.metadata);
        let paused = policy.status.as_ref().and_then(|status| status.paused.clone());
        Self::read(reference, &policy.metadata, &policy.spec, None, paused)
    }

    /// As [`Policy::of`], for one of the cluster.
    #[must_use]
    pub fn of_cluster(policy: &ClusterReleasePolicy) -> Self {
        let reference = reference(PolicyKind::ClusterReleasePolicy, &policy.metadata);
        let paused = policy.status.as_ref().and_then(|status| status.paused.clone());
        let namespaces = policy.spec.namespace_selector.as_ref();
        Self::read(reference, &policy.metadata, &policy.spec.rules, namespaces, paused)
    }

    fn read(
        reference: PolicyRef,
        metadata: &kube::core::ObjectMeta,
        spec: &ReleasePolicySpec,
        namespaces: Option<&LabelSelector>,
        paused: Option<Paused>,
    ) -> Self {
        let mut problems = Vec::new();
        let validations = validations(spec, &mut problems);
        let windows = windows(spec, &mut problems);
        let mut read = |field: &str, text: Option<&String>| {
            let read = text.map(|text| window::duration(text)).transpose();
            read.unwrap_or_else(|message| {
                problems.push(Problem { field: field.to_owned(), message });
                None
            })
        };
        let limits = spec.limits.clone().unwrap_or_default();
        let approvals = spec.approvals.as_ref().map(|approvals| {
            (approvals.required, read("spec.approvals.expireAfter", approvals.expire_after.as_ref()))
        });
        let min_interval = read("spec.limits.minInterval", limits.min_interval.as_ref());
        let soak = read("spec.soak", spec.soak.as_ref());
        let selector = selector("spec.selector", spec.selector.as_ref(), &mut problems);
        let namespaces = self::selector("spec.namespaceSelector", namespaces, &mut problems);
        Self {
            reference,
            uid: metadata.uid.clone().unwrap_or_default(),
            generation: metadata.generation.unwrap_or_default(),
            mode: spec.mode,
            validations,
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
            paused,
            problems,
            selector,
            namespaces,
        }
    }
}

impl Frost {
    /// Reads a freeze.
    #[must_use]
    pub fn of(freeze: &Freeze) -> Self {
        let generation = freeze.metadata.generation.unwrap_or_default();
        Self { generation, ..Self::read(reference(PolicyKind::Freeze, &freeze.metadata), &freeze.spec, None) }
    }

    /// As [`Frost::of`], for one of the cluster.
    #[must_use]
    pub fn of_cluster(freeze: &ClusterFreeze) -> Self {
        let namespaces = freeze.spec.namespace_selector.as_ref();
        let reference = reference(PolicyKind::ClusterFreeze, &freeze.metadata);
        let generation = freeze.metadata.generation.unwrap_or_default();
        Self { generation, ..Self::read(reference, &freeze.spec.freeze, namespaces) }
    }

    fn read(reference: PolicyRef, spec: &FreezeSpec, namespaces: Option<&LabelSelector>) -> Self {
        Self {
            reference,
            generation: 0,
            reason: spec.reason.clone(),
            owner: spec.owner.clone(),
            from: spec.from.as_ref().map(|from| from.0.as_millisecond()),
            until: spec.until.0.as_millisecond(),
            allow_urgent: spec.allow_urgent,
            // One that cannot be read freezes more rather than less.
            selector: selector("spec.selector", spec.selector.as_ref(), &mut Vec::new()),
            namespaces: selector("spec.namespaceSelector", namespaces, &mut Vec::new()),
        }
    }
}

fn reference(kind: PolicyKind, metadata: &kube::core::ObjectMeta) -> PolicyRef {
    PolicyRef { kind, namespace: metadata.namespace.clone(), name: metadata.name.clone().unwrap_or_default() }
}

/// A selector; one that cannot be read selects everything, so that the problem shows where it matters.
fn selector(field: &str, labels: Option<&LabelSelector>, problems: &mut Vec<Problem>) -> Selector {
    labels.map_or_else(Selector::default, |labels| {
        Selector::try_from(labels.clone()).unwrap_or_else(|error| {
            problems.push(Problem { field: field.to_owned(), message: error.to_string() });
            Selector::default()
        })
    })
}

fn validations(spec: &ReleasePolicySpec, problems: &mut Vec<Problem>) -> Vec<Validation> {
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
