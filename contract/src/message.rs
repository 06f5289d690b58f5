//! The message of a held change: a pointer to the object that waits, with enough beside it to be a history.
//! Whoever reads it acts on the live object only.

use serde::{Deserialize, Serialize};

use crate::{
    ChangeId, Digest, Key, Lane, Phase, State,
    envelope::Payload,
    key::{LANE, PHASE_LABEL},
};

/// Largest Deployment that travels within a message, in bytes of JSON; above it the message is a pointer.
/// NATS takes messages of 1 MiB by default.
pub const MAX_DEPLOYMENT: usize = 900 * 1024;

/// Room for what stands beside the Deployment in a message, in bytes.
pub const ENVELOPE: usize = 64 * 1024;

/// One held change, as published to the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
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
    /// Digest of the template that is stored.
    pub digest: Digest,
    /// Queue that it waits in.
    pub lane: Lane,
    /// 1 for the first time; a replay counts up.
    pub attempt: u32,
    /// `metadata.generation` of the Deployment when this was published.
    pub generation: i64,
    /// User name in the request that submitted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// Digest of the template that was last let through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Digest>,
    /// W3C trace context of the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Whether the Deployment was too large to travel within the message.
    #[serde(default)]
    pub truncated: bool,
    /// The desired Deployment without managedFields, status and last-applied; absent where `truncated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<serde_json::Value>,
}

impl Payload for Change {
    const TYPE: &'static str = "dev.roadstead.change.v1";

    fn id(&self) -> String {
        format!("{}.{}.{}.{}", self.uid, self.change, self.lane, self.attempt)
    }

    fn cluster(&self) -> &str {
        &self.cluster
    }

    fn deployment(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}

impl Change {
    /// The message of a stored Deployment; `None` where it is held no more. `lane`: from the lane that its owner asks
    /// for and the one that the policies gave it to the one that it waits in.
    ///
    /// # Errors
    /// A template that nests too deep for a digest.
    pub fn of(
        cluster: &str,
        deployment: serde_json::Value,
        lane: impl FnOnce(Option<&str>, Option<Lane>) -> Lane,
        max_payload: usize,
    ) -> Result<Option<Self>, serde_json::Error> {
        let metadata = &deployment["metadata"];
        let annotation = |key: &str| metadata["annotations"][key].as_str();
        let state = State::read(annotation, |_| metadata["labels"][PHASE_LABEL].as_str());
        let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
        let attempt = state.attempt();
        let (true, Some(Phase::Held), Some(change)) = (state.is_closed(), state.phase, state.change) else {
            return Ok(None);
        };
        let message = Self {
            cluster: cluster.to_owned(),
            namespace: text("namespace"),
            name: text("name"),
            uid: text("uid"),
            change,
            digest: Digest::of_value(&deployment["spec"]["template"])?,
            lane: lane(annotation(LANE), state.default_lane),
            attempt,
            generation: metadata["generation"].as_i64().unwrap_or_default(),
            requested_by: state.requested_by,
            released: state.released,
            traceparent: annotation(Key::Traceparent.name()).map(str::to_owned),
            truncated: false,
            deployment: None,
        };
        Ok(Some(message.with_deployment(deployment, max_payload)))
    }

    /// Puts the desired Deployment into the message: without what only its server needs, and as a pointer where
    /// it is larger than [`MAX_DEPLOYMENT`] or than fits into a message of `max_payload` bytes.
    #[must_use]
    pub fn with_deployment(mut self, mut deployment: serde_json::Value, max_payload: usize) -> Self {
        if let Some(object) = deployment.as_object_mut() {
            object.remove("status");
        }
        if let Some(metadata) = deployment.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
            metadata.remove("managedFields");
            if let Some(annotations) =
                metadata.get_mut("annotations").and_then(serde_json::Value::as_object_mut)
            {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
        }
        let room = MAX_DEPLOYMENT.min(max_payload.saturating_sub(ENVELOPE));
        self.truncated = deployment.to_string().len() > room;
        self.deployment = (!self.truncated).then_some(deployment);
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::OffsetDateTime;

    use super::*;
    use crate::envelope::{EnvelopeError, open, seal};

    fn change() -> Change {
        let digest = Digest::of_value(&json!({})).unwrap();
        Change {
            cluster: "east".into(),
            namespace: "shop".into(),
            name: "web".into(),
            uid: "u-1".into(),
            change: ChangeId::derive("shop", "web", &digest, None),
            digest,
            lane: Lane::Urgent,
            attempt: 1,
            generation: 3,
            requested_by: Some("jane".into()),
            released: None,
            traceparent: None,
            truncated: false,
            deployment: None,
        }
    }

    fn sealed(change: &Change) -> Value {
        serde_json::from_slice(&seal(change, OffsetDateTime::UNIX_EPOCH).unwrap()).unwrap()
    }

    fn stored(gate: &str, phase: &str) -> Value {
        json!({
            "metadata": {
                "name": "web", "namespace": "shop", "uid": "u", "generation": 3,
                "labels": {"roadstead.dev/phase": phase},
                "annotations": {
                    "roadstead.dev/gate": gate, "roadstead.dev/change": "abcdefghij",
                    "roadstead.dev/requested-by": "jane", "roadstead.dev/lane": "bulk",
                    "roadstead.dev/default-lane": "normal",
                },
            },
            "spec": {"template": {"spec": {}}},
        })
    }

    #[test]
    fn a_held_deployment_becomes_a_message_with_the_digest_of_what_is_stored() {
        let lane = |asked: Option<&str>, policies| {
            assert_eq!(policies, Some(Lane::Normal));
            asked.unwrap().parse::<Lane>().unwrap()
        };
        let change = Change::of("east", stored("closed", "held"), lane, 1 << 20).unwrap().unwrap();
        assert_eq!(change.id(), "u.abcdefghij.bulk.1");
        assert_eq!(change.digest, Digest::of_value(&json!({"spec": {}})).unwrap());
        assert_eq!(change.requested_by.as_deref(), Some("jane"));
        assert!(change.deployment.is_some());
    }

    #[test]
    fn what_is_not_held_any_more_is_no_message() {
        for (gate, phase) in [("open", "held"), ("closed", "released"), ("closed", "dead")] {
            let message = Change::of("east", stored(gate, phase), |_, _| Lane::Normal, 1 << 20).unwrap();
            assert_eq!(message, None, "{gate} {phase}");
        }
    }

    #[test]
    fn a_change_travels_as_a_cloudevent_and_reads_back() {
        let change = change().with_deployment(json!({"metadata": {"name": "web"}}), 1 << 20);
        let message = sealed(&change);
        assert_eq!(message["specversion"], "1.0");
        assert_eq!(message["type"], "dev.roadstead.change.v1");
        assert_eq!(message["source"], "/roadstead/east");
        assert_eq!(message["subject"], "shop/web");
        assert_eq!(message["time"], "1970-01-01T00:00:00Z");
        assert_eq!(message["id"], format!("u-1.{}.urgent.1", change.change));
        assert_eq!(open::<Change>(message.to_string().as_bytes()).unwrap(), change);
    }

    #[test]
    fn a_reader_ignores_fields_that_it_does_not_know() {
        let mut message = sealed(&change());
        message["data"]["reason"] = json!("new in a later version");
        assert!(open::<Change>(message.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn what_is_not_ours_says_why() {
        let with = |key: &str, value: Value| {
            let mut message = sealed(&change());
            message[key] = value;
            open::<Change>(message.to_string().as_bytes()).unwrap_err()
        };
        assert!(matches!(with("type", json!("dev.roadstead.change.v2")), EnvelopeError::Type { .. }));
        assert!(matches!(with("specversion", json!("0.3")), EnvelopeError::Specversion(_)));
        assert!(matches!(with("data", json!({"name": 7})), EnvelopeError::Malformed(_)));
        assert!(matches!(open::<Change>(b"\xff{"), Err(EnvelopeError::Malformed(_))));
    }

    #[test]
    fn a_deployment_travels_without_what_only_its_server_needs() {
        let deployment = json!({
            "metadata": {
                "name": "web",
                "managedFields": [{}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "a"},
            },
            "spec": {"replicas": 2},
            "status": {"replicas": 2},
        });
        let change = change().with_deployment(deployment, 1 << 20);
        assert_eq!(
            change.deployment,
            Some(json!({"metadata": {"name": "web", "annotations": {"team": "a"}}, "spec": {"replicas": 2}}))
        );
    }

    #[test]
    fn a_deployment_too_large_for_a_message_becomes_a_pointer() {
        for (size, max_payload) in [(MAX_DEPLOYMENT, 8 << 20), (300 << 10, 256 << 10)] {
            let change = change().with_deployment(json!({"spec": "x".repeat(size)}), max_payload);
            assert!(change.truncated && change.deployment.is_none());
        }
    }
}
