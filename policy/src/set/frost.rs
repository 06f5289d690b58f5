//! Freezes, read.

use contract::{PolicyKind, PolicyRef};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{ObjectMeta, Selector};

use super::{Problem, reference, selector::selector};
use crate::{
    resource::{ClusterFreeze, Freeze, FreezeSpec, FreezeStatus},
    window::UnixMillis,
};

/// A freeze.
#[derive(Debug)]
pub struct Frost {
    /// The object.
    pub reference: PolicyRef,
    /// `metadata.generation`
    pub generation: i64,
    /// What Roadstead said of it last.
    pub status: FreezeStatus,
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
    /// What in it cannot be read; a selector that cannot selects everything, so that it freezes more rather than less.
    pub problems: Vec<Problem>,
    pub(super) selector: Selector,
    pub(super) namespaces: Selector,
}

impl Frost {
    /// Reads a freeze.
    #[must_use]
    pub fn of(freeze: &Freeze) -> Self {
        let reference = reference(PolicyKind::Freeze, &freeze.metadata);
        Self::read(reference, &freeze.metadata, &freeze.spec, None, freeze.status.clone())
    }

    /// As [`Frost::of`], for one of the cluster.
    #[must_use]
    pub fn of_cluster(freeze: &ClusterFreeze) -> Self {
        let namespaces = freeze.spec.namespace_selector.as_ref();
        let reference = reference(PolicyKind::ClusterFreeze, &freeze.metadata);
        Self::read(reference, &freeze.metadata, &freeze.spec.freeze, namespaces, freeze.status.clone())
    }

    fn read(
        reference: PolicyRef,
        metadata: &ObjectMeta,
        spec: &FreezeSpec,
        namespaces: Option<&LabelSelector>,
        status: Option<FreezeStatus>,
    ) -> Self {
        let mut problems = Vec::new();
        let selector_of_deployments = selector("spec.selector", spec.selector.as_ref(), &mut problems);
        let selector_of_namespaces = selector("spec.namespaceSelector", namespaces, &mut problems);
        let from = spec.from.as_ref().map(|from| from.0.as_millisecond());
        let until = spec.until.0.as_millisecond();
        if from.is_some_and(|from| until <= from) {
            let message = "must be later than from".to_owned();
            problems.push(Problem { field: "spec.until".to_owned(), message });
        }
        Self {
            reference,
            generation: metadata.generation.unwrap_or_default(),
            status: status.unwrap_or_default(),
            reason: spec.reason.clone(),
            owner: spec.owner.clone(),
            from,
            until,
            allow_urgent: spec.allow_urgent,
            problems,
            selector: selector_of_deployments,
            namespaces: selector_of_namespaces,
        }
    }
}
