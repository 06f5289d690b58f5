//! The digest of a pod template: SHA-256 over its canonical JSON (keys sorted, null members dropped, no
//! `pod-template-hash` label). Equal for every order and encoding in which a client sent the template,
//! because the API server re-encodes it; different for any change of it.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, de::Error as _};
use sha2::{Digest as _, Sha256};

use crate::Canonical;

/// SHA-256 of a pod template, 64 characters of lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Digest(String);

/// Why a text is no digest.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a digest is 64 characters of lower-case hexadecimal, not {0:?}")]
pub struct InvalidDigest(String);

impl Digest {
    /// Digest of a pod template from its JSON text.
    ///
    /// # Errors
    /// Text that is no JSON, is nested deeper than 128 levels, or repeats a key.
    pub fn of_json(template: &str) -> Result<Self, serde_json::Error> {
        Canonical::of_json(template).map(|canonical| canonical.digest())
    }

    /// Digest of a pod template (`spec.template` of a Deployment or ReplicaSet).
    ///
    /// # Errors
    /// None for a value that came from JSON text.
    pub fn of_value(template: &serde_json::Value) -> Result<Self, serde_json::Error> {
        Canonical::of_value(template).map(|canonical| canonical.digest())
    }

    pub(crate) fn of_bytes(canonical: &[u8]) -> Self {
        Self(data_encoding::HEXLOWER.encode(&Sha256::digest(canonical)))
    }

    /// The 64 hexadecimal characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 64 && text.bytes().all(hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidDigest(text.chars().take(80).collect()))
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::key::POD_TEMPLATE_HASH;

    fn digest(value: &Value) -> Digest {
        Digest::of_value(value).unwrap()
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z\"\\\\,:{}]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-z\"\\\\:]{0,3}", inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// The same tree as JSON text with every object's members in reverse order.
    fn reversed(value: &Value) -> String {
        match value {
            Value::Array(items) => {
                format!("[{}]", items.iter().map(reversed).collect::<Vec<_>>().join(" , "))
            }
            Value::Object(members) => {
                let mut texts: Vec<_> = members
                    .iter()
                    .map(|(key, value)| format!("{} : {}", json!(key), reversed(value)))
                    .collect();
                texts.reverse();
                format!("{{{}}}", texts.join(","))
            }
            scalar => scalar.to_string(),
        }
    }

    proptest! {
        #[test]
        fn the_order_of_members_and_the_way_to_parse_do_not_matter(tree in tree()) {
            prop_assert_eq!(Digest::of_json(&reversed(&tree)).unwrap(), digest(&tree));
        }

        #[test]
        fn different_templates_have_different_digests(a in tree(), b in tree()) {
            prop_assert_eq!(digest(&a) == digest(&b), a == b);
        }
    }

    #[test]
    fn the_digest_is_pinned_because_it_is_stored_on_objects() {
        let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}});
        assert_eq!(
            digest(&template).as_str(),
            data_encoding::HEXLOWER.encode(&Sha256::digest(
                br#"{"metadata":{"labels":{"app":"web",},},"spec":{"containers":[{"image":"nginx:1","name":"c",},],},}"#
            ))
        );
    }

    #[test]
    fn the_label_that_the_controller_adds_is_left_out_there_and_nowhere_else() {
        let plain = json!({"metadata": {"labels": {"app": "web"}}});
        let stamped = json!({"metadata": {"labels": {"app": "web", POD_TEMPLATE_HASH: "abc"}}});
        assert_eq!(digest(&plain), digest(&stamped));
        let annotated =
            json!({"metadata": {"labels": {"app": "web"}, "annotations": {POD_TEMPLATE_HASH: "abc"}}});
        assert_ne!(digest(&plain), digest(&annotated));
    }

    #[test]
    fn a_null_member_is_an_absent_one() {
        assert_eq!(
            digest(&json!({"metadata": {"creationTimestamp": null}})),
            digest(&json!({"metadata": {}}))
        );
    }

    #[test]
    fn a_repeated_key_is_refused() {
        let error = Digest::of_json(r#"{"spec":{"a":1,"a":2}}"#).unwrap_err();
        assert!(error.to_string().contains("\"a\" stands twice"), "{error}");
    }

    #[test]
    fn a_tree_nested_too_deep_is_an_error_not_a_crash() {
        assert!(Digest::of_json(&format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))).is_err());
    }

    #[test]
    fn only_64_lower_case_hexadecimal_characters_are_a_digest() {
        assert!("ab".repeat(32).parse::<Digest>().is_ok());
        for text in ["", "ab", &"AB".repeat(32), &"zz".repeat(32)] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
