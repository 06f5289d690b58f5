//! What a server asks the authorization callout, and what that answers.
//! <https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_callout>

use nkeys::KeyPairType;
use serde::{Deserialize, Serialize};

use super::jwt::Kind;

/// A server asks about somebody who connects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The server.
    pub server_id: Server,
    /// Public key that the answer's user has to have: an answer is good for one question.
    pub user_nkey: String,
    /// What the client presents.
    pub connect_opts: Presented,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// Its public key.
    pub id: String,
}

/// What a client presents.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Presented {
    /// A token: here that of a ServiceAccount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_token: Option<String>,
}

impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.auth_token.is_some() { "a token" } else { "nothing" })
    }
}

/// The answer: a user's token, or why there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Token of the user that the client is from now on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub jwt: String,
    /// Why not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// The account whose signing key signs the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_account: Option<String>,
}

impl Kind for Question {
    const TYPE: &'static str = "authorization_request";
    const ISSUER: KeyPairType = KeyPairType::Server;
    const SUBJECT: KeyPairType = KeyPairType::Account;
}

impl Kind for Verdict {
    const TYPE: &'static str = "authorization_response";
    const ISSUER: KeyPairType = KeyPairType::Account;
    const SUBJECT: KeyPairType = KeyPairType::User;
}
