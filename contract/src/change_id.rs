//! The id of a change. It follows from the request alone, so that the API server may ask again, dry-run and
//! retry and always gets the same answer.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de::Error as _};
use sha2::{Digest as _, Sha256};

use crate::Digest;

/// Characters in an id that we make: 60 bits, short enough to say aloud. Ids of 10 to 32 are read.
const LENGTH: usize = 12;

/// Id of one submitted pod template of one Deployment: lower-case base32 (RFC 4648), 10 to 32 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct ChangeId(String);

/// Why a text is no change id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a change id is 10 to 32 characters of a-z and 2-7, not {0:?}")]
pub struct InvalidChangeId(String);

/// The object that a change replaces.
#[derive(Clone, Copy, Debug)]
pub struct Replaced<'a> {
    /// `metadata.uid` of the stored Deployment.
    pub uid: &'a str,
    /// `metadata.generation` of the stored Deployment.
    pub generation: i64,
}

impl ChangeId {
    /// The id of a change of `namespace`/`name` to the template of `digest`; `replaced` is `None` on CREATE.
    #[must_use]
    pub fn derive(namespace: &str, name: &str, digest: &Digest, replaced: Option<Replaced<'_>>) -> Self {
        let mut hash = Sha256::new();
        let (uid, generation) = replaced.map_or(("", 0), |old| (old.uid, old.generation));
        for part in [namespace, name, digest.as_str(), uid, &generation.to_string()] {
            // The length first: no two lists of parts run together into the same bytes.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut id = data_encoding::BASE32_NOPAD.encode(&hash.finalize()[..8]).to_ascii_lowercase();
        id.truncate(LENGTH);
        Self(id)
    }

    /// The id's characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ChangeId {
    type Err = InvalidChangeId;

    fn from_str(text: &str) -> Result<Self, InvalidChangeId> {
        let base32 = |byte: u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte);
        if (10..=32).contains(&text.len()) && text.bytes().all(base32) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidChangeId(text.chars().take(40).collect()))
        }
    }
}

impl<'de> Deserialize<'de> for ChangeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(image: &str) -> Digest {
        Digest::of_value(&json!({"image": image})).unwrap()
    }

    #[test]
    fn the_same_request_has_the_same_id_and_every_part_of_it_counts() {
        let replaced = Replaced { uid: "u", generation: 4 };
        let id = ChangeId::derive("shop", "web", &digest("a"), Some(replaced));
        assert_eq!(id, ChangeId::derive("shop", "web", &digest("a"), Some(replaced)));
        for other in [
            ChangeId::derive("shop2", "web", &digest("a"), Some(replaced)),
            ChangeId::derive("shop", "web2", &digest("a"), Some(replaced)),
            ChangeId::derive("shopw", "eb", &digest("a"), Some(replaced)),
            ChangeId::derive("shop", "web", &digest("b"), Some(replaced)),
            ChangeId::derive("shop", "web", &digest("a"), Some(Replaced { uid: "v", generation: 4 })),
            ChangeId::derive("shop", "web", &digest("a"), Some(Replaced { uid: "u", generation: 5 })),
            ChangeId::derive("shop", "web", &digest("a"), None),
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn a_derived_id_reads_back() {
        let id = ChangeId::derive("shop", "web", &digest("a"), None);
        assert_eq!(id.as_str().len(), LENGTH);
        assert_eq!(id.as_str().parse(), Ok(id));
    }

    #[test]
    fn what_is_not_base32_is_no_id() {
        for text in ["", "short", "ABCDEFGHIJ", "abcdefghi1", "abcdefghi*", &"a".repeat(33)] {
            assert!(text.parse::<ChangeId>().is_err(), "{text}");
        }
    }
}
