//! What can go wrong with a change, and what is done about it. Nothing else in the executor looks at an error to
//! decide.

use std::time::Duration;

use async_nats::jetstream::stream::LastRawMessageError;
use contract::{envelope::EnvelopeError, subject::SubjectError};
use ops::chain;

use crate::{
    outcome::{Outcome, Reason},
    slots,
};

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
            Self::Api(kube::Error::Api(status)) => match status.code {
                404 | 410 => Remedy::Gone,
                // 422: a test in the patch failed.
                409 | 422 => Remedy::ReadAgain,
                401 | 403 => Remedy::Retry(Reason::Forbidden),
                429 => Remedy::Retry(Reason::Throttled),
                400..=499 => Remedy::Retry(Reason::Refused),
                _ => Remedy::Retry(Reason::Unreachable),
            },
            Self::Api(_) | Self::NoAnswer(_) => Remedy::Retry(Reason::Unreachable),
            Self::Unreadable(_) => Remedy::Retry(Reason::Refused),
            Self::Slots(_) | Self::Publish(_) | Self::LookUp(_) => Remedy::Retry(Reason::Nats),
            Self::Envelope(_) | Self::Subject(_) | Self::Misaddressed => Remedy::GiveUp,
        }
    }

    /// Whether a write may have been done all the same.
    #[must_use]
    pub fn may_have_been_applied(&self) -> bool {
        match self {
            Self::Api(kube::Error::Api(status)) => status.code >= 500,
            Self::Api(_) | Self::NoAnswer(_) | Self::Unreadable(_) => true,
            _ => false,
        }
    }

    /// What becomes of the message, after that many deliveries.
    #[must_use]
    pub fn outcome(&self, delivered: u64) -> Outcome {
        match self.remedy() {
            Remedy::Gone | Remedy::ReadAgain => Reason::Conflict.retry(delivered),
            Remedy::Retry(reason) => {
                Outcome::Retry(reason.pause(delivered).max(self.asked_to_wait()), reason)
            }
            Remedy::GiveUp => Outcome::Dead(chain(self)),
        }
    }

    /// `Retry-After`, as the API server repeats it in its answer.
    fn asked_to_wait(&self) -> Duration {
        let seconds = match self {
            Self::Api(kube::Error::Api(status)) => {
                status.details.as_ref().map(|details| details.retry_after_seconds)
            }
            _ => None,
        };
        Duration::from_secs(seconds.unwrap_or_default().into())
    }
}

#[cfg(test)]
mod tests {
    use kube::core::{Status, response::StatusDetails};

    use super::*;

    fn api(code: u16) -> Failure {
        Failure::Api(kube::Error::Api(Status { code, ..Status::default() }.boxed()))
    }

    fn connection() -> Failure {
        Failure::Api(kube::Error::Service("connection reset by peer".into()))
    }

    #[test]
    fn every_failure_has_its_remedy() {
        let no_answer = || Failure::NoAnswer(Duration::from_secs(5));
        for (failure, remedy, may_have_been_applied) in [
            (api(404), Remedy::Gone, false),
            (api(410), Remedy::Gone, false),
            (api(409), Remedy::ReadAgain, false),
            (api(422), Remedy::ReadAgain, false),
            (api(401), Remedy::Retry(Reason::Forbidden), false),
            (api(403), Remedy::Retry(Reason::Forbidden), false),
            (api(400), Remedy::Retry(Reason::Refused), false),
            (api(413), Remedy::Retry(Reason::Refused), false),
            (api(429), Remedy::Retry(Reason::Throttled), false),
            (api(500), Remedy::Retry(Reason::Unreachable), true),
            (api(503), Remedy::Retry(Reason::Unreachable), true),
            (api(504), Remedy::Retry(Reason::Unreachable), true),
            (connection(), Remedy::Retry(Reason::Unreachable), true),
            (no_answer(), Remedy::Retry(Reason::Unreachable), true),
            (Failure::Slots(slots::Error::Closed), Remedy::Retry(Reason::Nats), false),
            (Failure::Publish(ops::publish::Error::Timeout), Remedy::Retry(Reason::Nats), false),
            (Failure::Envelope(EnvelopeError::Specversion("2".into())), Remedy::GiveUp, false),
            (Failure::Subject(SubjectError::NotAChange("x".into())), Remedy::GiveUp, false),
            (Failure::Misaddressed, Remedy::GiveUp, false),
        ] {
            assert_eq!(failure.remedy(), remedy, "{failure:?}");
            assert_eq!(failure.may_have_been_applied(), may_have_been_applied, "{failure:?}");
            assert_eq!(matches!(failure.outcome(1), Outcome::Dead(_)), remedy == Remedy::GiveUp);
        }
    }

    #[test]
    fn a_server_that_asks_for_patience_gets_it() {
        let details: StatusDetails =
            serde_json::from_value(serde_json::json!({"retryAfterSeconds": 70})).unwrap();
        let busy = Status { code: 429, details: Some(details), ..Status::default() };
        let Outcome::Retry(pause, Reason::Throttled) =
            Failure::Api(kube::Error::Api(busy.boxed())).outcome(1)
        else {
            panic!("a busy server is asked again");
        };
        assert_eq!(pause, Duration::from_secs(70));
    }
}
