//! The rooms of the index: entries by namespace, and beside them the lines in which they wait and the turns of the
//! namespaces, kept equal by one way in and one way out.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use contract::{
    Lane,
    subject::{SHARDS, shard},
};

use super::{
    entry::{Entry, Stand},
    index::Index,
};

/// Name of a namespace or a Deployment, shared by all that speak of it.
pub type Name = Arc<str>;

/// The changes of one namespace in one lane, by place; two may have the same while a stream that was lost is read
/// again.
#[derive(Default)]
pub(super) struct Line {
    /// Those that wait for their turn.
    pub(super) ready: BTreeSet<(u64, Name)>,
    /// Those in hand, and those that their own message brings on.
    pub(super) rest: BTreeSet<(u64, Name)>,
}

impl Line {
    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.rest.len()
    }

    /// All of them, by place.
    pub(super) fn all(&self) -> impl Iterator<Item = &(u64, Name)> {
        let (mut ready, mut rest) = (self.ready.iter().peekable(), self.rest.iter().peekable());
        std::iter::from_fn(move || match (ready.peek(), rest.peek()) {
            (Some(one), Some(other)) if one > other => rest.next(),
            (Some(_), _) => ready.next(),
            (None, _) => rest.next(),
        })
    }
}

/// One namespace.
pub(super) struct Space {
    pub(super) shard: u16,
    pub(super) entries: BTreeMap<Name, Entry>,
    pub(super) lines: [Line; Lane::ALL.len()],
    /// The round of each lane in which its next turn is.
    pub(super) rounds: [u64; Lane::ALL.len()],
    /// Under which round and place it stands among the busy ones of each lane.
    keys: [Option<(u64, u64)>; Lane::ALL.len()],
}

/// One lane. Each namespace has one turn a round; in a round the one whose change has waited longest is first, which
/// is also the order of the queue.
#[derive(Default)]
pub(super) struct Turns {
    /// Namespaces with changes that wait for their turn, by the round of that turn and the place of the first change.
    pub(super) busy: BTreeSet<(u64, u64, Name)>,
    /// How many of those each shard has.
    pub(super) shards: [u16; SHARDS as usize],
    /// The round that has been reached.
    pub(super) round: u64,
    /// Whose turns the messages are asked for that are on their way, by shard.
    pub(super) asked: [VecDeque<Name>; SHARDS as usize],
}

impl Index {
    /// Changes one entry.
    pub(super) fn change(&mut self, namespace: &str, name: &str, change: impl FnOnce(&mut Entry)) {
        if let Some((key, mut entry)) = self.take(namespace, name) {
            change(&mut entry);
            self.put(namespace, key, entry);
        }
    }

    /// Takes each entry out and puts back what becomes of it.
    pub(super) fn each(&mut self, mut of: impl FnMut(&Name, &Name, Entry) -> Option<Entry>) {
        let namespaces: Vec<Name> = self.spaces.keys().cloned().collect();
        for namespace in namespaces {
            let names: Vec<Name> = self.spaces[&namespace].entries.keys().cloned().collect();
            for name in names {
                if let Some((key, entry)) = self.take(&namespace, &name)
                    && let Some(entry) = of(&namespace, &key, entry)
                {
                    self.put(&namespace, key, entry);
                }
            }
            self.forget_empty(&namespace);
        }
    }

    pub(super) fn take(&mut self, namespace: &str, name: &str) -> Option<(Name, Entry)> {
        let (key, space) = self
            .spaces
            .get_key_value(namespace)
            .map(|(key, _)| Name::clone(key))
            .zip(self.spaces.get_mut(namespace))?;
        let (name, entry) = space.entries.remove_entry(name)?;
        if let Some(lane) = entry.held.lane {
            let line = &mut space.lines[slot(lane)];
            let at = (entry.place, Name::clone(&name));
            if line.ready.remove(&at) {
                self.rank(&key, lane);
            } else {
                line.rest.remove(&at);
            }
            self.ripening.remove(lane, (&key, &name), &entry);
        }
        Some((name, entry))
    }

    pub(super) fn put(&mut self, namespace: &str, name: Name, entry: Entry) {
        let key = self
            .spaces
            .get_key_value(namespace)
            .map_or_else(|| namespace.into(), |(key, _)| Name::clone(key));
        let space = self.spaces.entry(Name::clone(&key)).or_insert_with(|| Space::new(namespace));
        if let Some(lane) = entry.held.lane {
            let line = &mut space.lines[slot(lane)];
            let at = (entry.place, Name::clone(&name));
            self.ripening.insert(lane, (&key, &name), &entry);
            let is_ready = entry.stand == Stand::InLine;
            if is_ready { &mut line.ready } else { &mut line.rest }.insert(at);
            space.entries.insert(name, entry);
            if is_ready {
                self.rank(&key, lane);
            }
        } else {
            space.entries.insert(name, entry);
        }
    }

    /// Puts a namespace where it belongs among the busy ones of a lane.
    pub(super) fn rank(&mut self, namespace: &Name, lane: Lane) {
        let Some(space) = self.spaces.get_mut(namespace) else { return };
        let (turns, lane) = (&mut self.turns[slot(lane)], slot(lane));
        let old = space.keys[lane];
        let first = space.lines[lane].ready.first();
        if old.is_none() {
            // Who comes anew has saved no turns.
            space.rounds[lane] = space.rounds[lane].max(turns.round);
        }
        let new = first.map(|(place, _)| (space.rounds[lane], *place));
        if old == new {
            return;
        }
        space.keys[lane] = new;
        let busy = &mut turns.shards[usize::from(space.shard)];
        if let Some((round, place)) = old {
            turns.busy.remove(&(round, place, Name::clone(namespace)));
            *busy -= 1;
        }
        if let Some((round, place)) = new {
            turns.busy.insert((round, place, Name::clone(namespace)));
            *busy += 1;
        }
    }

    /// A namespace has had a turn.
    pub(super) fn had_turn(&mut self, namespace: &Name, lane: Lane) {
        let round = &mut self.turns[slot(lane)].round;
        if let Some(space) = self.spaces.get_mut(namespace) {
            let own = &mut space.rounds[slot(lane)];
            *round = (*round).max(*own);
            *own = *round + 1;
        }
        self.rank(namespace, lane);
    }

    /// A turn that a namespace had came to nothing.
    pub(super) fn give_back_turn(&mut self, namespace: &Name, lane: Lane) {
        if let Some(space) = self.spaces.get_mut(namespace) {
            let own = &mut space.rounds[slot(lane)];
            *own = own.saturating_sub(1);
        }
        self.rank(namespace, lane);
    }

    pub(super) fn forget_empty(&mut self, namespace: &str) {
        if self.spaces.get(namespace).is_some_and(|space| space.entries.is_empty()) {
            self.spaces.remove(namespace);
        }
    }
}

impl Space {
    fn new(namespace: &str) -> Self {
        let (lines, rounds, keys) = Default::default();
        Self { shard: shard(namespace), entries: BTreeMap::new(), lines, rounds, keys }
    }
}

/// Where a lane stands among all of them.
pub(super) fn slot(lane: Lane) -> usize {
    Lane::ALL.iter().position(|known| *known == lane).unwrap_or_default()
}
