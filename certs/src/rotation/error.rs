//! Why a step of the rotation was not done.

use std::time::Duration;

use crate::tls::TlsError;

/// Longest wait for an answer.
const REQUEST: Duration = Duration::from_secs(5);

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API server refused, or could not be reached.
    #[error("the API server did not {0}")]
    Api(String, #[source] kube::Error),
    /// The API server was silent.
    #[error("the API server did not {0} in time")]
    NoAnswer(String),
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
        // 422: a test in the patch failed.
        matches!(self, Self::Api(_, kube::Error::Api(status)) if matches!(status.code, 409 | 422))
    }
}

/// The answer, or why there is none.
pub(super) async fn within<T>(
    what: String,
    answer: impl Future<Output = kube::Result<T>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(REQUEST, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Failure::Api(what, error)),
        Err(_) => Err(Failure::NoAnswer(what)),
    }
}
