//! Lanes: which queue a change waits in. A user asks for one by annotation; the namespace gives the default
//! and the right to be urgent.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The queue that a change waits in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Before everything else; only where the namespace allows it.
    Urgent,
    /// The default.
    #[default]
    Normal,
    /// After everything else.
    Bulk,
}

/// Why a text is no lane.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no lane: write urgent, normal or bulk")]
pub struct InvalidLane(String);

impl Lane {
    /// Every lane, the one that is served first in front.
    pub const ALL: [Self; 3] = [Self::Urgent, Self::Normal, Self::Bulk];

    /// The word used in annotations, subjects, metrics and the CLI.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Normal => "normal",
            Self::Bulk => "bulk",
        }
    }

    /// The lane of a change from what was asked for: `deployment` and `default` are the annotation
    /// [`crate::key::LANE`] of the Deployment and of its Namespace, `urgent` the Namespace's annotation
    /// [`crate::key::URGENT`]. A word that is no lane counts as not written (the webhook refuses it when it
    /// is new); urgent without the namespace's leave is normal.
    #[must_use]
    pub fn resolve(deployment: Option<&str>, default: Option<&str>, urgent: Option<&str>) -> Self {
        let asked = [deployment, default].into_iter().flatten().find_map(|text| text.parse().ok());
        match asked {
            Some(Self::Urgent) if urgent != Some("allowed") => Self::Normal,
            lane => lane.unwrap_or_default(),
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Lane {
    type Err = InvalidLane;

    fn from_str(text: &str) -> Result<Self, InvalidLane> {
        let found = Self::ALL.into_iter().find(|lane| lane.as_str() == text);
        found.ok_or_else(|| InvalidLane(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deployment_speaks_first_then_the_namespace_then_normal() {
        for (deployment, default, urgent, lane) in [
            (None, None, None, Lane::Normal),
            (Some("bulk"), None, None, Lane::Bulk),
            (Some("bulk"), Some("normal"), None, Lane::Bulk),
            (None, Some("bulk"), None, Lane::Bulk),
            (Some("fastest"), Some("bulk"), None, Lane::Bulk),
            (Some("urgent"), None, Some("allowed"), Lane::Urgent),
            (Some("urgent"), None, None, Lane::Normal),
            (Some("urgent"), None, Some("true"), Lane::Normal),
            (None, Some("urgent"), Some("allowed"), Lane::Urgent),
        ] {
            assert_eq!(
                Lane::resolve(deployment, default, urgent),
                lane,
                "{deployment:?} {default:?} {urgent:?}"
            );
        }
    }
}
