//! A pointer to a change: what it takes to find it again and to know it. The messages of the queue and of second
//! looks are read as one; whoever follows it acts on the live object only.

use serde::{Deserialize, Serialize};

use crate::{Change, ChangeId, Digest, Lane};

/// A pointer to one attempt of one change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pointer {
    /// Namespace of the Deployment.
    pub namespace: String,
    /// Name of the Deployment.
    pub name: String,
    /// `metadata.uid` of the Deployment.
    pub uid: String,
    /// Id of the change.
    pub change: ChangeId,
    /// Digest of its template when it was published.
    pub digest: Digest,
    /// Queue that it waits in.
    pub lane: Lane,
    /// 1 for the first time; a replay counts up.
    pub attempt: u32,
    /// User name in the request that submitted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
}

impl Pointer {
    /// Whether both point to the same attempt of the same change of the same object, whatever else they say.
    #[must_use]
    pub fn is_same_attempt(&self, other: &Self) -> bool {
        (&self.uid, &self.change, self.attempt) == (&other.uid, &other.change, other.attempt)
    }
}

impl From<&Change> for Pointer {
    fn from(change: &Change) -> Self {
        Self {
            namespace: change.namespace.clone(),
            name: change.name.clone(),
            uid: change.uid.clone(),
            change: change.change.clone(),
            digest: change.digest.clone(),
            lane: change.lane,
            attempt: change.attempt,
            requested_by: change.requested_by.clone(),
        }
    }
}
