//! Why a step of the rotation was not done.

use crate::{secrets::ApiFailure, tls::TlsError};

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API server.
    #[error(transparent)]
    Api(#[from] ApiFailure),
    /// A certificate could not be made.
    #[error("no certificate was made")]
    Tls(#[from] TlsError),
    /// The document of the authorities could not be written.
    #[error("the authorities cannot be written down")]
    Document(#[from] serde_json::Error),
}

impl Failure {
    /// Whether somebody else was faster: what there is to do is to be asked again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Api(failure) if failure.is_conflict())
    }
}
