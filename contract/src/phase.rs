//! Where a change stands. Three phases are a label on the Deployment; all are the last token of an event's
//! subject.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where a change stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It waits; the gate is closed.
    Held,
    /// It was let through and rolls out.
    Released,
    /// Its rollout reached its end.
    Succeeded,
    /// Its rollout did not reach its end in time.
    Failed,
    /// A newer change of the same Deployment took its place while it waited or rolled out.
    Superseded,
    /// The Deployment went back to what runs before the change was let through, or is gone.
    Cancelled,
    /// It failed, and the last good template was restored.
    RolledBack,
    /// It could not be let through; given up.
    Dead,
}

/// Why a text is no phase.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no phase (held, released, succeeded, failed, superseded, cancelled, rolledback, dead)")]
pub struct InvalidPhase(String);

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 8] = [
        Self::Held,
        Self::Released,
        Self::Succeeded,
        Self::Failed,
        Self::Superseded,
        Self::Cancelled,
        Self::RolledBack,
        Self::Dead,
    ];

    /// The word used in labels, subjects, metrics and the CLI.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Released => "released",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
            Self::RolledBack => "rolledback",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Phase {
    type Err = InvalidPhase;

    fn from_str(text: &str) -> Result<Self, InvalidPhase> {
        let found = Self::ALL.into_iter().find(|phase| phase.as_str() == text);
        found.ok_or_else(|| InvalidPhase(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_reads_back_and_is_the_same_word_in_json() {
        for phase in Phase::ALL {
            assert_eq!(phase.as_str().parse(), Ok(phase));
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.as_str());
        }
    }
}
