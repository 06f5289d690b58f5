//! What operator, account and user tokens say, and those of the authorization callout. In limits 0 means none and -1
//! unlimited, so every one of them is written.
//! <https://github.com/nats-io/jwt>

use std::collections::BTreeMap;

use nkeys::KeyPairType;
use serde::{Deserialize, Serialize};

use super::jwt::Kind;

/// As many as one likes.
pub const UNLIMITED: i64 = -1;

/// The operator: it signs accounts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Operator {
    /// Keys that may sign accounts in its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signing_keys: Vec<String>,
    /// The account of the servers themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_account: Option<String>,
    /// Whether its own key may not sign accounts, only its signing keys.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict_signing_key_usage: bool,
}

/// An account: subjects of its own, which nobody else sees.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// What it may use.
    pub limits: AccountLimits,
    /// Keys that may sign users in its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signing_keys: Vec<SigningKey>,
    /// Public keys of users, and the time up to which their tokens are void; `*`: everybody's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub revocations: BTreeMap<String, i64>,
    /// What a user of it may do whose token says nothing.
    #[serde(default)]
    pub default_permissions: Permissions,
    /// Who decides about users that present something else than a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Authorization>,
}

/// What an account may use. <https://docs.nats.io/running-a-nats-service/nats_admin/jetstream_admin/account>
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountLimits {
    /// Subscriptions.
    pub subs: i64,
    /// Bytes.
    pub data: i64,
    /// Bytes of one message.
    pub payload: i64,
    /// Imported subjects.
    pub imports: i64,
    /// Exported subjects.
    pub exports: i64,
    /// Whether exports may have wildcards.
    pub wildcards: bool,
    /// Connections.
    pub conn: i64,
    /// Leaf connections.
    pub leaf: i64,
    /// Bytes of streams in memory; 0 for all of `JetStream`'s: none.
    pub mem_storage: i64,
    /// Bytes of streams on disk.
    pub disk_storage: i64,
    /// Streams.
    pub streams: i64,
    /// Consumers.
    pub consumer: i64,
}

impl Default for AccountLimits {
    fn default() -> Self {
        Self {
            subs: UNLIMITED,
            data: UNLIMITED,
            payload: UNLIMITED,
            imports: UNLIMITED,
            exports: UNLIMITED,
            wildcards: true,
            conn: UNLIMITED,
            leaf: UNLIMITED,
            mem_storage: 0,
            disk_storage: 0,
            streams: 0,
            consumer: 0,
        }
    }
}

impl AccountLimits {
    /// With streams, as many as one likes.
    #[must_use]
    pub fn with_streams(self) -> Self {
        Self {
            mem_storage: UNLIMITED,
            disk_storage: UNLIMITED,
            streams: UNLIMITED,
            consumer: UNLIMITED,
            ..self
        }
    }
}

/// A key that may sign users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SigningKey {
    /// Its users say themselves what they may.
    Plain(String),
    /// Its users may what the key's template says, and nothing else, whatever their tokens say.
    Scoped(Box<Scope>),
}

/// A role: a signing key, and what the users may that it signs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    kind: ScopeKind,
    /// Public key.
    pub key: String,
    /// Name of the role.
    pub role: String,
    /// What its users may.
    pub template: UserLimits,
    /// A sentence for people.
    #[serde(default)]
    pub description: String,
}

/// The only kind of scope that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ScopeKind {
    UserScope,
}

impl Scope {
    /// Users signed by this key may this.
    #[must_use]
    pub fn new(key: String, role: &str, template: UserLimits) -> Self {
        Self { kind: ScopeKind::UserScope, key, role: role.to_owned(), template, description: String::new() }
    }
}

/// Who decides about users that present something else than a token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Authorization {
    /// Users that answer for it, and are not asked about themselves.
    pub auth_users: Vec<String>,
    /// Accounts that it may put a user into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_accounts: Vec<String>,
    /// Key that requests are encrypted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xkey: Option<String>,
}

/// Subjects that are allowed, and those of them that are not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Subjects {
    /// Allowed; empty: every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Denied, also where allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

/// Answers to whoever asked, on the subject that he named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Responses {
    /// So many to each request.
    pub max: i64,
    /// For so many nanoseconds.
    pub ttl: i64,
}

/// What somebody may do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Permissions {
    /// Publish.
    #[serde(default, rename = "pub")]
    pub publish: Subjects,
    /// Subscribe.
    #[serde(default, rename = "sub")]
    pub subscribe: Subjects,
    /// Answer.
    #[serde(default, rename = "resp", skip_serializing_if = "Option::is_none")]
    pub responses: Option<Responses>,
}

/// What a user may do and use. Under a scoped key all of it is to be absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UserLimits {
    /// Subjects.
    #[serde(flatten)]
    pub permissions: Permissions,
    /// Subscriptions; 0: not written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub subs: i64,
    /// Bytes; 0: not written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub data: i64,
    /// Bytes of one message; 0: not written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub payload: i64,
    /// Ways of connecting, such as `STANDARD`; empty: every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_connection_types: Vec<String>,
}

impl UserLimits {
    /// These permissions, and nothing else is limited.
    #[must_use]
    pub fn only(permissions: Permissions) -> Self {
        Self {
            permissions,
            subs: UNLIMITED,
            data: UNLIMITED,
            payload: UNLIMITED,
            allowed_connection_types: Vec::new(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// A user: somebody who connects. The default carries nothing of its own, as a user of a scoped key has to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// What it may, unless its signing key says.
    #[serde(flatten)]
    pub limits: UserLimits,
    /// The account's public key, where one of its signing keys signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_account: Option<String>,
    /// Words that a scoped key's template may use as `{{tag(…)}}`, each `name:value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl Kind for Operator {
    const TYPE: &'static str = "operator";
    const ISSUER: KeyPairType = KeyPairType::Operator;
    const SUBJECT: KeyPairType = KeyPairType::Operator;
}

impl Kind for Account {
    const TYPE: &'static str = "account";
    const ISSUER: KeyPairType = KeyPairType::Operator;
    const SUBJECT: KeyPairType = KeyPairType::Account;
}

impl Kind for User {
    const TYPE: &'static str = "user";
    const ISSUER: KeyPairType = KeyPairType::Account;
    const SUBJECT: KeyPairType = KeyPairType::User;
}
