//! The policies and freezes of a cluster, read and compiled, and which of them select a Deployment.

mod frost;
mod policy;
mod selector;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use contract::{PolicyKind, PolicyRef};
use kube::core::{ObjectMeta, SelectorExt as _};

pub use self::{
    frost::Frost,
    policy::{Policy, Validation},
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

    /// Whether there is a policy that may select Deployments of a namespace.
    #[must_use]
    pub fn speaks_of(&self, namespace: &str) -> bool {
        ["", namespace].iter().any(|place| self.policies.contains_key(*place))
    }

    /// The policy of that name.
    #[must_use]
    pub fn policy(&self, reference: &PolicyRef) -> Option<&Arc<Policy>> {
        let list = self.policies.get(reference.namespace.as_deref().unwrap_or_default())?;
        list.iter().find(|policy| policy.reference == *reference)
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

fn reference(kind: PolicyKind, metadata: &ObjectMeta) -> PolicyRef {
    PolicyRef { kind, namespace: metadata.namespace.clone(), name: metadata.name.clone().unwrap_or_default() }
}
