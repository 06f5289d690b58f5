//! What can go wrong with a change, and what is done about it. Nothing else in the executor looks at an error to
//! decide.

use std::time::Duration;

use async_nats::jetstream::stream::LastRawMessageError;
use contract::{envelope::EnvelopeError, subject::SubjectError};
use kube::core::Status;
use ops::{chain, retry_after};

use crate::{
    outcome::{Outcome, Reason},
    slots,
};

/// Longest text of a failure, in bytes: an admission webhook may say as much as it likes, and what is written into
/// JSON may be six times as long.
const LONGEST: usize = 8 * 1024;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API server refused, or could not be reached.
    #[error("the API server did not do it")]
    Api(#[source] kube::Error),
    /// The API server was silent.
    #[error("the API server did not answer within {} s", .0.as_secs())]
    NoAnswer(Duration),
    /// An object that is no Deployment as we know it.
    #[error("the Deployment is not readable")]
    Unreadable(#[from] serde_json::Error),
    /// The ledger of slots could not be read or written.
    #[error("the slots are not known")]
    Slots(#[from] slots::Error),
    /// An event or a dead letter is not kept.
    #[error("an event is not kept")]
    Publish(#[from] ops::publish::Error),
    /// The work was not done in time.
    #[error("it was not done within {} s", .0.as_secs())]
    Overrun(Duration),
    /// An earlier message could not be looked up.
    #[error("an earlier message could not be looked up")]
    LookUp(#[from] LastRawMessageError),
    /// Not a message of ours, or one of a later version.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// On a subject that is not ours.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// A message that lies about where it belongs.
    #[error("the message speaks of another Deployment or lane than its subject")]
    Misaddressed,
}

/// What is done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// There is no such object: read again, and it will say so.
    Gone,
    /// The object changed: read again and decide anew.
    ReadAgain,
    /// The message comes again.
    Retry(Reason),
    /// It will never be otherwise.
    GiveUp,
}

impl Failure {
    /// What is done about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Api(kube::Error::Api(status)) => answered(status),
            Self::Api(kube::Error::SerdeError(_)) | Self::Unreadable(_) => Remedy::Retry(Reason::Refused),
            Self::Api(_) => Remedy::Retry(Reason::Unreachable),
            Self::NoAnswer(_) => Remedy::Retry(Reason::Failing),
            Self::Slots(_) | Self::Publish(_) | Self::LookUp(_) => Remedy::Retry(Reason::Nats),
            Self::Overrun(_) => Remedy::Retry(Reason::Overrun),
            Self::Envelope(_) | Self::Subject(_) | Self::Misaddressed => Remedy::GiveUp,
        }
    }

    /// Whether a write may have been done all the same.
    #[must_use]
    pub fn may_have_been_applied(&self) -> bool {
        match self {
            Self::Api(kube::Error::Api(status)) => status.code >= 500 && !is_denied(status),
            Self::Api(_) | Self::NoAnswer(_) | Self::Unreadable(_) => true,
            _ => false,
        }
    }

    /// What went wrong, with its causes, for people: what the API server said in its own words, and cut to what fits
    /// into a message beside a Deployment.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = match self {
            Self::Api(kube::Error::Api(status)) => {
                format!("the API server said {}: {}", status.code, status.message)
            }
            _ => chain(self),
        };
        text.truncate(text.floor_char_boundary(LONGEST));
        text
    }

    /// What becomes of the message, after that many tries.
    #[must_use]
    pub fn outcome(&self, tries: u64) -> Outcome {
        match self.remedy() {
            Remedy::Gone | Remedy::ReadAgain => Reason::Conflict.retry(tries),
            Remedy::Retry(reason) => Outcome::Retry(self.pause(reason, tries), reason),
            Remedy::GiveUp => Outcome::Dead(chain(self)),
        }
    }

    /// How long to wait: as the reason says, and as long as the API server asked for.
    #[must_use]
    pub fn pause(&self, reason: Reason, tries: u64) -> Duration {
        let asked = match self {
            Self::Api(kube::Error::Api(status)) => retry_after::seconds(status),
            _ => 0,
        };
        reason.pause(tries).max(Duration::from_secs(asked))
    }
}

/// What is done about an answer of the API server that is no yes.
fn answered(status: &Status) -> Remedy {
    let causes = status.details.as_ref().map_or(&[][..], |details| &details.causes);
    let terminating = causes.iter().any(|cause| cause.reason == "NamespaceTerminating");
    match status.code {
        // Whatever the code: a webhook chooses its own.
        _ if is_denied(status) => Remedy::Retry(Reason::Refused),
        404 | 410 => Remedy::Gone,
        403 if terminating => Remedy::Gone,
        409 => Remedy::ReadAgain,
        // A test in the patch failed: the only 422 of a patch that names no cause.
        422 if causes.is_empty() => Remedy::ReadAgain,
        422 => Remedy::Retry(Reason::Invalid),
        401 => Remedy::Retry(Reason::Forbidden),
        403 if is_unauthorized(status) => Remedy::Retry(Reason::Forbidden),
        429 => Remedy::Retry(Reason::Throttled),
        400..=499 => Remedy::Retry(Reason::Refused),
        _ => Remedy::Retry(Reason::Failing),
    }
}

/// Whether an admission webhook or policy said no, in the words of the API server.
/// <https://github.com/kubernetes/apiserver/blob/v0.37.2/pkg/admission/plugin/webhook/errors/statuserror.go>
fn is_denied(status: &Status) -> bool {
    let policy =
        status.message.contains("ValidatingAdmissionPolicy") && status.message.contains(" denied request");
    policy || status.message.contains(" denied the request")
}

/// Whether it is the executor that may not, in the words of every authorizer; a quota's or a plugin's no is a 403 too.
/// <https://github.com/kubernetes/apiserver/blob/v0.37.2/pkg/endpoints/handlers/responsewriters/errors.go>
fn is_unauthorized(status: &Status) -> bool {
    status.message.contains("User \"") && status.message.contains(" cannot ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An answer of the API server, in the fields that it sends.
    fn says(status: serde_json::Value) -> Failure {
        Failure::Api(kube::Error::Api(serde_json::from_value::<Status>(status).unwrap().boxed()))
    }

    fn api(code: u16) -> Failure {
        says(json!({"code": code}))
    }

    fn message(code: u16, message: &str) -> Failure {
        says(json!({"code": code, "message": message}))
    }

    fn connection() -> Failure {
        Failure::Api(kube::Error::Service("connection reset by peer".into()))
    }

    #[test]
    fn every_failure_has_its_remedy() {
        let retry = Remedy::Retry;
        let cause =
            |code: u16, cause: serde_json::Value| says(json!({"code": code, "details": {"causes": [cause]}}));
        let unreadable = serde_json::from_str::<u8>("x").unwrap_err();
        let rbac = r#"deployments.apps "web" is forbidden: User "x" cannot patch resource "deployments" in API group "apps" in the namespace "shop""#;
        let policy = r#"deployments.apps "web" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"#;
        let webhook = r#"admission webhook "policy.example.com" denied the request: no"#;
        let quota = r#"deployments.apps "web" is forbidden: exceeded quota: small"#;
        for (what, failure, remedy, may_have_been_applied) in [
            ("gone", api(404), Remedy::Gone, false),
            ("expired", api(410), Remedy::Gone, false),
            (
                "the namespace is being deleted",
                cause(
                    403,
                    json!({"reason": "NamespaceTerminating", "message": "namespace shop is being terminated"}),
                ),
                Remedy::Gone,
                false,
            ),
            ("conflict", api(409), Remedy::ReadAgain, false),
            ("a test failed, or another object has the name", api(422), Remedy::ReadAgain, false),
            (
                "invalid",
                cause(422, json!({"reason": "FieldValueInvalid", "field": "spec.replicas"})),
                retry(Reason::Invalid),
                false,
            ),
            ("no token", api(401), retry(Reason::Forbidden), false),
            ("no right", message(403, rbac), retry(Reason::Forbidden), false),
            ("quota", message(403, quota), retry(Reason::Refused), false),
            ("a webhook", message(400, webhook), retry(Reason::Refused), false),
            ("a webhook with a code of its own", message(503, webhook), retry(Reason::Refused), false),
            (
                "a policy",
                says(json!({"code": 422, "message": policy, "details": {"causes": [{"message": policy}]}})),
                retry(Reason::Refused),
                false,
            ),
            ("bad request", api(400), retry(Reason::Refused), false),
            ("too large", api(413), retry(Reason::Refused), false),
            ("throttled", api(429), retry(Reason::Throttled), false),
            (
                "a webhook is away",
                message(500, r#"failed calling webhook "x""#),
                retry(Reason::Failing),
                true,
            ),
            ("unavailable", api(503), retry(Reason::Failing), true),
            ("a timeout after it was applied", api(504), retry(Reason::Failing), true),
            ("connection reset", connection(), retry(Reason::Unreachable), true),
            ("silence", Failure::NoAnswer(Duration::from_secs(5)), retry(Reason::Failing), true),
            ("no Deployment", Failure::Unreadable(unreadable), retry(Reason::Refused), true),
            ("slots", Failure::Slots(slots::Error::Closed), retry(Reason::Nats), false),
            ("no event", Failure::Publish(ops::publish::Error::Timeout), retry(Reason::Nats), false),
            ("too slow", Failure::Overrun(Duration::from_secs(10)), retry(Reason::Overrun), false),
            (
                "another version",
                Failure::Envelope(EnvelopeError::Specversion("2".into())),
                Remedy::GiveUp,
                false,
            ),
            ("no subject", Failure::Subject(SubjectError::NotAChange("x".into())), Remedy::GiveUp, false),
            ("a lie", Failure::Misaddressed, Remedy::GiveUp, false),
        ] {
            assert_eq!(failure.remedy(), remedy, "{what}");
            assert_eq!(failure.may_have_been_applied(), may_have_been_applied, "{what}");
            assert_eq!(matches!(failure.outcome(1), Outcome::Dead(_)), remedy == Remedy::GiveUp, "{what}");
        }
    }

    #[test]
    fn a_failure_says_all_of_its_causes_and_no_more_than_fits_into_a_message() {
        assert_eq!(
            connection().text(),
            "the API server did not do it: ServiceError: connection reset by peer"
        );
        assert_eq!(message(403, "exceeded quota").text(), "the API server said 403: exceeded quota");
        let novel = message(400, &"ä".repeat(LONGEST));
        assert!((LONGEST - 4..=LONGEST).contains(&novel.text().len()));
    }

    #[test]
    fn a_server_that_asks_for_patience_gets_it() {
        let busy = says(json!({"code": 429, "details": {"retryAfterSeconds": 70}}));
        let Outcome::Retry(pause, Reason::Throttled) = busy.outcome(1) else {
            panic!("a busy server is asked again");
        };
        assert_eq!(pause, Duration::from_secs(70));
    }
}
