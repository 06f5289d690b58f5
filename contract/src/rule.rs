//! Which rule lets a change wait: what the queue, the events, the CLI and the metrics say of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of objects that rules come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PolicyKind {
    /// `ReleasePolicy`
    ReleasePolicy,
    /// `ClusterReleasePolicy`
    ClusterReleasePolicy,
    /// `Freeze`
    Freeze,
    /// `ClusterFreeze`
    ClusterFreeze,
}

impl PolicyKind {
    /// The kind, as in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReleasePolicy => "ReleasePolicy",
            Self::ClusterReleasePolicy => "ClusterReleasePolicy",
            Self::Freeze => "Freeze",
            Self::ClusterFreeze => "ClusterFreeze",
        }
    }
}

/// The object that a rule comes from; it reads as `ReleasePolicy shop/web` or `ClusterFreeze holidays`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRef {
    /// Its kind.
    pub kind: PolicyKind,
    /// Its namespace; `None` for the kinds of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind.as_str())?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}

/// The kinds of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// No allow window is open, or a freeze window is.
    Window,
    /// A `Freeze` or `ClusterFreeze` stands.
    Freeze,
    /// Approvals are missing.
    Approval,
    /// The last release of the same Deployment is too recent.
    Interval,
    /// A Deployment that comes first has not succeeded yet.
    After,
    /// Every slot of the policy is taken.
    Slots,
    /// The queue of the policy is paused after a failure.
    Paused,
    /// A validation denies it, now that its turn has come.
    Validation,
    /// The policy itself cannot be read.
    Invalid,
}

impl Rule {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Window,
        Self::Freeze,
        Self::Approval,
        Self::Interval,
        Self::After,
        Self::Slots,
        Self::Paused,
        Self::Validation,
        Self::Invalid,
    ];

    /// The word in metrics and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Freeze => "freeze",
            Self::Approval => "approval",
            Self::Interval => "interval",
            Self::After => "after",
            Self::Slots => "slots",
            Self::Paused => "paused",
            Self::Validation => "validation",
            Self::Invalid => "invalid",
        }
    }
}

/// One rule that lets a change wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Obstacle {
    /// The object that the rule comes from.
    pub policy: PolicyRef,
    /// The kind of rule.
    pub rule: Rule,
    /// Until when it lasts at least, in RFC 3339; absent: until somebody or something else happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The whole story in a sentence without a final stop: what is waited for, and what to do about it.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_messages() {
        for rule in Rule::ALL {
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.as_str());
        }
        let policy = |kind, namespace: Option<&str>| {
            PolicyRef { kind, namespace: namespace.map(str::to_owned), name: "web".into() }.to_string()
        };
        assert_eq!(policy(PolicyKind::ReleasePolicy, Some("shop")), "ReleasePolicy shop/web");
        assert_eq!(policy(PolicyKind::ClusterFreeze, None), "ClusterFreeze web");
    }
}
