//! The streams of the account: names, subjects and limits, as data. `ops` makes them so on a server and
//! refuses one that is kept in memory.

use std::time::Duration;

use crate::Lane;

/// Name of the stream of changes: the queue and the history.
pub const CHANGES: &str = "ROADSTEAD_CHANGES";
/// Name of the stream of second looks: what failed waits there until it is tried again.
pub const WAKE: &str = "ROADSTEAD_WAKE";
/// Name of the stream of events: what happened, for people and machines.
pub const EVENTS: &str = "ROADSTEAD_EVENTS";
/// Name of the stream of what waits, for people and machines.
pub const QUEUE: &str = "ROADSTEAD_QUEUE";
/// Name of the stream of dead letters.
pub const DEAD: &str = "ROADSTEAD_DEAD";
/// Key-value bucket of slots and leases. It may be lost: it is counted again from the objects.
pub const LEASES: &str = "ROADSTEAD_LEASES";

/// Messages kept on one subject of the changes. More than one, because after a restart the server forgets the
/// deduplication ids of displaced messages, and an old change could then replace a newer.
const CHANGES_PER_SUBJECT: i64 = 64;

/// How long an event is kept.
const EVENTS_AGE: Duration = Duration::from_hours(30 * 24);

/// How long it is believed what waits: as long as anything waits, it is published again and again.
pub const QUEUE_AGE: Duration = Duration::from_mins(10);

/// What a stream must look like. Storage is always a file, retention by limits, old messages discarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamLayout {
    /// Name of the stream.
    pub name: &'static str,
    /// Subjects that it keeps.
    pub subjects: &'static [&'static str],
    /// Messages kept on each subject.
    pub messages_per_subject: i64,
    /// How long a message is kept; zero: for ever.
    pub age: Duration,
    /// Whether it delivers messages at a time that they name (server 2.12 or newer).
    /// <https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-51.md>
    pub schedules: bool,
}

/// Every stream that both workloads need.
pub const STREAMS: [StreamLayout; 5] = [
    StreamLayout {
        name: CHANGES,
        subjects: &["roadstead.change.>"],
        messages_per_subject: CHANGES_PER_SUBJECT,
        age: Duration::ZERO,
        schedules: false,
    },
    StreamLayout {
        name: WAKE,
        subjects: &["roadstead.wake.>", "roadstead.schedule.>"],
        // A later look takes the place of an earlier one.
        messages_per_subject: 1,
        age: Duration::ZERO,
        schedules: true,
    },
    StreamLayout {
        name: EVENTS,
        subjects: &["roadstead.event.>"],
        messages_per_subject: CHANGES_PER_SUBJECT,
        age: EVENTS_AGE,
        schedules: false,
    },
    StreamLayout {
        name: QUEUE,
        subjects: &["roadstead.queue.>"],
        messages_per_subject: 1,
        age: QUEUE_AGE,
        schedules: false,
    },
    StreamLayout {
        name: DEAD,
        subjects: &["roadstead.dead.>"],
        messages_per_subject: 16,
        age: Duration::ZERO,
        schedules: false,
    },
];

/// Name of the durable consumer of one lane and shard of a cluster. A cluster's name is a DNS label, so it is
/// a valid part of a consumer's name.
#[must_use]
pub fn consumer(cluster: &str, lane: Lane, shard: u16) -> String {
    format!("{cluster}_{lane}_{shard}")
}

/// Name of the durable consumer of what wakes in one lane of a cluster.
#[must_use]
pub fn wake_consumer(cluster: &str, lane: Lane) -> String {
    format!("{cluster}_wake_{lane}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, subject};

    #[test]
    fn every_subject_of_ours_falls_into_one_stream() {
        let change = subject::ChangeSubject {
            cluster: "east".into(),
            lane: Lane::Bulk,
            namespace: "shop".into(),
            name: "web".into(),
        };
        for subject in [
            change.encode().unwrap(),
            change.wake().unwrap(),
            change.schedule().unwrap(),
            subject::event("east", "shop", "web", Phase::Dead).unwrap(),
            subject::dead("east", "shop", "web").unwrap(),
            subject::queue("east", "shop").unwrap(),
        ] {
            let kept = STREAMS
                .iter()
                .flat_map(|stream| stream.subjects)
                .filter(|kept| subject.starts_with(kept.trim_end_matches('>')));
            assert_eq!(kept.count(), 1, "{subject}");
        }
    }
}
