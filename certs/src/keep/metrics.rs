//! What keeping the identities of NATS counts. Never an object's name as a label.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::{Registry, Unit},
};
use time::OffsetDateTime;

/// The metrics of `roadstead-certs nats keep`.
#[derive(Clone, Default)]
pub struct Metrics {
    pub(super) written: Counter,
    pub(super) failures: Counter,
    pub(super) unreached: Counter,
    pub(super) behind: Gauge,
    credentials_expiry: Gauge,
    certificate_expiry: Gauge,
    authority_expiry: Gauge,
}

impl Metrics {
    /// Makes and registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "nats_secrets_written",
            "Writes of Secrets with identities of NATS by this process: a few at a renewal; if there are more, somebody else changes them",
            metrics.written.clone(),
        );
        registry.register(
            "nats_keep_failures",
            "Looks at the Secrets with identities of NATS that failed and are tried again",
            metrics.failures.clone(),
        );
        registry.register(
            "nats_servers_unreached",
            "Times that no NATS server could be told what is new",
            metrics.unreached.clone(),
        );
        registry.register(
            "nats_servers_behind",
            "NATS servers that showed an older certificate at the last look",
            metrics.behind.clone(),
        );
        for (name, help, metric) in [
            (
                "nats_credentials_expiry_timestamp",
                "When the first of the components' credentials expires, as a Unix time",
                &metrics.credentials_expiry,
            ),
            (
                "nats_certificate_expiry_timestamp",
                "When the certificate of the NATS servers expires, as a Unix time; 0: there is none",
                &metrics.certificate_expiry,
            ),
            (
                "nats_authority_expiry_timestamp",
                "When the authority that signs it expires, as a Unix time; 0: none signs",
                &metrics.authority_expiry,
            ),
        ] {
            registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
        }
        metrics
    }

    /// When what is there now ends.
    pub(super) fn ends(
        &self,
        credentials: Option<OffsetDateTime>,
        certificate: Option<OffsetDateTime>,
        authority: Option<OffsetDateTime>,
    ) {
        let unix = |at: Option<OffsetDateTime>| at.map_or(0, OffsetDateTime::unix_timestamp);
        self.credentials_expiry.set(unix(credentials));
        self.certificate_expiry.set(unix(certificate));
        self.authority_expiry.set(unix(authority));
    }
}
