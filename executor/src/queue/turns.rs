//! Whose turn it is: within a lane the namespaces in turn, within a namespace first in first out. The queue delivers
//! by shard, which several namespaces may share: where the turn is another's, that one's change is let through
//! instead of the one that was delivered.

use contract::{Lane, subject::SHARDS};

use super::{
    entry::{Held, Queued, Stand, Trouble},
    index::Index,
    space::{Name, slot},
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
    /// It is to be looked at as soon as there is a slot.
    Ripe,
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
        let found = turns.busy.iter().find_map(|(_, _, name)| {
            let shard = spaces.get(name)?.shard;
            may[usize::from(shard)].then(|| (Name::clone(name), shard))
        });
        let (name, shard) = found?;
        turns.asked[usize::from(shard)].push_back(Name::clone(&name));
        self.had_turn(&name, lane);
        Some((Some(name), shard))
    }

    /// There was no message for a turn.
    pub fn unused(&mut self, lane: Lane, shard: u16, turn: &Name) {
        self.redeem(lane, shard, turn);
    }

    /// What is done with a message that was delivered; `turn`: whose turn it was when it was asked for. Whatever is
    /// chosen is in hand until [`Index::settle`].
    pub fn choose(
        &mut self,
        (lane, shard): (Lane, u16),
        turn: Option<&Name>,
        (namespace, name): (&str, &str),
        sequence: u64,
    ) -> Choice {
        // Answers may overtake each other: a message serves the turn of its own namespace first.
        let own = self.spaces.get_key_value(namespace).map(|(key, _)| Name::clone(key));
        let asked = |turn: &Name| {
            let asked = &self.turns[slot(lane)].asked[usize::from(shard)];
            own.as_ref().filter(|own| asked.contains(own)).unwrap_or(turn).clone()
        };
        let turn = turn.map(asked).and_then(|turn| self.redeem(lane, shard, &turn));
        let entry = self.spaces.get(namespace).and_then(|space| space.entries.get(name));
        let waits = entry.is_some_and(|entry| {
            (entry.held.lane, entry.place) == (Some(lane), sequence) && entry.stand != Stand::InHand
        });
        if !waits {
            // An old message, and it takes no slot.
            if let Some(turn) = turn {
                self.give_back_turn(&turn, lane);
            }
            return Choice::Own;
        }
        let turn = turn.as_deref().unwrap_or(namespace);
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
        self.change(namespace, name, |entry| {
            (entry.stand, entry.put_back, entry.ripe) = (Stand::InHand, false, false);
        });
        Choice::Own
    }

    /// Takes a turn off those that messages are asked for, or another one of the shard, if an answer that overtook
    /// this one took it.
    fn redeem(&mut self, lane: Lane, shard: u16, turn: &Name) -> Option<Name> {
        let asked = &mut self.turns[slot(lane)].asked[usize::from(shard)];
        match asked.iter().position(|name| name == turn) {
            Some(at) => asked.remove(at),
            None => asked.pop_front(),
        }
    }

    /// Whether a message is of a change that was let through here in place of another: it was told of, too.
    pub fn is_done(&mut self, queued: &Queued) -> bool {
        let done = self.done.get(&queued.sequence);
        let is_done =
            done.is_some_and(|(change, attempt)| (change, *attempt) == (&queued.change, queued.attempt));
        is_done && self.done.remove(&queued.sequence).is_some()
    }

    /// The message of a change that waits, where it was seen.
    #[must_use]
    pub fn message_of(&self, namespace: &str, name: &str) -> Option<Queued> {
        let entry = self.spaces.get(namespace)?.entries.get(name).filter(|entry| entry.is_placed())?;
        let Held { change, attempt, lane, .. } = entry.held.clone();
        Some(Queued { change, attempt, lane: lane?, sequence: entry.place, published: entry.since })
    }

    /// Why a change waits, as far as is known here.
    #[must_use]
    pub fn trouble_of(&self, namespace: &str, name: &str) -> Option<Trouble> {
        self.spaces.get(namespace)?.entries.get(name)?.trouble.as_deref().cloned()
    }

    /// A change was let through in place of another, and it was told of: its message has nothing left to do.
    pub fn done(&mut self, Queued { change, attempt, sequence, .. }: Queued) {
        self.done.insert(sequence, (change, attempt));
    }

    /// A message that was not chosen is worked on all the same: what was chosen instead was nothing.
    pub fn reconsider(&mut self, namespace: &str, name: &str, sequence: u64) {
        self.change(namespace, name, |entry| {
            if entry.place == sequence {
                (entry.stand, entry.put_back, entry.ripe) = (Stand::InHand, false, false);
            }
        });
    }

    /// A change that was in hand is not any more.
    pub fn settle(&mut self, namespace: &str, name: &str, after: After) {
        self.change(namespace, name, |entry| {
            if entry.stand != Stand::InHand {
                return;
            }
            match after {
                After::Over => {}
                After::PutBack => (entry.stand, entry.put_back) = (Stand::InLine, true),
                After::Aside => entry.stand = Stand::Aside,
                After::Ripe => (entry.stand, entry.ripe) = (Stand::Aside, true),
            }
        });
    }

    /// The first of a namespace that waits for its turn, its place, and whether its message was put back here.
    fn first(&self, namespace: &str, lane: Lane) -> Option<((Name, Name), u64, bool)> {
        let (key, space) = self.spaces.get_key_value(namespace)?;
        let (place, name) = space.lines[slot(lane)].ready.first()?;
        Some(((Name::clone(key), Name::clone(name)), *place, space.entries[name].put_back))
    }
}
