//! The message of a dead letter: what was given up, why and after how many tries, with the message itself, so
//! that a person can judge it and put it back.

use serde::{Deserialize, Serialize};

use crate::{Change, envelope::Payload};

/// Largest text of an unreadable message that travels within a dead letter, in bytes of JSON.
/// NATS takes messages of 1 MiB by default.
pub const MAX_RAW: usize = 900 * 1024;

/// One message that was given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Name of the cluster.
    pub cluster: String,
    /// Namespace of the Deployment; [`DeadLetter::UNREADABLE`] where the message does not say.
    pub namespace: String,
    /// Name of the Deployment; the message's sequence where the message does not say.
    pub name: String,
    /// Subject that the message was on.
    pub subject: String,
    /// Its sequence in the stream of changes.
    pub sequence: u64,
    /// When the stream took it, in nanoseconds since 1970: with the sequence it is unique over streams.
    pub published: i128,
    /// How often it was tried.
    pub attempts: u64,
    /// What went wrong, with its causes.
    pub error: String,
    /// The change, where the message is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// The message as text, where it is no change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// Whether `raw` was cut at [`MAX_RAW`].
    #[serde(default)]
    pub truncated: bool,
}

impl Payload for DeadLetter {
    const TYPE: &'static str = "dev.roadstead.dead.v1";

    fn id(&self) -> String {
        format!("dead.{}.{}.{}", self.cluster, self.sequence, self.published)
    }

    fn cluster(&self) -> &str {
        &self.cluster
    }

    fn deployment(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}

impl DeadLetter {
    /// Stands for the namespace of a message that does not say which; no namespace can have this name.
    pub const UNREADABLE: &'static str = "_unreadable";

    /// Puts the message in as text; what is no UTF-8 is replaced, what does not fit is cut.
    #[must_use]
    pub fn with_raw(mut self, message: &[u8]) -> Self {
        let mut text = String::from_utf8_lossy(message).into_owned();
        let mut room = MAX_RAW;
        let fits = text.char_indices().find_map(|(at, letter)| {
            let length = length_in_json(letter);
            if length > room {
                return Some(at);
            }
            room -= length;
            None
        });
        if let Some(at) = fits {
            text.truncate(at);
            self.truncated = true;
        }
        self.raw = Some(text);
        self
    }
}

/// Bytes that a character takes in a JSON text as `serde_json` writes it.
fn length_in_json(letter: char) -> usize {
    match letter {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => letter.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::OffsetDateTime;

    use super::*;
    use crate::envelope::{open, seal};

    fn letter() -> DeadLetter {
        DeadLetter {
            cluster: "east".into(),
            namespace: DeadLetter::UNREADABLE.into(),
            name: "7".into(),
            subject: "roadstead.change.east.normal.1".into(),
            sequence: 7,
            published: 1_700_000_000_000_000_000,
            attempts: 1,
            error: "not a message of Roadstead".into(),
            change: None,
            raw: None,
            truncated: false,
        }
    }

    proptest! {
        #[test]
        fn the_length_in_json_is_what_is_written(letter in any::<char>()) {
            let written = serde_json::to_string(&letter).unwrap();
            prop_assert_eq!(length_in_json(letter), written.len() - 2);
        }
    }

    #[test]
    fn a_dead_letter_reads_back() {
        let letter = letter().with_raw(b"{\"half\": \xff");
        assert_eq!(letter.raw.as_deref(), Some("{\"half\": \u{fffd}"));
        let sealed = seal(&letter, OffsetDateTime::UNIX_EPOCH).unwrap();
        assert_eq!(open::<DeadLetter>(&sealed).unwrap(), letter);
    }

    #[test]
    fn the_worst_message_of_one_mebibyte_still_fits_into_a_message() {
        for byte in [b'a', b'"', 1, 0xff] {
            let letter = letter().with_raw(&vec![byte; 1024 * 1024]);
            assert!(letter.truncated);
            let sealed = seal(&letter, OffsetDateTime::UNIX_EPOCH).unwrap();
            assert!(sealed.len() < 1024 * 1024, "{}", sealed.len());
        }
    }
}
