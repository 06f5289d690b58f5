//! One change that waits, in as few bytes as it takes: there may be a hundred thousand of them.

use async_nats::{Message, header::NATS_MESSAGE_ID};
use contract::{ChangeId, Lane, PolicyRef, Rule};

use super::index::UNPLACED;
use crate::live::UnixMillis;

/// A held change as its Deployment tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Id of the change.
    pub change: ChangeId,
    /// Which attempt of it.
    pub attempt: u32,
    /// The lane that its owner asks for.
    pub asked: Option<Lane>,
    /// The lane that it waits in; `None` where its namespace is not served.
    pub lane: Option<Lane>,
    /// Changes with what a rule may look at: the labels, who approved, who ordered the release.
    pub says: u64,
}

/// The message of a change on the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Id of the change.
    pub change: ChangeId,
    /// Which attempt of it.
    pub attempt: u32,
    /// The lane that it was queued in.
    pub lane: Lane,
    /// Its sequence in the stream.
    pub sequence: u64,
    /// When the stream took it.
    pub published: UnixMillis,
}

/// Why a change waits though its turn has come before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Id of the change.
    pub change: ChangeId,
    /// How often it failed so far.
    pub tries: u32,
    /// Why it failed the last time.
    pub last_error: String,
    /// When it is tried again.
    pub next_try: Option<UnixMillis>,
    /// The rules that let it wait, the one that lasts longest first; none where something failed.
    pub rules: Box<[(PolicyRef, Rule)]>,
    /// When the last of them ends; `None`: nobody knows.
    pub until: Option<UnixMillis>,
}

/// How a change stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// It waits for its turn.
    InLine,
    /// It is being let through by this process, or was.
    InHand,
    /// Its own message brings it on, in its own time.
    Aside,
}

/// One change that waits.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) held: Held,
    /// Its place in the line of its namespace: the sequence of its message, or one behind every sequence.
    pub(super) place: u64,
    /// Since when it waits: when the stream took its message, or when it was first seen here.
    pub(super) since: UnixMillis,
    pub(super) stand: Stand,
    /// Whether its message was in hand here and was put back: it comes again, but others may come first.
    pub(super) put_back: bool,
    pub(super) trouble: Option<Box<Trouble>>,
    /// Whether a rule that it waits for may have ended, so that it is to be looked at.
    pub(super) ripe: bool,
    /// The reading of the second looks that told of its trouble last.
    pub(super) wakes: u32,
    /// Whether nothing seemed to bring it on when that was looked for last.
    pub(super) suspect: bool,
    /// Which watch told of it, and in which of its lists.
    pub(super) source: (u32, u32),
    /// The reading of the stream that told of its place last.
    pub(super) reading: u32,
}

impl Entry {
    /// Whether its message was seen.
    pub(super) fn is_placed(&self) -> bool {
        self.place < UNPLACED
    }

    /// The rules that it waits for.
    pub(super) fn rules(&self) -> &[(PolicyRef, Rule)] {
        self.trouble.as_ref().map_or(&[], |trouble| &trouble.rules)
    }

    /// When the rules end that it waits for, until it is ripe.
    pub(super) fn due(&self) -> Option<UnixMillis> {
        if self.ripe { None } else { self.trouble.as_ref()?.until }
    }

    /// It is to be looked at. When its rules end is known anew after that.
    pub(super) fn ripen(&mut self) {
        self.ripe = true;
        if let Some(trouble) = &mut self.trouble {
            trouble.until = None;
        }
    }

    /// Whether it is to be looked at, and nobody does yet.
    pub(super) fn is_ripe(&self) -> bool {
        self.ripe && self.stand == Stand::Aside
    }
}

impl Queued {
    /// From the headers of a message of the queue; `None` where it is none of ours.
    pub(crate) fn read(message: &Message, lane: Lane, sequence: u64, published: UnixMillis) -> Option<Self> {
        let id = message.headers.as_ref()?.get(NATS_MESSAGE_ID)?;
        let (change, attempt) = read_id(id.as_str())?;
        Some(Self { change, attempt, lane, sequence, published })
    }
}

/// Change and attempt in the id of a message of the queue.
fn read_id(id: &str) -> Option<(ChangeId, u32)> {
    let mut parts = id.rsplit('.');
    let (attempt, _lane, change) = (parts.next()?, parts.next()?, parts.next()?);
    Some((change.parse().ok()?, attempt.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_message_says_which_attempt_of_which_change_it_is() {
        assert_eq!(read_id("8f.1-2.abcdefghij.urgent.3"), Some(("abcdefghij".parse().unwrap(), 3)));
        for id in ["", "abcdefghij.urgent", "u.abcdefghij.urgent.x", "u.UPPER.urgent.1"] {
            assert_eq!(read_id(id), None, "{id}");
        }
    }
}
