//! The message of a second look: a change could not be let through, and is tried again at a later time. Slim: the
//! change itself stays on the queue's stream.

use serde::{Deserialize, Serialize};

use crate::{Obstacle, Pointer, envelope::Payload, subject::ChangeSubject};

/// Obstacles that are named in one message; those that last longest stay.
pub const MAX_OBSTACLES: usize = 8;

/// A change that is tried again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wake {
    /// Name of the cluster.
    pub cluster: String,
    /// The change.
    #[serde(flatten)]
    pub pointer: Pointer,
    /// How often it failed so far.
    pub tries: u32,
    /// How many of those failures count against its budget.
    #[serde(default)]
    pub refusals: u32,
    /// Why it failed the last time, with the causes.
    pub last_error: String,
    /// The rules that let it wait, the one that lasts longest first; none where something failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obstacles: Vec<Obstacle>,
    /// Sequence of its message in the stream of changes.
    pub sequence: u64,
    /// When that stream took it, in nanoseconds since 1970.
    pub published: i64,
}

impl Payload for Wake {
    const TYPE: &'static str = "dev.roadstead.wake.v1";

    fn id(&self) -> String {
        let Pointer { uid, change, lane, attempt, .. } = &self.pointer;
        format!("{uid}.{change}.{lane}.{attempt}.{}", self.tries)
    }

    fn cluster(&self) -> &str {
        &self.cluster
    }

    fn deployment(&self) -> (&str, &str) {
        (&self.pointer.namespace, &self.pointer.name)
    }
}

impl Wake {
    /// Where it belongs.
    #[must_use]
    pub fn address(&self) -> ChangeSubject {
        ChangeSubject {
            cluster: self.cluster.clone(),
            lane: self.pointer.lane,
            namespace: self.pointer.namespace.clone(),
            name: self.pointer.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::{
        Digest, Lane, PolicyKind, PolicyRef, Rule,
        envelope::{open, seal},
    };

    #[test]
    fn a_second_look_reads_back_and_has_its_subject() {
        let wake = Wake {
            cluster: "east".into(),
            pointer: Pointer {
                namespace: "shop".into(),
                name: "web".into(),
                uid: "u-1".into(),
                change: "abcdefghij".parse().unwrap(),
                digest: Digest::of_value(&serde_json::json!({})).unwrap(),
                lane: Lane::Bulk,
                attempt: 2,
                requested_by: None,
            },
            tries: 3,
            refusals: 2,
            last_error: "refused".into(),
            obstacles: vec![Obstacle {
                policy: PolicyRef {
                    kind: PolicyKind::ClusterFreeze,
                    namespace: None,
                    name: "holidays".into(),
                },
                rule: Rule::Freeze,
                until: Some("2027-01-02T00:00:00Z".into()),
                message: "nothing goes before 2027".into(),
            }],
            sequence: 7,
            published: 1_700_000_000_000_000_000,
        };
        assert_eq!(wake.id(), "u-1.abcdefghij.bulk.2.3");
        assert_eq!(ChangeSubject::parse_wake(&wake.address().wake().unwrap()), Ok(wake.address()));
        assert_eq!(open::<Wake>(&seal(&wake, OffsetDateTime::UNIX_EPOCH).unwrap()).unwrap(), wake);
    }
}
