//! Why something was not kept.

use crate::{
    nats::{IdentityError, ServersError},
    secrets::ApiFailure,
    tls::TlsError,
};

/// Why something was not kept. No message holds a key.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API server.
    #[error(transparent)]
    Api(#[from] ApiFailure),
    /// An identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// What the Secret of the keys holds is not to be written over.
    #[error(
        "{0} in the Secret of the keys is no text; put the right one back, or take it out to have one made"
    )]
    NoText(String),
    /// A certificate could not be made.
    #[error("no certificate was made")]
    Tls(#[from] TlsError),
    /// The document of the authorities could not be written.
    #[error("the authorities cannot be written down")]
    Document(#[from] serde_json::Error),
    /// The system has no random numbers.
    #[error("no password was made: the system has no random numbers")]
    Random,
    /// The servers.
    #[error(transparent)]
    Servers(#[from] ServersError),
}

impl Failure {
    /// Whether somebody else was faster: what there is to do is to be asked again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Api(failure) if failure.is_conflict())
    }
}
