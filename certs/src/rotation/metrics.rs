//! What the rotation counts. Never an object's name as a label.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::State;

/// The metrics of `roadstead-certs rotate`.
#[derive(Clone, Default)]
pub struct Metrics {
    pub(super) rotations: Counter,
    pub(super) leaves: Counter,
    pub(super) bundles: Counter,
    pub(super) failures: Counter,
    missing: Gauge,
    authority_expiry: Gauge,
    leaf_expiry: Gauge,
    trusted: Gauge,
}

impl Metrics {
    /// Makes and registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "authority_rotations",
            "Authorities that this process let sign in place of another",
            metrics.rotations.clone(),
        );
        registry.register("leaves_signed", "Certificates that this process signed", metrics.leaves.clone());
        registry.register(
            "ca_bundles_written",
            "Writes of a caBundle by this process: a few in a rotation; if there are more, somebody else changes it",
            metrics.bundles.clone(),
        );
        registry.register(
            "rotation_failures",
            "Steps of a rotation that failed and are tried again",
            metrics.failures.clone(),
        );
        registry.register(
            "webhook_configurations_missing",
            "Webhook configurations that are not there",
            metrics.missing.clone(),
        );
        registry.register_with_unit(
            "authority_expiry_timestamp",
            "When the authority that signs expires, as a Unix time; 0: none signs",
            Unit::Seconds,
            metrics.authority_expiry.clone(),
        );
        registry.register_with_unit(
            "leaf_expiry_timestamp",
            "When the certificate in the Secret expires, as a Unix time; 0: none can be served",
            Unit::Seconds,
            metrics.leaf_expiry.clone(),
        );
        registry.register(
            "authorities_trusted",
            "Authorities that are to be in every caBundle",
            metrics.trusted.clone(),
        );
        metrics
    }

    /// What is there now.
    pub(super) fn saw(&self, state: &State, missing: usize) {
        let end = |at: Option<time::OffsetDateTime>| at.map_or(0, time::OffsetDateTime::unix_timestamp);
        let count = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.missing.set(count(missing));
        self.trusted.set(count(state.wanted().len()));
        self.authority_expiry.set(end(state.signing.map(|signing| signing.not_after)));
        self.leaf_expiry.set(end(state.leaf.map(|leaf| leaf.issued.not_after)));
    }
}
