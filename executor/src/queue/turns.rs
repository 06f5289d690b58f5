//! Whose turn it is: within a lane the namespaces in turn, within a namespace first in first out. The queue delivers
//! by shard, which several namespaces may share: where the turn is another's, that one's change is let through
//! instead of the one that was delivered.

use std::ops::Bound::{Excluded, Unbounded};

use contract::{Lane, subject::SHARDS};

use super::{
    entry::Stand,
    index::{Index, Name, slot},
};

/// What is done with a message that was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It is worked on.
    Own,
    /// This Deployment's change, of that namespace and name, comes before it.
    Instead(Name, Name),
}

/// What became of a change that was in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It was let through, or will never be: its watch tells more.
    Over,
    /// There was no slot for it, or another one came before it: it keeps its place.
    PutBack,
    /// Its own message brings it on.
    Aside,
}

/// Which shards of a lane may be pulled from now.
pub type Shards = [bool; SHARDS as usize];

impl Index {
    /// The namespace whose turn it is in a lane, of those whose shard may be pulled from, and its shard. Shards of
    /// which nothing is known here come first, and name nobody: what is new there is not known yet, and what is old
    /// takes no slot.
    pub fn next(&mut self, lane: Lane, may: &Shards, is_next: &mut u16) -> Option<(Option<Name>, u16)> {
        let turns = &mut self.turns[slot(lane)];
        for step in 0..SHARDS {
            let shard = (*is_next + step) % SHARDS;
            if may[usize::from(shard)] && turns.shards[usize::from(shard)] == 0 {
                *is_next = (shard + 1) % SHARDS;
                return Some((None, shard));
            }
        }
        let spaces = &self.spaces;
        let shard =
            |name: &Name| spaces.get(name).map(|space| space.shard).filter(|shard| may[usize::from(*shard)]);
        turns.owed.retain(|name| turns.busy.contains(name));
        if let Some(at) = turns.owed.iter().position(|name| shard(name).is_some()) {
            let name = turns.owed.remove(at);
            let shard = shard(&name)?;
            return Some((Some(name), shard));
        }
        let last = turns.last.clone();
        let after = last.as_ref().map(|last| turns.busy.range((Excluded(Name::clone(last)), Unbounded)));
        let from_start = turns.busy.iter();
        let found = after
            .into_iter()
            .flatten()
            .chain(from_start)
            .find_map(|name| Some((Name::clone(name), shard(name)?)));
        let (name, shard) = found?;
        turns.last = Some(Name::clone(&name));
        Some((Some(name), shard))
    }

    /// What is done with a message that was delivered: `turn` is whose turn it was when it was asked for. Whatever is
    /// chosen is in hand until [`Index::settle`].
    pub fn choose(
        &mut self,
        lane: Lane,
        turn: Option<&Name>,
        (namespace, name): (&str, &str),
        sequence: u64,
    ) -> Choice {
        let waits = self.spaces.get(namespace).and_then(|space| space.entries.get(name));
        let waits = waits.is_some_and(|entry| entry.held.lane == Some(lane) && entry.place == sequence);
        if !waits {
            // An old message, and it takes no slot.
            if let Some(turn) = turn {
                self.turns[slot(lane)].owed.push(Name::clone(turn));
            }
            return Choice::Own;
        }
        let turn = turn.map_or(namespace, |turn| turn);
        let first = self.first(turn, lane).or_else(|| self.first(namespace, lane));
        let instead = first.filter(|(first, place, put_back)| {
            // Within one namespace the queue keeps the order itself, but for what was put back.
            *first.0 != *namespace || (*put_back && *place < sequence)
        });
        if let Some(((space, first), ..)) = instead {
            self.change(&space, &first, |entry| entry.stand = Stand::InHand);
            self.change(namespace, name, |entry| entry.put_back = true);
            return Choice::Instead(space, first);
        }
        self.change(namespace, name, |entry| (entry.stand, entry.put_back) = (Stand::InHand, false));
        Choice::Own
    }

    /// A change that was in hand is not any more.
    pub fn settle(&mut self, namespace: &str, name: &str, after: After) {
        self.change(namespace, name, |entry| match after {
            After::Over => {}
            After::PutBack if entry.stand == Stand::InHand => {
                (entry.stand, entry.put_back) = (Stand::InLine, true)
            }
            After::Aside if entry.stand == Stand::InHand => entry.stand = Stand::Aside,
            After::PutBack | After::Aside => {}
        });
    }

    /// The first of a namespace that waits for its turn, its place, and whether its message was put back here.
    fn first(&self, namespace: &str, lane: Lane) -> Option<((Name, Name), u64, bool)> {
        let (key, space) = self.spaces.get_key_value(namespace)?;
        let (place, name) = space.lines[slot(lane)].ready.first()?;
        Some(((Name::clone(key), Name::clone(name)), *place, space.entries[name].put_back))
    }
}
