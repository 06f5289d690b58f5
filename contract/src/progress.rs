//! How far a rollout is: told while it goes on, at most once a second. Not a phase: nothing follows from it.

use serde::{Deserialize, Serialize};

use crate::{ChangeId, envelope::Payload};

/// How far a rollout is, in pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeProgress {
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
    /// Pods of the new template.
    pub updated: i64,
    /// Pods that serve, of any template.
    pub available: i64,
    /// Pods that are wanted.
    pub wanted: i64,
    /// It is complete, and succeeds if it still is then, in RFC 3339; absent: it does not soak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soaking_until: Option<String>,
    /// Names of the checks that decide now whether it succeeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checking: Vec<String>,
}

impl Payload for ChangeProgress {
    const TYPE: &'static str = "dev.roadstead.progress.v1";

    /// Several replicas that see the same are one message. So is what comes to the same again within two minutes.
    fn id(&self) -> String {
        let Self { uid, change, updated, available, wanted, .. } = self;
        let id = format!("{uid}.{change}.progress.{updated}.{available}.{wanted}");
        match (&self.soaking_until, self.checking.is_empty()) {
            (Some(until), _) => format!("{id}.soaks.{until}"),
            (None, true) => id,
            (None, false) => format!("{id}.checks"),
        }
    }

    fn cluster(&self) -> &str {
        &self.cluster
    }

    fn deployment(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}
