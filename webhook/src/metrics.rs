//! What the webhook counts. Never an object's name as a label.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use ops::publish::Kept;
use policy::resource::Action;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Upper bounds of the durations, in seconds: a review takes tens of microseconds, one with a live read
/// milliseconds.
const DURATIONS: [f64; 12] = [50e-6, 100e-6, 200e-6, 400e-6, 1e-3, 2e-3, 5e-3, 10e-3, 50e-3, 0.2, 1.0, 5.0];

/// Every verdict of each webhook, so that a series is there before its first review.
const VERDICTS: [(&str, &[&str]); 3] = [
    ("hold", &["passed", "held", "opened", "denied", "unconfigured"]),
    ("gate", &["allowed", "denied", "stale", "unsure", "unconfigured"]),
    ("policies", &["allowed", "denied", "unconfigured"]),
];

/// The operations that either webhook is configured for.
const OPERATIONS: [&str; 2] = ["CREATE", "UPDATE"];

/// What a validation does that finds something wrong.
const ACTIONS: [&str; 2] = ["deny", "warn"];

/// Whether it does so, or only records it.
const MODES: [&str; 2] = ["enforce", "observe"];

/// What can come of a live read.
const READS: [&str; 5] = ["read", "missing", "refused", "slow", "failed"];

/// Every reason for which a request is answered with an error.
const REASONS: [&str; 5] = ["handshake", "body", "slow", "crowded", "malformed"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReviewLabels {
    webhook: &'static str,
    operation: &'static str,
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    action: &'static str,
    mode: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RejectLabels {
    reason: &'static str,
}

/// The webhook's metrics.
#[derive(Clone)]
pub struct Metrics {
    reviews: Family<ReviewLabels, Counter>,
    duration: Histogram,
    in_flight: Gauge,
    rejected: Family<RejectLabels, Counter>,
    reads: Family<ReadLabels, Counter>,
    read_duration: Histogram,
    findings: Family<FindingLabels, Counter>,
    expression_failures: Counter,
    panics: Counter,
    published: Counter,
    duplicates: Counter,
    publish_failures: Counter,
    held: Gauge,
    oldest: Gauge,
    certificate_expiry: Gauge,
    certificate_failures: Counter,
    /// Connections that are open.
    pub connections: Gauge,
}

/// A review that is in flight.
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Makes and registers them.
    pub fn register(registry: &mut Registry) -> Self {
        ops::nats::register(registry);
        let metrics = Self {
            reviews: Family::default(),
            duration: Histogram::new(DURATIONS),
            in_flight: Gauge::default(),
            rejected: Family::default(),
            reads: Family::default(),
            read_duration: Histogram::new(DURATIONS),
            findings: Family::default(),
            expression_failures: Counter::default(),
            panics: Counter::default(),
            published: Counter::default(),
            duplicates: Counter::default(),
            publish_failures: Counter::default(),
            held: Gauge::default(),
            oldest: Gauge::default(),
            certificate_expiry: Gauge::default(),
            certificate_failures: Counter::default(),
            connections: Gauge::default(),
        };
        metrics.begin_at_zero();
        registry.register(
            "reviews",
            "Reviews answered, by webhook, operation and verdict",
            metrics.reviews.clone(),
        );
        registry.register("reviews_in_flight", "Reviews that are being decided", metrics.in_flight.clone());
        registry.register(
            "gate_reads",
            "Live reads of a Deployment by the gate, by result",
            metrics.reads.clone(),
        );
        registry.register_with_unit(
            "gate_read_duration",
            "Time that a live read of the gate took",
            Unit::Seconds,
            metrics.read_duration.clone(),
        );
        registry.register_with_unit(
            "review_duration",
            "Time from a review's last byte to its answer",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register(
            "requests_rejected",
            "Requests answered with an error, by reason",
            metrics.rejected.clone(),
        );
        registry.register(
            "policy_findings",
            "Validations of policies that found a submitted change wrong, by action and mode",
            metrics.findings.clone(),
        );
        registry.register(
            "policy_expression_failures",
            "Validations of policies that failed at run time",
            metrics.expression_failures.clone(),
        );
        registry.register("panics", "Reviews lost to a panic", metrics.panics.clone());
        registry.register("published", "Held changes published to the queue", metrics.published.clone());
        registry.register(
            "published_duplicates",
            "Publishes that the queue knew already",
            metrics.duplicates.clone(),
        );
        registry.register(
            "publish_failures",
            "Publishes that failed and are retried",
            metrics.publish_failures.clone(),
        );
        registry.register("held_changes", "Changes that wait now", metrics.held.clone());
        registry.register_with_unit(
            "oldest_held_timestamp",
            "When this process first saw the Deployment that has waited longest, as a Unix time; 0: none waits",
            Unit::Seconds,
            metrics.oldest.clone(),
        );
        registry.register_with_unit(
            "certificate_expiry_timestamp",
            "When the serving certificate expires, as a Unix time",
            Unit::Seconds,
            metrics.certificate_expiry.clone(),
        );
        registry.register(
            "certificate_load_failures",
            "Times that the certificate files were not usable",
            metrics.certificate_failures.clone(),
        );
        registry.register("connections", "Connections that are open", metrics.connections.clone());
        metrics
    }

    /// Every series that is known beforehand: one that is missing until it counts cannot be told from none.
    fn begin_at_zero(&self) {
        for (webhook, verdicts) in VERDICTS {
            for (verdict, operation) in
                verdicts.iter().flat_map(|verdict| OPERATIONS.map(|one| (verdict, one)))
            {
                drop(self.reviews.get_or_create(&ReviewLabels { webhook, operation, verdict }));
            }
        }
        for (action, mode) in ACTIONS.into_iter().flat_map(|action| MODES.map(|mode| (action, mode))) {
            drop(self.findings.get_or_create(&FindingLabels { action, mode }));
        }
        for result in READS {
            drop(self.reads.get_or_create(&ReadLabels { result }));
        }
        for reason in REASONS {
            drop(self.rejected.get_or_create(&RejectLabels { reason }));
        }
    }

    /// A review was answered.
    pub fn reviewed(
        &self,
        webhook: &'static str,
        operation: &'static str,
        verdict: &'static str,
        took: Duration,
    ) {
        self.reviews.get_or_create(&ReviewLabels { webhook, operation, verdict }).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// A review is in flight until what this gives is dropped.
    #[must_use]
    pub fn flying(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// The gate has read a Deployment, or has not been able to.
    pub fn gate_read(&self, result: &'static str, took: Duration) {
        self.reads.get_or_create(&ReadLabels { result }).inc();
        self.read_duration.observe(took.as_secs_f64());
    }

    /// A request was answered with an error.
    pub fn rejected(&self, reason: &'static str) {
        self.rejected.get_or_create(&RejectLabels { reason }).inc();
    }

    /// A validation found something wrong.
    pub fn found(&self, action: Action, observed: bool) {
        let action = match action {
            Action::Deny => ACTIONS[0],
            Action::Warn => ACTIONS[1],
        };
        let mode = MODES[usize::from(observed)];
        self.findings.get_or_create(&FindingLabels { action, mode }).inc();
    }

    /// A validation failed at run time.
    pub fn expression_failed(&self) {
        self.expression_failures.inc();
    }

    /// A review was lost to a panic.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// A change is on the queue.
    pub fn published(&self, kept: Kept) {
        match kept {
            Kept::New => self.published.inc(),
            Kept::Duplicate => self.duplicates.inc(),
        };
    }

    /// A change is not on the queue yet.
    pub fn publish_failed(&self) {
        self.publish_failures.inc();
    }

    /// How many changes wait, and since when the oldest.
    pub fn held(&self, (count, oldest): (usize, Option<Timestamp>)) {
        self.held.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.oldest.set(oldest.map_or(0, Timestamp::as_second));
    }

    /// A certificate is served that expires then (Unix time).
    pub fn certificate(&self, expiry: i64) {
        self.certificate_expiry.set(expiry);
    }

    /// The certificate files were not usable.
    pub fn certificate_failed(&self) {
        self.certificate_failures.inc();
    }
}
