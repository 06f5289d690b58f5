//! The gate's one live read: the Deployment that owns a ReplicaSet, as the API server has it now. A cache could
//! be behind a release by moments, and a denial is final.

use std::time::Duration;

use contract::{ChangeId, Digest};
use kube::Client;

use crate::{
    deployment::{self, ReadError},
    object::Object,
};

/// How long the read may take: well inside the 5 s that the API server waits for us by default.
const BUDGET: Duration = Duration::from_secs(2);

/// What the gate needs of a Deployment.
#[derive(Debug)]
pub struct Owner {
    /// `metadata.uid`
    pub uid: String,
    /// Whether its gate is closed.
    pub is_closed: bool,
    /// The change it is about.
    pub change: Option<ChangeId>,
    /// Digest of its template.
    pub digest: Digest,
}

/// Why a Deployment could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What it sent is no Deployment.
    #[error("not a Deployment")]
    Json(#[from] serde_json::Error),
}

/// Reads Deployments.
#[derive(Clone)]
pub struct Owners {
    client: Client,
}

impl Owners {
    /// Reads through this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The Deployment as it is stored now.
    pub async fn read(&self, namespace: &str, name: &str) -> Result<Owner, Unreadable> {
        let text = deployment::get(&self.client, namespace, name, BUDGET).await?;
        let live: Object<'_> = serde_json::from_str(&text)?;
        let annotations = live.metadata.annotations.unwrap_or_default();
        Ok(Owner {
            is_closed: annotations.is_closed(),
            change: annotations.state().change,
            digest: live.spec.digest()?,
            uid: live.metadata.uid.into_owned(),
        })
    }
}
