//! The message of an event: what happened to a change, for people and machines.

use serde::{Deserialize, Serialize};

use crate::{ChangeId, Digest, Lane, Obstacle, Override, Phase, envelope::Payload};

/// What happened to a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeEvent {
    /// Name of the cluster.
    pub cluster: String,
    /// Namespace of the Deployment.
    pub namespace: String,
    /// Name of the Deployment.
    pub name: String,
    /// `metadata.uid` of the Deployment.
    pub uid: String,
    /// Id of the change.
    pub change: ChangeId,
    /// What it came to.
    pub phase: Phase,
    /// A sentence for people.
    pub message: String,
    /// Digest of the template, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Queue that it waited in, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// User name in the request that submitted it, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// Which attempt of the change: above 1 after a replay.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub attempt: u32,
    /// How often it could not be let through so far, where it was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Why it could not be let through the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it is tried again, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<String>,
    /// The rules that let it wait, the one that lasts longest first; of a change that was let through past them, those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obstacles: Vec<Obstacle>,
    /// The rules that would have let it wait, of policies that only observe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<Obstacle>,
    /// Who let it through past every rule, and why.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub r#override: Option<Override>,
}

fn first() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_first(attempt: &u32) -> bool {
    *attempt == 1
}

impl Payload for ChangeEvent {
    const TYPE: &'static str = "dev.roadstead.event.v1";

    /// A change reaches a phase once in each attempt, and fails for the n-th time once: several replicas that tell of
    /// it are one event.
    fn id(&self) -> String {
        let mut id = format!("{}.{}.{}", self.uid, self.change, self.phase);
        for count in [(self.attempt > 1).then_some(self.attempt), self.attempts] {
            // The gaps stay: the one count is not the other.
            id.push('.');
            id.extend(count.map(|count| count.to_string()));
        }
        id.trim_end_matches('.').to_owned()
    }

    fn cluster(&self) -> &str {
        &self.cluster
    }

    fn deployment(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_and_each_failure_is_an_event_of_its_own() {
        let id = |attempt, attempts| {
            let event = ChangeEvent {
                cluster: "east".into(),
                namespace: "shop".into(),
                name: "web".into(),
                uid: "u".into(),
                change: "abcdefghij".parse().unwrap(),
                phase: Phase::Held,
                message: String::new(),
                digest: None,
                lane: None,
                requested_by: None,
                attempt,
                attempts,
                error: None,
                next_try: None,
                obstacles: vec![],
                observed: vec![],
                r#override: None,
            };
            event.id()
        };
        assert_eq!(id(1, None), "u.abcdefghij.held");
        assert_eq!(id(2, None), "u.abcdefghij.held.2");
        assert_eq!(id(1, Some(2)), "u.abcdefghij.held..2");
        assert_eq!(id(2, Some(2)), "u.abcdefghij.held.2.2");
    }
}
