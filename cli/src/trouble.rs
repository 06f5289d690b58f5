//! What went wrong with one request of many, and whether it is worth another try. One file decides that for every verb
//! that writes.

use std::time::Duration;

use crate::failure::innermost;

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(15);
/// Rights that were given a moment ago, as those of a hook are, may take so long to count.
pub const GRANTED: Duration = Duration::from_secs(3);

/// What went wrong with one request.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The API server refused, or could not be reached.
    #[error("{}", words(.0))]
    Api(#[source] kube::Error),
    /// The API server was silent.
    #[error("the API server did not answer within {} s", ANSWER.as_secs())]
    NoAnswer,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// There is no such object.
    Gone,
    /// The same again, after a pause.
    Again,
    /// A few tries may still help; many do not.
    Refused,
}

impl Trouble {
    /// What is done about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Api(kube::Error::Api(status)) => match status.code {
                404 => Remedy::Gone,
                // A conflict, too many requests, a server or a webhook that is away.
                409 | 429 | 500.. => Remedy::Again,
                // A failed test of a JSON Patch is a 422 as an invalid object is.
                _ => Remedy::Refused,
            },
            Self::Api(kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_))
            | Self::NoAnswer => Remedy::Again,
            Self::Api(_) => Remedy::Refused,
        }
    }

    /// Whether the user may not do it.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.has_code(403)
    }

    /// Whether a list cannot go on where its last page ended.
    #[must_use]
    pub fn is_too_old(&self) -> bool {
        self.has_code(410)
    }

    /// Whether the API server answered with this code.
    #[must_use]
    pub fn has_code(&self, code: u16) -> bool {
        matches!(self, Self::Api(kube::Error::Api(status)) if status.code == code)
    }
}

/// A request, within the limit of time.
///
/// # Errors
/// Whatever went wrong.
pub async fn within<T>(asked: impl Future<Output = kube::Result<T>>) -> Result<T, Trouble> {
    match tokio::time::timeout(ANSWER, asked).await {
        Ok(answer) => answer.map_err(Trouble::Api),
        Err(_) => Err(Trouble::NoAnswer),
    }
}

/// On one line: what others say goes to a terminal and into lists.
fn words(error: &kube::Error) -> String {
    let text = match error {
        kube::Error::Api(status) => format!("the API server says: {}", status.message),
        error => format!("no answer of the API server: {}", innermost(error)),
    };
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn api(code: u16) -> Trouble {
        let status = Status { code, message: "because\nof\x1b[2J".into(), ..Status::default() };
        Trouble::Api(kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn what_may_heal_is_tried_again_and_what_is_not_there_is_gone() {
        for (code, remedy) in [
            (404, Remedy::Gone),
            (409, Remedy::Again),
            (410, Remedy::Refused),
            (429, Remedy::Again),
            (500, Remedy::Again),
            (503, Remedy::Again),
            (400, Remedy::Refused),
            (401, Remedy::Refused),
            (403, Remedy::Refused),
            (422, Remedy::Refused),
        ] {
            assert_eq!(api(code).remedy(), remedy, "{code}");
        }
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        assert_eq!(Trouble::Api(kube::Error::Service(Box::new(refused))).remedy(), Remedy::Again);
        assert_eq!(Trouble::NoAnswer.remedy(), Remedy::Again);
    }

    #[test]
    fn what_others_say_stays_on_its_line() {
        assert_eq!(api(403).to_string(), "the API server says: because of [2J");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_not_waited_for_for_ever() {
        let silent = within::<()>(std::future::pending()).await;
        assert!(matches!(silent, Err(Trouble::NoAnswer)));
    }
}
