//! The message of an event: what happened to a change, for people and machines.

use serde::{Deserialize, Serialize};

use crate::{ChangeId, Digest, Lane, Phase, envelope::Payload};

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
}

impl Payload for ChangeEvent {
    const TYPE: &'static str = "dev.roadstead.event.v1";

    /// A change reaches a phase once, so several replicas that tell of it are one event.
    fn id(&self) -> String {
        format!("{}.{}.{}", self.uid, self.change, self.phase)
    }

    fn cluster(&self) -> &str {
        &self.cluster
    }

    fn deployment(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}
