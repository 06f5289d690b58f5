//! Subjects: how a change, an event and a dead letter are addressed on NATS, and read back. Every token is
//! encoded, because names are chosen by users: a dot, a star or a `>` in one must not widen the subject.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::{Lane, Phase};

/// Shards of the queue. A namespace always falls into the same one; one consumer a lane and shard, pulled in
/// turn, keeps a busy namespace from starving the others.
pub const SHARDS: u16 = 32;

/// Longest name that is encoded, in bytes: names of Kubernetes end at 253. A longer subject makes the server
/// drop the connection.
const MAX_NAME: usize = 253;

/// Why a subject cannot be made or read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SubjectError {
    /// The name does not fit into a subject.
    #[error("{what} is {length} bytes long; a subject takes 1 to {MAX_NAME}")]
    Length {
        /// Which name.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
    },
    /// The subject is not one of ours.
    #[error("{0:?} is no subject of a change")]
    NotAChange(String),
}

/// The shard of a namespace, below [`SHARDS`].
#[must_use]
pub fn shard(namespace: &str) -> u16 {
    let hash = Sha256::digest(namespace);
    u16::from_be_bytes([hash[0], hash[1]]) % SHARDS
}

/// One name as one token of a subject: ASCII letters, digits, `-` and `_` as they are, every other byte as
/// `=` and two hexadecimal digits.
fn token(what: &'static str, name: &str) -> Result<String, SubjectError> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(SubjectError::Length { what, length: name.len() });
    }
    let mut token = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            token.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(token, "={byte:02x}");
        }
    }
    Ok(token)
}

/// The name in a token, `None` where it was not made by [`token`].
fn name(token: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'=' {
            let (code, tail) = tail.split_at_checked(2)?;
            bytes.extend(data_encoding::HEXLOWER.decode(code).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    (self::token("a name", &name).as_deref() == Ok(token)).then_some(name)
}

/// The subject of a change on the queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChangeSubject {
    /// Name of the cluster.
    pub cluster: String,
    /// Queue.
    pub lane: Lane,
    /// Namespace of the Deployment.
    pub namespace: String,
    /// Name of the Deployment.
    pub name: String,
}

impl ChangeSubject {
    /// `roadstead.change.<cluster>.<lane>.<shard>.<namespace>.<name>`
    ///
    /// # Errors
    /// A name that is empty or too long for a subject.
    pub fn encode(&self) -> Result<String, SubjectError> {
        let cluster = token("the cluster's name", &self.cluster)?;
        let namespace = token("the namespace", &self.namespace)?;
        let name = token("the Deployment's name", &self.name)?;
        Ok(format!("roadstead.change.{cluster}.{}.{}.{namespace}.{name}", self.lane, shard(&self.namespace)))
    }

    /// Reads a subject back; a shard that is not the namespace's is refused.
    ///
    /// # Errors
    /// A subject that [`ChangeSubject::encode`] does not make.
    pub fn parse(subject: &str) -> Result<Self, SubjectError> {
        Self::read(subject).ok_or_else(|| SubjectError::NotAChange(subject.chars().take(200).collect()))
    }

    fn read(subject: &str) -> Option<Self> {
        let tokens: Vec<_> = subject.split('.').collect();
        let ["roadstead", "change", cluster, lane, shard, namespace, deployment] = tokens[..] else {
            return None;
        };
        let found = Self {
            cluster: name(cluster)?,
            lane: lane.parse().ok()?,
            namespace: name(namespace)?,
            name: name(deployment)?,
        };
        (self::shard(&found.namespace).to_string() == shard).then_some(found)
    }
}

/// Filter of the consumer of one lane and shard.
///
/// # Errors
/// A cluster name that does not fit into a subject.
pub fn change_filter(cluster: &str, lane: Lane, shard: u16) -> Result<String, SubjectError> {
    Ok(format!("roadstead.change.{}.{lane}.{shard}.>", token("the cluster's name", cluster)?))
}

/// Every change of a cluster.
///
/// # Errors
/// A cluster name that does not fit into a subject.
pub fn all_changes(cluster: &str) -> Result<String, SubjectError> {
    Ok(format!("roadstead.change.{}.>", token("the cluster's name", cluster)?))
}

/// `roadstead.event.<cluster>.<namespace>.<name>.<phase>`
///
/// # Errors
/// A name that is empty or too long for a subject.
pub fn event(cluster: &str, namespace: &str, name: &str, phase: Phase) -> Result<String, SubjectError> {
    Ok(format!("roadstead.event.{}.{phase}", deployment(cluster, namespace, name)?))
}

/// `roadstead.dead.<cluster>.<namespace>.<name>`
///
/// # Errors
/// A name that is empty or too long for a subject.
pub fn dead(cluster: &str, namespace: &str, name: &str) -> Result<String, SubjectError> {
    Ok(format!("roadstead.dead.{}", deployment(cluster, namespace, name)?))
}

fn deployment(cluster: &str, namespace: &str, name: &str) -> Result<String, SubjectError> {
    Ok(format!(
        "{}.{}.{}",
        token("the cluster's name", cluster)?,
        token("the namespace", namespace)?,
        token("the Deployment's name", name)?
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subject(namespace: &str, name: &str) -> ChangeSubject {
        ChangeSubject {
            cluster: "east".into(),
            lane: Lane::Normal,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    proptest! {
        #[test]
        fn a_subject_reads_back_whatever_the_names_are(namespace in ".{1,40}", name in ".{1,40}") {
            let subject = subject(&namespace, &name);
            let encoded = subject.encode().unwrap();
            prop_assert_eq!(ChangeSubject::parse(&encoded), Ok(subject));
        }

        #[test]
        fn a_subject_has_seven_tokens_that_the_server_takes_as_they_are(namespace in ".{1,40}", name in ".{1,40}") {
            let encoded = subject(&namespace, &name).encode().unwrap();
            prop_assert_eq!(encoded.split('.').count(), 7);
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic() && !b"*>".contains(&byte)));
        }

        #[test]
        fn a_text_is_read_only_where_it_is_what_encoding_makes(text in "roadstead\\.change\\.[a-z=.*>0-9]{0,40}") {
            if let Ok(subject) = ChangeSubject::parse(&text) {
                prop_assert_eq!(subject.encode().unwrap(), text);
            }
        }
    }

    #[test]
    fn a_dot_in_a_name_stays_within_its_token() {
        assert_eq!(
            subject("shop", "web.v2").encode().unwrap(),
            format!("roadstead.change.east.normal.{}.shop.web=2ev2", shard("shop"))
        );
        assert_eq!(
            event("east", "shop", "web.v2", Phase::Held).unwrap(),
            "roadstead.event.east.shop.web=2ev2.held"
        );
        assert_eq!(dead("east", "a.b", "web").unwrap(), "roadstead.dead.east.a=2eb.web");
    }

    #[test]
    fn names_that_do_not_fit_are_errors_that_say_which() {
        let error = subject("shop", &"n".repeat(254)).encode().unwrap_err();
        assert_eq!(error.to_string(), "the Deployment's name is 254 bytes long; a subject takes 1 to 253");
        assert!(subject("", "web").encode().is_err());
    }

    #[test]
    fn what_is_not_ours_is_not_read() {
        let shop = shard("shop");
        for text in [
            String::new(),
            "roadstead.change.east.normal.1".into(),
            format!("roadstead.change.east.slow.{shop}.shop.web"),
            format!("roadstead.change.east.normal.{}.shop.web", (shop + 1) % SHARDS),
            format!("roadstead.change.east.normal.{shop}.shop.web.more"),
            format!("roadstead.change.east.normal.{shop}.shop.web=2"),
            format!("roadstead.change.east.normal.{shop}.shop.web=77"),
            format!("roadstead.change.east.normal.{shop}.shop.web=2E"),
        ] {
            assert!(ChangeSubject::parse(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn namespaces_spread_over_the_shards() {
        let mut used: Vec<_> = (0..1_000).map(|n| shard(&format!("team-{n}"))).collect();
        used.sort_unstable();
        used.dedup();
        assert_eq!(used.len(), usize::from(SHARDS));
    }
}
