//! What the executor counts. Never an object's name as a label.

use contract::{Lane, Phase, Rule};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::{event::EventReason, live::UnixMillis, slots::Room};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabels {
    lane: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabels {
    phase: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

/// What the checks of a rollout can come to.
const RESULTS: [&str; 2] = ["passed", "failed"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleLabels {
    rule: &'static str,
}

/// The executor's metrics.
#[derive(Clone, Default)]
pub struct Metrics {
    received: Family<LaneLabels, Counter>,
    releases: Counter,
    outcomes: Family<PhaseLabels, Counter>,
    retries: Family<ReasonLabels, Counter>,
    dead_letters: Counter,
    event_failures: Counter,
    slots: Gauge,
    slots_urgent: Gauge,
    slots_in_use: Gauge,
    waiting: Family<LaneLabels, Gauge>,
    waiting_for_rule: Family<RuleLabels, Gauge>,
    oldest_waiting: Family<LaneLabels, Gauge>,
    concurrency: Gauge,
    followed: Gauge,
    soaking: Gauge,
    checks: Family<ResultLabels, Counter>,
    pauses: Counter,
    rollbacks: Counter,
    kubernetes_events: Family<ReasonLabels, Counter>,
    kubernetes_events_lost: Counter,
}

impl Metrics {
    /// Makes and registers them.
    pub fn register(registry: &mut Registry) -> Self {
        ops::nats::register(registry);
        let metrics = Self::default();
        // A series is there before it counts anything.
        for lane in Lane::ALL {
            let labels = LaneLabels { lane: lane.as_str() };
            drop(metrics.received.get_or_create(&labels));
            drop(metrics.waiting.get_or_create(&labels));
            drop(metrics.oldest_waiting.get_or_create(&labels));
        }
        for rule in Rule::ALL {
            drop(metrics.waiting_for_rule.get_or_create(&RuleLabels { rule: rule.as_str() }));
        }
        for phase in Phase::ALL {
            drop(metrics.outcomes.get_or_create(&PhaseLabels { phase: phase.as_str() }));
        }
        registry.register(
            "messages_received",
            "Messages pulled from the queue, by lane",
            metrics.received.clone(),
        );
        registry.register("releases", "Changes let through by this process", metrics.releases.clone());
        registry.register("outcomes", "Events published about changes, by phase", metrics.outcomes.clone());
        registry.register("retries", "Changes that are tried again, by reason", metrics.retries.clone());
        registry.register("dead_letters", "Changes and messages given up", metrics.dead_letters.clone());
        registry.register(
            "concurrency",
            "Changes worked on at a time at most: halved while the API server is busy, 1 while it is away",
            metrics.concurrency.clone(),
        );
        registry.register(
            "event_failures",
            "Events that were not published at the first try",
            metrics.event_failures.clone(),
        );
        registry.register("slots", "Rollouts that may be in flight", metrics.slots.clone());
        registry.register(
            "slots_urgent",
            "Those of the slots that are reserved for urgent changes",
            metrics.slots_urgent.clone(),
        );
        registry.register(
            "slots_in_use",
            "Rollouts in flight, over all replicas",
            metrics.slots_in_use.clone(),
        );
        registry.register("queue_depth", "Changes that wait, by lane", metrics.waiting.clone());
        registry.register(
            "waiting_for_rule",
            "Changes that a policy or a freeze lets wait, by the rule that lasts longest",
            metrics.waiting_for_rule.clone(),
        );
        registry.register(
            "queue_oldest_timestamp_seconds",
            "When the oldest waiting change was queued, as a Unix time; 0: none waits; by lane",
            metrics.oldest_waiting.clone(),
        );
        registry.register("followed", "Rollouts that this process follows", metrics.followed.clone());
        registry.register(
            "rollbacks",
            "Failed rollouts whose last good template this process restored",
            metrics.rollbacks.clone(),
        );
        metrics.register_policies(registry);
        metrics.register_events(registry);
        metrics
    }

    /// A failed rollout was rolled back.
    pub fn rolled_back(&self) {
        self.rollbacks.inc();
    }

    fn register_policies(&self, registry: &mut Registry) {
        for result in RESULTS {
            drop(self.checks.get_or_create(&ResultLabels { result }));
        }
        registry.register(
            "soaking",
            "Rollouts that are complete and have to stay so for a while before they succeed",
            self.soaking.clone(),
        );
        registry.register(
            "checks",
            "Rollouts whose checks came to an end in this process, by result",
            self.checks.clone(),
        );
        registry.register(
            "policy_pauses",
            "Queues of policies that this process paused after a failed rollout",
            self.pauses.clone(),
        );
    }

    fn register_events(&self, registry: &mut Registry) {
        for reason in EventReason::ALL {
            drop(self.kubernetes_events.get_or_create(&ReasonLabels { reason: reason.as_str() }));
        }
        registry.register(
            "kubernetes_events",
            "Kubernetes Events written, by reason",
            self.kubernetes_events.clone(),
        );
        registry.register(
            "kubernetes_events_lost",
            "Kubernetes Events that were not written: too many at a time, or the API server would not have them",
            self.kubernetes_events_lost.clone(),
        );
    }

    /// A Kubernetes Event was written.
    pub fn kubernetes_event(&self, reason: EventReason) {
        self.kubernetes_events.get_or_create(&ReasonLabels { reason: reason.as_str() }).inc();
    }

    /// A Kubernetes Event was not written.
    pub fn kubernetes_event_lost(&self) {
        self.kubernetes_events_lost.inc();
    }

    /// A message was pulled.
    pub fn received(&self, lane: Lane) {
        self.received.get_or_create(&LaneLabels { lane: lane.as_str() }).inc();
    }

    /// A change was let through.
    pub fn released(&self) {
        self.releases.inc();
    }

    /// An event was published.
    pub fn told(&self, phase: Phase) {
        self.outcomes.get_or_create(&PhaseLabels { phase: phase.as_str() }).inc();
    }

    /// An event was not published at the first try.
    pub fn event_failed(&self) {
        self.event_failures.inc();
    }

    /// A change is tried again.
    pub fn retried(&self, reason: &'static str) {
        self.retries.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// A change, or a message that is none, was given up.
    pub fn buried(&self) {
        self.dead_letters.inc();
    }

    /// How many changes may be worked on at a time.
    pub fn concurrency(&self, most: usize) {
        self.concurrency.set(i64::try_from(most).unwrap_or(i64::MAX));
    }

    /// Slots in use, and all of them.
    pub fn slots(&self, in_use: usize, room: Room) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.slots_in_use.set(count(in_use));
        self.slots.set(count(room.all()));
        self.slots_urgent.set(count(room.urgent));
    }

    /// Changes that wait in a lane, and since when the oldest.
    pub fn waiting(&self, lane: Lane, count: usize, oldest: Option<UnixMillis>) {
        let labels = LaneLabels { lane: lane.as_str() };
        self.waiting.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        self.oldest_waiting.get_or_create(&labels).set(oldest.unwrap_or_default() / 1_000);
    }

    /// Changes that a rule lets wait.
    pub fn waiting_for_rule(&self, rule: Rule, count: usize) {
        let labels = RuleLabels { rule: rule.as_str() };
        self.waiting_for_rule.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Rollouts that are followed.
    pub fn followed(&self, count: usize) {
        self.followed.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Rollouts that soak.
    pub fn soaking(&self, count: usize) {
        self.soaking.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The checks of a rollout came to an end.
    pub fn checked(&self, passed: bool) {
        let result = RESULTS[usize::from(!passed)];
        self.checks.get_or_create(&ResultLabels { result }).inc();
    }

    /// The queue of a policy was paused.
    pub fn paused(&self) {
        self.pauses.inc();
    }
}
