//! What selects one Deployment, kept beyond the set that it was found in.

use std::sync::Arc;

use ::policy::set::{Frost, Policy, Selected};
use contract::PolicyRef;

use crate::slots::Limit;

/// The policies and freezes that select a Deployment.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    policies: Vec<Arc<Policy>>,
    freezes: Vec<Arc<Frost>>,
}

impl Rules {
    /// The same, for whoever decides.
    #[must_use]
    pub fn selected(&self) -> Selected<'_> {
        Selected { policies: self.policies.iter().collect(), freezes: self.freezes.iter().collect() }
    }

    /// Whether nothing selects it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty() && self.freezes.is_empty()
    }

    /// The policies that limit how many of their rollouts are in flight. Those that only observe limit nothing.
    #[must_use]
    pub fn limits(&self) -> Vec<Limit> {
        let limit = |(policy, slots): (PolicyRef, u32)| Limit { policy: policy.to_string(), slots };
        self.selected().slots().into_iter().map(limit).collect()
    }

    /// Refusals after which a change is given up: the fewest that any policy says.
    #[must_use]
    pub fn attempts(&self) -> Option<u32> {
        self.selected().attempts()
    }

    /// Whether there is anything to evaluate where a change is let through.
    #[must_use]
    pub fn validate(&self) -> bool {
        self.policies.iter().any(|policy| !policy.validations.is_empty())
    }

    /// The Deployments that come first, each once.
    #[must_use]
    pub fn after(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.policies.iter().flat_map(|policy| &policy.after).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl From<&Selected<'_>> for Rules {
    fn from(selected: &Selected<'_>) -> Self {
        Self {
            policies: selected.policies.iter().copied().cloned().collect(),
            freezes: selected.freezes.iter().copied().cloned().collect(),
        }
    }
}
