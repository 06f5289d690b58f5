//! The gate's one live read: the Deployment that owns a ReplicaSet, as the API server has it now. A cache could
//! be behind a release by moments, and a denial is final.

use std::time::{Duration, Instant};

use contract::{ChangeId, Digest, Gate, Key};
use kube::Client;

use crate::{
    deployment::{self, ReadError},
    metrics::Metrics,
    object::Object,
};

/// What the gate needs of a Deployment.
#[derive(Debug)]
pub struct Owner {
    /// `metadata.uid`
    pub uid: String,
    /// Its gate; `None`: nobody wrote one.
    pub gate: Option<Gate>,
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

impl Unreadable {
    /// The word of the metric.
    fn word(&self) -> &'static str {
        match self {
            Self::Read(ReadError::Timeout(_)) => "slow",
            Self::Read(ReadError::Api(kube::Error::Api(status))) => match status.code {
                404 => "missing",
                401 | 403 => "refused",
                _ => "failed",
            },
            Self::Read(ReadError::Api(_)) | Self::Json(_) => "failed",
        }
    }
}

/// Reads Deployments.
#[derive(Clone)]
pub struct Owners {
    client: Client,
    metrics: Metrics,
}

impl Owners {
    /// Reads through this client.
    #[must_use]
    pub fn new(client: Client, metrics: Metrics) -> Self {
        Self { client, metrics }
    }

    /// The Deployment as it is stored now, within a limit of time.
    pub async fn read(&self, namespace: &str, name: &str, limit: Duration) -> Result<Owner, Unreadable> {
        let begun = Instant::now();
        let owner = self.owner(namespace, name, limit).await;
        let result = owner.as_ref().map_or_else(Unreadable::word, |_| "read");
        self.metrics.gate_read(result, begun.elapsed());
        owner
    }

    async fn owner(&self, namespace: &str, name: &str, limit: Duration) -> Result<Owner, Unreadable> {
        let text = deployment::get(&self.client, namespace, name, limit).await?;
        let live: Object<'_> = serde_json::from_str(&text)?;
        let annotations = live.metadata.annotations.unwrap_or_default();
        Ok(Owner {
            gate: annotations.get(Key::Gate).and_then(Gate::read),
            change: annotations.state().change,
            digest: live.spec.digest()?,
            uid: live.metadata.uid.into_owned(),
        })
    }
}
