//! A Deployment as it is stored, in the few fields that decide. Read from raw JSON: a typed Deployment would
//! lose the template's fields that a newer API server knows, and its digest would then be another.

use std::collections::BTreeMap;

use contract::{
    Digest, OnFailure, State,
    key::{LANE, LIFT, ON_FAILURE, REPLAY},
};
use kube::{api::DynamicObject, runtime::watcher::Event};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::rollback::ownership;

/// Milliseconds since 1970.
pub type UnixMillis = i64;

/// Now.
#[must_use]
pub fn now() -> UnixMillis {
    to_millis(OffsetDateTime::now_utc())
}

pub(crate) fn to_millis(time: OffsetDateTime) -> UnixMillis {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// One stored Deployment.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "they are fields of the stored object, not a state of ours")]
pub struct Live {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.generation`: counts changes of the spec and of annotations.
    pub generation: i64,
    /// Whether its deletion has begun.
    pub deleting: bool,
    /// `metadata.labels`: what policies select by.
    pub labels: BTreeMap<String, String>,
    /// Its own keys.
    pub state: State,
    /// Digest of `spec.template`, computed.
    pub digest: Digest,
    /// The lane that its owner asks for.
    pub lane: Option<String>,
    /// What its owner wants done where its rollout fails.
    pub on_failure: OnFailure,
    /// Whether the annotation stands that lifts a quarantine.
    pub lift: bool,
    /// Whether the order stands to replay a dead change.
    pub replay: bool,
    /// Whether a rollback still owns the fields that it wrote.
    pub owned_by_rollback: bool,
    /// Whether `metadata.labels` is there at all.
    pub has_labels: bool,
    /// Whether `metadata.annotations` is there at all.
    pub has_annotations: bool,
    /// `spec.paused`
    pub paused: bool,
    /// `spec.replicas`
    pub replicas: i64,
    /// `spec.progressDeadlineSeconds`, in milliseconds.
    pub progress_deadline: Option<UnixMillis>,
    /// What the deployment controller says.
    pub status: Status,
}

/// `status` of a Deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// The generation that the rest speaks of.
    pub observed_generation: i64,
    /// Pods.
    pub replicas: i64,
    /// Pods of the newest template.
    pub updated: i64,
    /// Pods that serve.
    pub available: i64,
    /// Reason and `lastUpdateTime` of the condition `Progressing`.
    pub progressing: Option<(String, UnixMillis)>,
}

impl Live {
    /// Reads a Deployment.
    ///
    /// # Errors
    /// None for an object that an API server sent.
    pub fn of(object: &DynamicObject) -> Result<Self, serde_json::Error> {
        let (metadata, spec) = (&object.metadata, &object.data["spec"]);
        let annotations = metadata.annotations.as_ref();
        Ok(Self {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            generation: metadata.generation.unwrap_or_default(),
            deleting: metadata.deletion_timestamp.is_some(),
            labels: metadata.labels.clone().unwrap_or_default(),
            state: State::of(annotations, metadata.labels.as_ref()),
            digest: Digest::of_value(&spec["template"])?,
            lane: annotations.and_then(|map| map.get(LANE)).cloned(),
            on_failure: OnFailure::resolve(
                annotations.and_then(|map| map.get(ON_FAILURE)).map(String::as_str),
            ),
            lift: annotations.is_some_and(|map| map.contains_key(LIFT)),
            replay: annotations.is_some_and(|map| map.contains_key(REPLAY)),
            owned_by_rollback: ownership::is_ours(
                metadata.managed_fields.iter().flatten().map(|entry| entry.manager.as_deref()),
            ),
            has_labels: metadata.labels.is_some(),
            has_annotations: annotations.is_some(),
            paused: spec["paused"] == true,
            replicas: spec["replicas"].as_i64().unwrap_or(1),
            progress_deadline: spec["progressDeadlineSeconds"]
                .as_i64()
                .map(|seconds| seconds.saturating_mul(1000)),
            status: Status::of(&object.data["status"]),
        })
    }
}

impl Live {
    /// Reads what a watch tells.
    ///
    /// # Errors
    /// As [`Live::of`].
    pub fn of_event(event: Event<DynamicObject>) -> Result<Event<Self>, serde_json::Error> {
        Ok(match event {
            Event::Init => Event::Init,
            Event::InitDone => Event::InitDone,
            Event::InitApply(object) => Event::InitApply(Self::of(&object)?),
            Event::Apply(object) => Event::Apply(Self::of(&object)?),
            Event::Delete(object) => Event::Delete(Self::of(&object)?),
        })
    }

    /// Whether the status speaks of the newest spec.
    #[must_use]
    pub fn is_observed(&self) -> bool {
        self.status.observed_generation >= self.generation
    }
}

impl Status {
    fn of(status: &Value) -> Self {
        let count = |field: &str| status[field].as_i64().unwrap_or_default();
        let conditions = status["conditions"].as_array().into_iter().flatten();
        let progressing =
            conditions.filter(|condition| condition["type"] == "Progressing").find_map(|condition| {
                let updated = OffsetDateTime::parse(condition["lastUpdateTime"].as_str()?, &Rfc3339).ok()?;
                Some((condition["reason"].as_str()?.to_owned(), to_millis(updated)))
            });
        Self {
            observed_generation: count("observedGeneration"),
            replicas: count("replicas"),
            updated: count("updatedReplicas"),
            available: count("availableReplicas"),
            progressing,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A Deployment of three pods at generation 4, held, whose old rollout is complete; the case merges its own.
    pub(crate) fn object(case: &Value) -> Value {
        let mut object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "namespace": "shop", "name": "web", "uid": "u-1", "generation": 4, "resourceVersion": "70",
                "labels": {"app": "web", "roadstead.dev/phase": "held"},
                "annotations": {
                    "team": "a",
                    "roadstead.dev/gate": "closed",
                    "roadstead.dev/change": "aaaaaaaaaa",
                    "roadstead.dev/released": "b".repeat(64),
                    "roadstead.dev/good": "b".repeat(64),
                },
            },
            "spec": {
                "replicas": 3, "progressDeadlineSeconds": 600,
                "template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}},
            },
            "status": {"observedGeneration": 4, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3},
        });
        json_patch::merge(&mut object, case);
        object
    }

    pub(crate) fn live(case: &Value) -> Live {
        Live::of(&serde_json::from_value(object(case)).unwrap()).unwrap()
    }

    #[test]
    fn fields_that_decide_are_read() {
        let live = live(&json!({
            "metadata": {"annotations": {"roadstead.dev/lane": "bulk"}},
            "spec": {"paused": true},
            "status": {"conditions": [
                {"type": "Available"},
                {"type": "Progressing", "reason": "NewReplicaSetAvailable", "lastUpdateTime": "1970-01-01T00:00:02Z"},
            ]},
        }));
        assert!(live.state.is_closed() && live.paused && !live.deleting);
        assert_eq!((live.generation, live.replicas, live.progress_deadline), (4, 3, Some(600_000)));
        assert_eq!(live.lane.as_deref(), Some("bulk"));
        assert_eq!(live.status.progressing, Some(("NewReplicaSetAvailable".into(), 2_000)));
    }

    #[test]
    fn the_digest_counts_fields_that_nobody_knows_yet() {
        let new_field = live(&json!({"spec": {"template": {"spec": {"introducedTomorrow": 1}}}}));
        assert_ne!(new_field.digest, live(&json!({})).digest);
    }
}
