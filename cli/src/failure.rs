//! Why a verb has no answer: one sentence that says what to do, and a stable exit code. The one place where
//! errors of the API become words.

use std::{error::Error, io};

use kube::config::KubeconfigError;

use crate::nats::Absence;

/// Why a verb has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API server refused or failed.
    #[error("{0}")]
    Api(String),
    /// Something named does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The user may not.
    #[error("{0}")]
    Forbidden(String),
    /// The API server does not know who asks.
    #[error("the API server does not know who you are ({0}); log in again, and check: kubectl auth whoami")]
    Unauthorized(String),
    /// Nobody answers.
    #[error(
        "cannot reach the API server at {server}: {cause}; check that it runs, or choose another --context"
    )]
    Unreachable {
        /// Its address.
        server: String,
        /// Why.
        cause: String,
    },
    /// There is no kubeconfig that could be used.
    #[error(
        "no usable kubeconfig: {0}; name a file with --kubeconfig or KUBECONFIG, a context with --context"
    )]
    Config(#[from] KubeconfigError),
    /// What was typed makes no sense where it was typed, seen only now.
    #[error("{0}")]
    Usage(String),
    /// NATS is not reached, or says nothing.
    #[error("{0}")]
    Nats(String),
    /// Something is left to be done, or does not work.
    #[error("{0}")]
    Partly(String),
    /// The answer cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(#[source] io::Error),
    /// Whoever read the answer has seen enough.
    #[error("the reader of standard output is gone")]
    ReaderGone,
}

/// What was tried, for the sentence.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// A verb of RBAC and a kind: `list Deployments`.
    pub what: &'a str,
    /// The namespace; `None` for all.
    pub namespace: Option<&'a str>,
    /// Address of the API server.
    pub server: &'a str,
}

impl Failure {
    /// The failure from an error of the API.
    #[must_use]
    pub fn of(error: &kube::Error, attempt: Attempt<'_>) -> Self {
        match error {
            kube::Error::Api(status) if status.code == 401 => Self::Unauthorized(status.message.clone()),
            kube::Error::Api(status) if status.code == 403 => Self::forbidden(attempt, &status.message),
            kube::Error::Api(status) => {
                Self::Api(format!("{}: the API server says: {}", attempt.what, status.message))
            }
            kube::Error::Auth(error) => Self::Unauthorized(innermost(error)),
            kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_) => {
                Self::Unreachable { server: attempt.server.to_owned(), cause: innermost(error) }
            }
            error => Self::Api(format!("{}: {}", attempt.what, innermost(error))),
        }
    }

    /// The user may not do this.
    fn forbidden(attempt: Attempt<'_>, said: &str) -> Self {
        let what = attempt.what;
        Self::Forbidden(match attempt.namespace {
            None => format!(
                "you may not {what} in all namespaces; name one that you may read: kubectl roadstead get -n NAMESPACE"
            ),
            Some(namespace) => format!(
                "you may not {what} in namespace {namespace} ({said}); what you may do there: kubectl auth can-i --list -n {namespace}"
            ),
        })
    }

    /// The exit code; [`crate::args`] documents them.
    #[must_use]
    pub fn exit(&self) -> u8 {
        match self {
            Self::Api(_) | Self::Output(_) => 1,
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Forbidden(_) | Self::Unauthorized(_) => 4,
            Self::Unreachable { .. } | Self::Config(_) | Self::Nats(_) => 5,
            Self::Partly(_) => 6,
            Self::ReaderGone => 0,
        }
    }
}

impl From<Absence> for Failure {
    /// Where there is no answer without NATS.
    fn from(absence: Absence) -> Self {
        match absence {
            Absence::Away(why) => Self::Nats(why),
            Absence::Forbidden(why) => Self::Forbidden(why),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::ReaderGone } else { Self::Output(error) }
    }
}

impl From<serde_json::Error> for Failure {
    /// Rows are maps with names as keys: none of them fails.
    fn from(error: serde_json::Error) -> Self {
        Self::Output(error.into())
    }
}

/// An error's innermost cause: the layers around it only say that a request failed.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn api(code: u16, namespace: Option<&str>) -> Failure {
        let status = Status { code, message: "because".into(), ..Status::default() };
        let attempt = Attempt { what: "list Deployments", namespace, server: "https://here" };
        Failure::of(&kube::Error::Api(Box::new(status)), attempt)
    }

    #[test]
    fn each_failure_says_what_to_do_and_has_its_exit_code() {
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        let attempt = Attempt { what: "list Deployments", namespace: None, server: "https://here" };
        let unreachable = Failure::of(&kube::Error::Service(Box::new(refused)), attempt);
        for (failure, code, part) in [
            (api(403, None), 4, "kubectl roadstead get -n NAMESPACE"),
            (api(403, Some("shop")), 4, "in namespace shop (because)"),
            (api(401, None), 4, "kubectl auth whoami"),
            (api(500, None), 1, "list Deployments: the API server says: because"),
            (unreachable, 5, "https://here: connection refused"),
            (KubeconfigError::CurrentContextNotSet.into(), 5, "--context"),
            (io::Error::other("disk full").into(), 1, "disk full"),
            (io::Error::from(io::ErrorKind::BrokenPipe).into(), 0, "gone"),
            (Failure::Usage("what".into()), 2, "what"),
            (Failure::NotFound("no".into()), 3, "no"),
            (Failure::Partly("half".into()), 6, "half"),
        ] {
            assert_eq!(failure.exit(), code, "{failure}");
            assert!(failure.to_string().contains(part), "{failure}");
        }
    }
}
