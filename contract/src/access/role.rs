//! The roles: whose credentials they are, and which account they live in.

use std::{fmt, str::FromStr};

use super::{Access, Names, subjects};

/// What somebody is to NATS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// The webhook workload: fills the queue.
    Webhook,
    /// The executor: works it off.
    Executor,
    /// A person who runs Roadstead: sees all of a cluster, commands every namespace, removes nothing.
    Operator,
    /// People who look at the history with `kubectl roadstead`: sees what happened in a cluster, and no template.
    Reader,
    /// A user of one namespace: sees and commands it.
    Namespace,
    /// Tells servers who somebody is that presents the token of a ServiceAccount.
    Callout,
    /// Presents such a token: by this alone it may do nothing.
    Guest,
    /// Brings new claims of the accounts to the servers.
    Certs,
    /// Reads the servers' figures.
    Metrics,
    /// Deletes Roadstead's streams when it goes for good.
    Uninstall,
}

/// The accounts: subjects of one are not seen in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// The account of changes, events and commands.
    Roadstead,
    /// The account of the authorization callout, and of those that it is asked about.
    Callout,
    /// The account of the servers themselves.
    System,
}

impl Account {
    /// Every account.
    pub const ALL: [Self; 3] = [Self::Roadstead, Self::Callout, Self::System];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Roadstead => "ROADSTEAD",
            Self::Callout => "CALLOUT",
            Self::System => "SYS",
        }
    }
}

/// Why a text is no role.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} is no role: write webhook, executor, operator, reader, namespace, callout, guest, certs, metrics or uninstall"
)]
pub struct InvalidRole(String);

impl Role {
    /// Every role.
    pub const ALL: [Self; 10] = [
        Self::Webhook,
        Self::Executor,
        Self::Operator,
        Self::Reader,
        Self::Namespace,
        Self::Callout,
        Self::Guest,
        Self::Certs,
        Self::Metrics,
        Self::Uninstall,
    ];

    /// The word for it in file names, tokens and the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Executor => "executor",
            Self::Operator => "operator",
            Self::Reader => "reader",
            Self::Namespace => "namespace",
            Self::Callout => "callout",
            Self::Guest => "guest",
            Self::Certs => "certs",
            Self::Metrics => "metrics",
            Self::Uninstall => "uninstall",
        }
    }

    /// Where its users live.
    #[must_use]
    pub const fn account(self) -> Account {
        match self {
            Self::Webhook
            | Self::Executor
            | Self::Operator
            | Self::Reader
            | Self::Namespace
            | Self::Uninstall => Account::Roadstead,
            Self::Callout | Self::Guest => Account::Callout,
            Self::Certs | Self::Metrics => Account::System,
        }
    }

    /// Whether one user of it is enough for a cluster: a workload, or whoever Kubernetes lets read its Secret. The
    /// others are people, who are many.
    #[must_use]
    pub const fn is_component(self) -> bool {
        !matches!(self, Self::Operator | Self::Namespace)
    }

    /// What its users may do.
    #[must_use]
    pub fn access(self, names: &Names<'_>) -> Access {
        subjects::of(self, names)
    }

    /// Where its answers arrive, without what tells one request from another: nobody else may subscribe that.
    #[must_use]
    pub fn inbox_prefix(self, names: &Names<'_>) -> String {
        let Names { cluster, namespace, user } = names;
        match self {
            Self::Webhook | Self::Executor | Self::Reader | Self::Uninstall => {
                format!("_INBOX_{self}.{cluster}")
            }
            Self::Operator => format!("_INBOX_{self}.{cluster}.{user}"),
            Self::Namespace => format!("_INBOX_{self}.{cluster}.{namespace}.{user}"),
            Self::Callout | Self::Guest | Self::Certs | Self::Metrics => format!("_INBOX_{self}"),
        }
    }

    /// Everything under [`Role::inbox_prefix`].
    #[must_use]
    pub fn inbox(self, names: &Names<'_>) -> String {
        format!("{}.>", self.inbox_prefix(names))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| InvalidRole(text.chars().take(40).collect()))
    }
}
