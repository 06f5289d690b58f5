//! Lanes: which queue a change waits in. A user asks for one by annotation; the policies and the namespace
//! give the default, and the namespace the right to be urgent.

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
    /// [`crate::key::LANE`] of the Deployment and of its Namespace, `policies` the lane that the policies gave the change
    /// when it was held ([`crate::Key::DefaultLane`]), `urgent` the Namespace's annotation [`crate::key::URGENT`]. A word
    /// that is no lane counts as not written (the webhook refuses it when it is new); urgent without the namespace's
    /// leave is normal, whoever asks.
    #[must_use]
    pub fn resolve(
        deployment: Option<&str>,
        policies: Option<Self>,
        default: Option<&str>,
        urgent: Option<&str>,
    ) -> Self {
        let read = |text: Option<&str>| text.and_then(|text| text.parse().ok());
        match read(deployment).or(policies).or_else(|| read(default)) {
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
    fn the_deployment_speaks_first_then_the_policies_then_the_namespace_then_normal() {
        for (deployment, policies, default, urgent, lane) in [
            (None, None, None, None, Lane::Normal),
            (Some("bulk"), None, None, None, Lane::Bulk),
            (Some("bulk"), None, Some("normal"), None, Lane::Bulk),
            (None, None, Some("bulk"), None, Lane::Bulk),
            (Some("fastest"), None, Some("bulk"), None, Lane::Bulk),
            (Some("urgent"), None, None, Some("allowed"), Lane::Urgent),
            (Some("urgent"), None, None, None, Lane::Normal),
            (Some("urgent"), None, None, Some("true"), Lane::Normal),
            (None, None, Some("urgent"), Some("allowed"), Lane::Urgent),
            (None, Some(Lane::Bulk), None, None, Lane::Bulk),
            (None, Some(Lane::Bulk), Some("normal"), None, Lane::Bulk),
            (Some("normal"), Some(Lane::Bulk), None, None, Lane::Normal),
            (Some("fastest"), Some(Lane::Bulk), None, None, Lane::Bulk),
            (None, Some(Lane::Urgent), None, Some("allowed"), Lane::Urgent),
            (None, Some(Lane::Urgent), Some("bulk"), None, Lane::Normal),
        ] {
            assert_eq!(
                Lane::resolve(deployment, policies, default, urgent),
                lane,
                "{deployment:?} {policies:?} {default:?} {urgent:?}"
            );
        }
    }
}
