//! The digest of a pod template: SHA-256 over its canonical JSON (keys sorted, null members dropped, no
//! `pod-template-hash` label). Equal for every order and encoding in which a client sent the template,
//! because the API server re-encodes it; different for any change of it.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use sha2::{Digest as _, Sha256};

use crate::key::POD_TEMPLATE_HASH;

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
    /// Text that is no JSON object, is nested deeper than 128 levels, or repeats a key.
    pub fn of_json(template: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<Node<'_>>(template).map(|node| Self::of_node(&node))
    }

    /// Digest of a pod template (`spec.template` of a Deployment or ReplicaSet).
    ///
    /// # Errors
    /// None for a value that came from JSON text.
    pub fn of_value(template: &serde_json::Value) -> Result<Self, serde_json::Error> {
        Node::deserialize(template).map(|node| Self::of_node(&node))
    }

    fn of_node(template: &Node<'_>) -> Self {
        let mut canonical = Vec::with_capacity(4096);
        template.write(&mut canonical, Place::Template);
        Self(data_encoding::HEXLOWER.encode(&Sha256::digest(&canonical)))
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

/// Where in the template a node stands: the one label left out is found by its place, not by its name.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Template,
    Metadata,
    Labels,
    Elsewhere,
}

impl Place {
    fn of_member(self, key: &str) -> Self {
        match (self, key) {
            (Self::Template, "metadata") => Self::Metadata,
            (Self::Metadata, "labels") => Self::Labels,
            _ => Self::Elsewhere,
        }
    }
}

/// A JSON tree with sorted members, borrowing from the text where it can.
enum Node<'a> {
    Null,
    Scalar(Scalar<'a>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

enum Scalar<'a> {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(Cow<'a, str>),
}

impl Node<'_> {
    fn write(&self, out: &mut Vec<u8>, place: Place) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Scalar(scalar) => scalar.write(out),
            Self::Array(items) => {
                out.push(b'[');
                for item in items {
                    item.write(out, Place::Elsewhere);
                    out.push(b',');
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (key, value) in members {
                    let left_out = place == Place::Labels && key == POD_TEMPLATE_HASH;
                    if left_out || matches!(value, Self::Null) {
                        continue;
                    }
                    write_text(out, key);
                    out.push(b':');
                    value.write(out, place.of_member(key));
                    out.push(b',');
                }
                out.push(b'}');
            }
        }
    }
}

impl Scalar<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Self::Signed(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Unsigned(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Float(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Text(value) => write_text(out, value),
        }
    }
}

/// A text in quotes; only what would make two different trees look alike needs an escape.
fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Scalar(Scalar::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Scalar(Scalar::Signed(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::Scalar(Scalar::Unsigned(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Scalar(Scalar::Float(value)))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Scalar(Scalar::Text(Cow::Borrowed(value))))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node<'de>, E> {
        Ok(Node::Scalar(Scalar::Text(Cow::Owned(value.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut members: Vec<(Cow<'de, str>, Node<'de>)> = Vec::new();
        while let Some((MemberKey(key), value)) = map.next_entry()? {
            members.push((key, value));
        }
        members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        if let Some(pair) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(A::Error::custom(format_args!("the key {:?} stands twice", pair[0].0)));
        }
        Ok(Node::Object(members))
    }
}

/// A member's key, borrowed where the text has no escape in it.
#[derive(Deserialize)]
#[serde(transparent)]
struct MemberKey<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

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
