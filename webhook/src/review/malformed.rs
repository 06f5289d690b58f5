//! What is wrong with a review, told to its sender: the field and the problem, in one line.

use serde::Deserialize;
use serde_path_to_error::Track;

use crate::object::members;

/// Longest text that a sender is told of a problem, in characters: what he sent may be part of it.
const PROBLEM: usize = 300;

/// Why a review cannot be answered: the sender gets 400 and this text.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// The body is not the JSON of an AdmissionReview.
    #[error("not an AdmissionReview: {0}")]
    Json(String),
    /// Another kind or version.
    #[error("{kind} of {api_version} is not supported: send AdmissionReview of admission.k8s.io/v1")]
    Kind {
        /// `apiVersion` of the body.
        api_version: String,
        /// `kind` of the body.
        kind: String,
    },
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field has a value that it cannot have.
    #[error("{field}: {problem}")]
    Field {
        /// Its path in the review.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A field cannot be read.
    #[error("{path}: {problem}")]
    Unreadable {
        /// Its path in the review.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Malformed {
    /// With a path and a problem that a stranger may have chosen.
    pub(super) fn unreadable(path: &str, problem: &str) -> Self {
        Self::Unreadable { path: printable(path, PROBLEM), problem: printable(problem, PROBLEM) }
    }
}

/// Reads a text that holds an object and nothing else.
pub(super) fn from_object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = members(&mut deserializer)?;
    deserializer.end().map(|()| value)
}

/// Where it is that the text cannot be read. To keep the way to each field costs time, so that it is done only after
/// the reading failed.
pub(super) fn unreadable<'a, T: Deserialize<'a>>(text: &'a str, error: serde_json::Error) -> Malformed {
    let (mut deserializer, mut track) = (serde_json::Deserializer::from_str(text), Track::new());
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let (path, problem) = match members::<T, _>(tracked) {
        Err(error) => (track.path().to_string(), error),
        // The text is whole and something follows it.
        Ok(_) => (String::new(), error),
    };
    match path.as_str() {
        "" | "." => Malformed::Json(printable(&problem.to_string(), PROBLEM)),
        path => Malformed::unreadable(path, &problem.to_string()),
    }
}

/// A text that a stranger chose, fit for one line of a log.
pub(super) fn printable(text: &str, most: usize) -> String {
    text.chars().take(most).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
