//! The streams of the account: names, subjects and limits, as data. `ops` makes them so on a server and
//! refuses one that is kept in memory.

use std::time::Duration;

use crate::Lane;

/// Name of the stream of changes: the queue and the history.
pub const CHANGES: &str = "ROADSTEAD_CHANGES";
/// Name of the stream of events: what happened, for people and machines.
pub const EVENTS: &str = "ROADSTEAD_EVENTS";
/// Name of the stream of dead letters.
pub const DEAD: &str = "ROADSTEAD_DEAD";
/// Key-value bucket of slots and leases. It may be lost: it is counted again from the objects.
pub const LEASES: &str = "ROADSTEAD_LEASES";

/// Messages kept on one subject of the changes. More than one, because after a restart the server forgets the
/// deduplication ids of displaced messages, and an old change could then replace a newer.
const CHANGES_PER_SUBJECT: i64 = 64;

/// How long an event is kept.
const EVENTS_AGE: Duration = Duration::from_hours(30 * 24);

/// What a stream must look like. Storage is always a file, retention by limits, old messages discarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamLayout {
    /// Name of the stream.
    pub name: &'static str,
    /// Subjects that it keeps.
    pub subjects: &'static str,
    /// Messages kept on each subject.
    pub messages_per_subject: i64,
    /// How long a message is kept; zero: for ever.
    pub age: Duration,
}

/// Every stream that both workloads need.
pub const STREAMS: [StreamLayout; 3] = [
    StreamLayout {
        name: CHANGES,
        subjects: "roadstead.change.>",
        messages_per_subject: CHANGES_PER_SUBJECT,
        age: Duration::ZERO,
    },
    StreamLayout {
        name: EVENTS,
        subjects: "roadstead.event.>",
        messages_per_subject: CHANGES_PER_SUBJECT,
        age: EVENTS_AGE,
    },
    StreamLayout { name: DEAD, subjects: "roadstead.dead.>", messages_per_subject: 16, age: Duration::ZERO },
];

/// Name of the durable consumer of one lane and shard of a cluster. A cluster's name is a DNS label, so it is
/// a valid part of a consumer's name.
#[must_use]
pub fn consumer(cluster: &str, lane: Lane, shard: u16) -> String {
    format!("{cluster}_{lane}_{shard}")
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
            subject::event("east", "shop", "web", Phase::Dead).unwrap(),
            subject::dead("east", "shop", "web").unwrap(),
        ] {
            let kept =
                STREAMS.iter().filter(|stream| subject.starts_with(stream.subjects.trim_end_matches('>')));
            assert_eq!(kept.count(), 1, "{subject}");
        }
    }
}
