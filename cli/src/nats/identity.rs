//! Who credentials say that one is: what the token of a user of NATS tells of itself. Read, and not proved: that is for
//! the server. It decides where answers may arrive, and what is worth asking for.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use contract::access::{Names, Role};
use serde::Deserialize;

/// A user of NATS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What it is.
    pub role: Role,
    /// Name of its cluster.
    pub cluster: Option<String>,
    /// The one namespace that it sees.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    name: String,
    nats: Body,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    tags: Vec<String>,
}

impl Identity {
    /// Somebody whom a server knows without a token of ours: taken for a person who runs Roadstead.
    #[must_use]
    pub fn person(name: &str) -> Self {
        Self { role: Role::Operator, cluster: None, namespace: None, name: name.to_owned() }
    }

    /// Whose credentials these are; `None` where they are none.
    #[must_use]
    pub fn of(creds: &str) -> Option<Self> {
        let (token, _) = contract::creds::read(creds)?;
        let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        let Claims { name, nats } = serde_json::from_slice(&claims).ok()?;
        let tag = |key: &str| {
            let values = nats.tags.iter().filter_map(|tag| tag.split_once(':'));
            values.filter(|(found, _)| *found == key).map(|(_, value)| value.to_owned()).next()
        };
        let (cluster, namespace) = (tag("cluster"), tag("namespace"));
        // Users of components are called as their roles are.
        let component = name.parse::<Role>().ok().filter(|role| role.is_component());
        let role = if namespace.is_some() { Role::Namespace } else { component.unwrap_or(Role::Operator) };
        Some(Self { role, cluster, namespace, name })
    }

    /// Where its answers arrive.
    #[must_use]
    pub fn inbox(&self, cluster: &str) -> String {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        self.role.inbox_prefix(&Names { cluster, namespace, user: &self.name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn creds(claims: &str) -> String {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(claims);
        contract::creds::write(&format!("e30.{claims}.c2ln"), "SUAEXAMPLE")
    }

    #[test]
    fn a_token_says_who_one_is() {
        for (claims, role, inbox) in [
            (
                r#"{"name":"jane","nats":{"tags":["cluster:east"]}}"#,
                Role::Operator,
                "_INBOX_operator.east.jane",
            ),
            (
                r#"{"name":"jane","nats":{"tags":["cluster:east","namespace:shop"]}}"#,
                Role::Namespace,
                "_INBOX_namespace.east.shop.jane",
            ),
            (r#"{"name":"reader","nats":{"tags":["cluster:east"]}}"#, Role::Reader, "_INBOX_reader.east"),
        ] {
            let identity = Identity::of(&creds(claims)).unwrap();
            assert_eq!((identity.role, identity.inbox("east").as_str()), (role, inbox));
            assert_eq!(identity.cluster.as_deref(), Some("east"));
        }
    }

    #[test]
    fn what_is_no_token_is_nobody() {
        for text in ["", "x", &creds("{}"), &creds("[")] {
            assert_eq!(Identity::of(text), None, "{text}");
        }
    }
}
