//! Signs what the authorization callout answers: it holds the key of one role, namespaces' users, and can make nobody
//! else.

use std::time::Duration;

use contract::access::Role;
use nkeys::KeyPair;

use super::callout::{Question, Verdict};
use super::{Claims, IdentityError, UserRequest, decode, encode, identity::user_claims};

/// Makes users of namespaces for whoever a server asks about. Not `Debug`: it holds keys.
pub struct Notary {
    /// Signs users of namespaces.
    pub(super) namespace: KeyPair,
    /// Signs answers.
    pub(super) callout: KeyPair,
    /// Account of the users.
    pub(super) account: String,
    /// Account of the answers.
    pub(super) callout_account: String,
    pub(super) cluster: String,
    pub(super) life: Duration,
}

impl Notary {
    /// Reads a server's question.
    ///
    /// # Errors
    /// What is no question, or not signed by a server.
    pub fn question(message: &[u8]) -> Result<Claims<Question>, IdentityError> {
        Ok(decode(&String::from_utf8_lossy(message))?)
    }

    /// The answer: a user for the ServiceAccount of this namespace and name, or why there is none.
    ///
    /// # Errors
    /// When the question names nobody whom an answer can be for.
    pub fn verdict(
        &self,
        question: &Claims<Question>,
        who: Result<(&str, &str), &str>,
    ) -> Result<String, IdentityError> {
        let asked = &question.nats.claims;
        let mut verdict =
            Verdict { issuer_account: Some(self.callout_account.clone()), ..Verdict::default() };
        match who.map_err(str::to_owned).and_then(|who| self.user(&asked.user_nkey, who)) {
            Ok(token) => verdict.jwt = token,
            Err(reason) => verdict.error = reason,
        }
        let mut claims = Claims::new(&asked.user_nkey, "", None, verdict);
        claims.aud = Some(asked.server_id.id.clone());
        Ok(encode(claims, &self.callout)?)
    }

    fn user(&self, key: &str, (namespace, name): (&str, &str)) -> Result<String, String> {
        let request = UserRequest {
            role: Role::Namespace,
            name: name.to_owned(),
            cluster: self.cluster.clone(),
            namespace: Some(namespace.to_owned()),
            life: Some(self.life),
        };
        let claims = user_claims(&request, key, self.account.clone()).map_err(|error| error.to_string())?;
        encode(claims, &self.namespace).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::super::callout::{Presented, Server};
    use super::super::claims::User;
    use super::*;

    fn notary() -> Notary {
        Notary {
            namespace: KeyPair::new_account(),
            callout: KeyPair::new_account(),
            account: KeyPair::new_account().public_key(),
            callout_account: KeyPair::new_account().public_key(),
            cluster: "east".into(),
            life: Duration::from_mins(10),
        }
    }

    fn question(user: &KeyPair) -> (String, Claims<Question>) {
        let server = KeyPair::new_server();
        let asked = Question {
            server_id: Server { id: server.public_key() },
            user_nkey: user.public_key(),
            connect_opts: Presented { auth_token: Some("a token".into()) },
        };
        let claims = Claims::new(&KeyPair::new_account().public_key(), "", None, asked);
        (server.public_key(), Notary::question(encode(claims, &server).unwrap().as_bytes()).unwrap())
    }

    #[test]
    fn the_answer_is_for_the_one_who_was_asked_about_and_the_server_that_asked() {
        let (notary, user) = (notary(), KeyPair::new_user());
        let (server, question) = question(&user);
        let answer: Claims<Verdict> =
            decode(&notary.verdict(&question, Ok(("shop", "deployer"))).unwrap()).unwrap();
        assert_eq!((answer.sub, answer.aud), (user.public_key(), Some(server)));
        let made: Claims<User> = decode(&answer.nats.claims.jwt).unwrap();
        assert_eq!((made.sub, made.iss), (user.public_key(), notary.namespace.public_key()));
        assert_eq!(made.nats.claims.tags, ["cluster:east", "namespace:shop"]);
    }

    #[test]
    fn a_name_that_would_widen_a_subject_is_answered_with_a_reason() {
        let (notary, user) = (notary(), KeyPair::new_user());
        let (_, question) = question(&user);
        for who in [("*", "a"), ("shop", "*"), ("shop", "a.b"), ("a\0b", "c"), ("", "")] {
            let answer: Claims<Verdict> = decode(&notary.verdict(&question, Ok(who)).unwrap()).unwrap();
            assert!(answer.nats.claims.jwt.is_empty() && !answer.nats.claims.error.is_empty(), "{who:?}");
        }
    }

    #[test]
    fn nobody_but_a_server_asks() {
        let user = KeyPair::new_user();
        let (_, question) = question(&user);
        assert!(encode(question, &KeyPair::new_account()).is_err());
        assert!(Notary::question(b"no question").is_err());
    }
}
