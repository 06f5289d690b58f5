//! The message of the queue: what waits in one namespace, where each change stands and when it may begin. The newest
//! one is all that counts.

use serde::{Deserialize, Serialize};

use crate::{ChangeId, Lane, envelope::Payload};

/// Changes named in one message at most: with the longest names and errors they stay below the 1 MiB that NATS takes.
pub const MAX_WAITING: usize = 500;

/// Longest error in a message, in bytes.
pub const MAX_ERROR: usize = 200;

/// What waits in one namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Queue {
    /// Name of the cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// Who published it: one executor does at a time, and knows by this that another one does.
    pub publisher: String,
    /// Counts what that one published.
    pub number: u64,
    /// The changes that wait, the one that is let through first in front.
    pub waiting: Vec<Waiting>,
    /// Changes that wait behind those and are not named.
    #[serde(default)]
    pub left_out: usize,
}

/// One change that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// Name of the Deployment.
    pub name: String,
    /// Id of the change.
    pub change: ChangeId,
    /// Queue that it waits in.
    pub lane: Lane,
    /// Its place among all changes of the cluster that wait, from 1.
    pub position: u64,
    /// Changes of its lane that are before it.
    pub ahead: u64,
    /// When it may begin, in RFC 3339, from how long the last rollouts took; absent while nothing is known of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_start: Option<String>,
    /// How often it could not be let through so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tries: u32,
    /// Why it could not be let through the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it is tried again, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Payload for Queue {
    const TYPE: &'static str = "dev.roadstead.queue.v1";

    fn id(&self) -> String {
        format!("{}.{}", self.publisher, self.number)
    }

    fn cluster(&self) -> &str {
        &self.cluster
    }

    fn deployment(&self) -> (&str, &str) {
        // It speaks of all of them.
        (&self.namespace, "*")
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::envelope::{open, seal};

    fn waiting(text: &str) -> Waiting {
        Waiting {
            name: text.into(),
            change: "a".repeat(32).parse().unwrap(),
            lane: Lane::Normal,
            position: u64::MAX,
            ahead: u64::MAX,
            expected_start: Some("2026-01-01T00:00:00.123456789Z".into()),
            tries: u32::MAX,
            last_error: Some("\u{1}".repeat(MAX_ERROR)),
            next_try: Some("2026-01-01T00:00:00.123456789Z".into()),
        }
    }

    fn queue(waiting: Vec<Waiting>) -> Queue {
        Queue {
            cluster: "east".into(),
            namespace: "n".repeat(63),
            publisher: "p".repeat(20),
            number: u64::MAX,
            waiting,
            left_out: usize::MAX,
        }
    }

    #[test]
    fn the_longest_message_is_below_what_nats_takes() {
        let full = queue(vec![waiting(&"n".repeat(253)); MAX_WAITING]);
        let message = seal(&full, OffsetDateTime::UNIX_EPOCH).unwrap();
        assert!(message.len() < 1_000_000, "{}", message.len());
    }

    #[test]
    fn a_queue_reads_back_and_says_nothing_of_what_is_not_known() {
        let plain =
            Waiting { expected_start: None, tries: 0, last_error: None, next_try: None, ..waiting("web") };
        let message = seal(&queue(vec![plain.clone()]), OffsetDateTime::UNIX_EPOCH).unwrap();
        assert_eq!(open::<Queue>(&message).unwrap(), queue(vec![plain]));
        let text = String::from_utf8(message).unwrap();
        assert!(!text.contains("expectedStart") && !text.contains("tries"), "{text}");
    }
}
