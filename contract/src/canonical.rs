//! The canonical text of a pod template: JSON with keys sorted, null members dropped, and without the
//! `pod-template-hash` label. It is written while the template is parsed, because each review needs two of them.

use std::{borrow::Cow, fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
};

use crate::{Digest, key::POD_TEMPLATE_HASH};

/// A pod template as the text that its digest is taken of: two templates are the same where these are equal.
#[derive(Debug, PartialEq, Eq)]
pub struct Canonical(Vec<u8>);

impl Canonical {
    /// From the template's JSON text.
    ///
    /// # Errors
    /// As [`Digest::of_json`].
    pub fn of_json(template: &str) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(template);
        // The canonical text of compact JSON is longer by a comma for each object and array.
        let capacity = template.len() + template.len() / 8;
        // What the text lends has no escape in it, so that there is none to be written either.
        let canonical = Self::of(&mut deserializer, capacity, true)?;
        deserializer.end()?;
        Ok(canonical)
    }

    /// From the template (`spec.template` of a Deployment or ReplicaSet).
    ///
    /// # Errors
    /// None for a value that came from JSON text.
    pub fn of_value(template: &serde_json::Value) -> Result<Self, serde_json::Error> {
        Self::of(template, 4096, false)
    }

    /// The template's digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_bytes(&self.0)
    }

    fn of<'de, D: Deserializer<'de>>(
        template: D,
        capacity: usize,
        lends_plain: bool,
    ) -> Result<Self, D::Error> {
        let mut writer = Writer { out: Vec::with_capacity(capacity), lends_plain, ..Writer::default() };
        Tree { writer: &mut writer, place: Place::Template }.deserialize(template)?;
        Ok(Self(writer.out))
    }
}

/// Where in the template a tree stands: the one label left out is found by its place, not by its name.
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

/// Writes a tree while it is parsed, so that none is built: the members of an object are written as they come and
/// put in order at its end.
#[derive(Default)]
struct Writer<'de> {
    out: Vec<u8>,
    /// Members of the objects that are open, the innermost object's last.
    members: Vec<Member<'de>>,
    /// The members of one object while they are put in order.
    unordered: Vec<u8>,
    /// Whether a borrowed text needs no escape.
    lends_plain: bool,
}

/// A member that is written: its key and where it stands in the output; left out: nowhere.
struct Member<'de> {
    key: Cow<'de, str>,
    written: Range<usize>,
}

impl Writer<'_> {
    /// A text in quotes; only what would make two different trees look alike needs an escape.
    fn text(&mut self, text: &str) {
        self.out.push(b'"');
        if text.bytes().any(|byte| matches!(byte, b'"' | b'\\')) {
            for byte in text.bytes() {
                if matches!(byte, b'"' | b'\\') {
                    self.out.push(b'\\');
                }
                self.out.push(byte);
            }
        } else {
            self.out.extend_from_slice(text.as_bytes());
        }
        self.out.push(b'"');
    }

    /// The same of a borrowed text.
    fn borrowed(&mut self, text: &str) {
        if self.lends_plain {
            self.out.push(b'"');
            self.out.extend_from_slice(text.as_bytes());
            self.out.push(b'"');
        } else {
            self.text(text);
        }
    }

    fn display(&mut self, scalar: impl fmt::Display) {
        use std::io::Write as _;
        // Writing into memory does not fail.
        let _ = write!(self.out, "{scalar}");
    }

    /// Ends the object whose members begin at `first` in the list and at `begin` in the output.
    fn order(&mut self, first: usize, begin: usize) -> Result<(), RepeatedKey> {
        let members = &mut self.members[first..];
        if !members.is_sorted_by(|a, b| a.key < b.key) {
            members.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            if let Some(pair) = members.windows(2).find(|pair| pair[0].key == pair[1].key) {
                return Err(RepeatedKey(pair[0].key.clone().into_owned()));
            }
            self.unordered.clear();
            self.unordered.extend_from_slice(&self.out[begin..]);
            self.out.truncate(begin);
            for Member { written, .. } in members {
                self.out.extend_from_slice(&self.unordered[written.start - begin..written.end - begin]);
            }
        }
        self.members.truncate(first);
        Ok(())
    }
}

/// An object says something twice.
#[derive(Debug, thiserror::Error)]
#[error("the key {0:?} stands twice")]
struct RepeatedKey(String);

/// Parses one tree into the writer; gives whether it is anything but null.
struct Tree<'w, 'de> {
    writer: &'w mut Writer<'de>,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for Tree<'_, 'de> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_, 'de> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        self.writer.out.extend_from_slice(b"null");
        Ok(false)
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        self.writer.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(true)
    }

    fn visit_i64<E>(self, value: i64) -> Result<bool, E> {
        self.writer.display(value);
        Ok(true)
    }

    fn visit_u64<E>(self, value: u64) -> Result<bool, E> {
        self.writer.display(value);
        Ok(true)
    }

    fn visit_f64<E>(self, value: f64) -> Result<bool, E> {
        self.writer.display(value);
        Ok(true)
    }

    fn visit_str<E>(self, value: &str) -> Result<bool, E> {
        self.writer.text(value);
        Ok(true)
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<bool, E> {
        self.writer.borrowed(value);
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        let writer = self.writer;
        writer.out.push(b'[');
        while seq.next_element_seed(Tree { writer, place: Place::Elsewhere })?.is_some() {
            writer.out.push(b',');
        }
        writer.out.push(b']');
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let Self { writer, place } = self;
        writer.out.push(b'{');
        let (first, begin) = (writer.members.len(), writer.out.len());
        while let Some(MemberKey(key)) = map.next_key()? {
            let start = writer.out.len();
            match key {
                Cow::Borrowed(key) => writer.borrowed(key),
                Cow::Owned(ref key) => writer.text(key),
            }
            writer.out.push(b':');
            let is_there = map.next_value_seed(Tree { writer, place: place.of_member(&key) })?;
            if !is_there || (place == Place::Labels && key == POD_TEMPLATE_HASH) {
                writer.out.truncate(start);
            } else {
                writer.out.push(b',');
            }
            writer.members.push(Member { key, written: start..writer.out.len() });
        }
        writer.order(first, begin).map_err(A::Error::custom)?;
        writer.out.push(b'}');
        Ok(true)
    }
}

/// A member's key, borrowed where the text has no escape in it.
#[derive(Deserialize)]
#[serde(transparent)]
struct MemberKey<'a>(#[serde(borrow)] Cow<'a, str>);
