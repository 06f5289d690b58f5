//! What becomes of a Deployment whose rollout fails: its owner says so by annotation.

use std::str::FromStr;

/// The word of [`crate::key::ON_FAILURE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It stays as it is; somebody looks after it.
    #[default]
    Keep,
    /// The template whose rollout last succeeded is restored, and the failed one is quarantined.
    Rollback,
}

/// Why a text is no such word.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is nothing to do on failure: write Rollback or Keep")]
pub struct InvalidOnFailure(String);

impl OnFailure {
    /// What is done, from the annotation's value. A word that means nothing counts as not written (the webhook
    /// refuses it when it is new).
    #[must_use]
    pub fn resolve(annotation: Option<&str>) -> Self {
        annotation.and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}

impl FromStr for OnFailure {
    type Err = InvalidOnFailure;

    fn from_str(text: &str) -> Result<Self, InvalidOnFailure> {
        match text {
            "Keep" => Ok(Self::Keep),
            "Rollback" => Ok(Self::Rollback),
            _ => Err(InvalidOnFailure(text.chars().take(40).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_plainly_is_not_done() {
        for (text, done) in [
            (None, OnFailure::Keep),
            (Some("Keep"), OnFailure::Keep),
            (Some("Rollback"), OnFailure::Rollback),
            (Some("rollback"), OnFailure::Keep),
            (Some(""), OnFailure::Keep),
        ] {
            assert_eq!(OnFailure::resolve(text), done, "{text:?}");
        }
    }
}
