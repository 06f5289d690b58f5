//! The index of what waits: every held change, by namespace and lane, in the order of the queue. Pure; two watches
//! and a reading of the stream tell it what they learn, in whatever order.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use contract::{
    Lane,
    subject::{SHARDS, shard},
};

use super::entry::{Entry, Held, Queued, Stand, Trouble};
use crate::live::UnixMillis;

/// Places of changes whose message was not seen yet: behind every sequence of a stream, in the order in which they
/// were seen.
const UNPLACED: u64 = 1 << 63;

/// How long a message is kept for a Deployment that no watch has told of yet.
const EARLY: UnixMillis = 60_000;

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
}

/// One namespace.
pub(super) struct Space {
    pub(super) shard: u16,
    pub(super) entries: BTreeMap<Name, Entry>,
    pub(super) lines: [Line; Lane::ALL.len()],
}

/// One lane.
#[derive(Default)]
pub(super) struct Turns {
    /// Namespaces with changes that wait for their turn.
    pub(super) busy: BTreeSet<Name>,
    /// How many of those each shard has.
    pub(super) shards: [u16; SHARDS as usize],
    /// The namespace that had its turn last.
    pub(super) last: Option<Name>,
    /// Namespaces whose turn came to nothing.
    pub(super) owed: Vec<Name>,
}

/// What waits.
#[derive(Default)]
pub struct Index {
    pub(super) spaces: BTreeMap<Name, Space>,
    pub(super) turns: [Turns; Lane::ALL.len()],
    /// Messages of changes that no watch has told of yet, and when they came.
    early: HashMap<(String, String), (Queued, UnixMillis)>,
    unplaced: u64,
    reading: u32,
}

impl Index {
    /// A Deployment is held; `source` is the watch that tells of it, and the number of its list.
    pub fn held(&mut self, namespace: &str, name: &str, held: Held, source: (u32, u32), now: UnixMillis) {
        let early = self.early.remove(&(namespace.to_owned(), name.to_owned()));
        self.unplaced += 1;
        let (place, reading) = (UNPLACED + self.unplaced, self.reading);
        let mut entry = Entry {
            place,
            since: now,
            stand: Stand::InLine,
            put_back: false,
            trouble: None,
            source,
            reading,
            held,
        };
        let key = match self.take(namespace, name) {
            Some((key, old)) => {
                if (&old.held.change, old.held.attempt) == (&entry.held.change, entry.held.attempt) {
                    let placed = old.held.lane == entry.held.lane || old.place >= UNPLACED;
                    let held = entry.held;
                    entry = Entry { held, source, ..old };
                    if !placed {
                        // It was queued in another lane, and will be in this one.
                        (entry.place, entry.stand) = (place, Stand::InLine);
                    }
                }
                key
            }
            None => name.into(),
        };
        self.put(namespace, key, entry);
        if let Some((queued, _)) = early {
            self.queued(namespace, name, queued, now);
        }
    }

    /// A Deployment is held no more.
    pub fn departed(&mut self, namespace: &str, name: &str) {
        let Some((_, entry)) = self.take(namespace, name) else { return };
        // Whoever let it through: its namespace has had its turn.
        if let Some(lane) = entry.held.lane.filter(|_| entry.stand == Stand::InLine) {
            let last = self
                .spaces
                .get_key_value(namespace)
                .map_or_else(|| namespace.into(), |(key, _)| Name::clone(key));
            self.turns[slot(lane)].last = Some(last);
        }
        self.forget_empty(namespace);
    }

    /// A watch has listed: what it told of before and not in this list is gone.
    pub fn listed(&mut self, source: u32, list: u32) {
        self.each(|_, _, entry| (entry.source.0 != source || entry.source.1 == list).then_some(entry));
    }

    /// The lanes of namespaces may have changed.
    pub fn assign(&mut self, lane: impl Fn(&str, Option<Lane>) -> Option<Lane>) {
        let mut moved = Vec::new();
        for (namespace, space) in &self.spaces {
            for (name, entry) in &space.entries {
                let lane = lane(namespace, entry.held.asked);
                if lane != entry.held.lane {
                    let held = Held { lane, ..entry.held.clone() };
                    moved.push((Name::clone(namespace), Name::clone(name), held, entry.source));
                }
            }
        }
        for (namespace, name, held, source) in moved {
            let since = self.spaces[&namespace].entries[&name].since;
            self.held(&namespace, &name, held, source, since);
        }
    }

    /// A message stands on the queue.
    pub fn queued(&mut self, namespace: &str, name: &str, queued: Queued, now: UnixMillis) {
        let reading = self.reading;
        let Some((key, mut entry)) = self.take(namespace, name) else {
            if now - queued.published < EARLY {
                self.early.insert((namespace.to_owned(), name.to_owned()), (queued, now));
            }
            return;
        };
        let Held { change, attempt, lane, .. } = &entry.held;
        if (change, *attempt, *lane) == (&queued.change, queued.attempt, Some(queued.lane)) {
            (entry.place, entry.since, entry.reading) = (queued.sequence, queued.published, reading);
        } else if now - queued.published < EARLY {
            self.early.insert((namespace.to_owned(), name.to_owned()), (queued, now));
        }
        self.put(namespace, key, entry);
    }

    /// A change failed and is tried again.
    pub fn troubled(&mut self, namespace: &str, name: &str, trouble: Trouble) {
        let Some((key, mut entry)) = self.take(namespace, name) else { return };
        if entry.held.change == trouble.change {
            if entry.stand == Stand::InLine {
                entry.stand = Stand::Aside;
            }
            entry.trouble = Some(Box::new(trouble));
        }
        self.put(namespace, key, entry);
    }

    /// The stream is read from its beginning.
    pub fn reading(&mut self) {
        self.reading = self.reading.wrapping_add(1);
    }

    /// All of the stream was read: what it did not tell of is not on it any more.
    pub fn read(&mut self) {
        let (reading, mut unplaced) = (self.reading, self.unplaced);
        self.each(|_, _, mut entry| {
            if entry.place < UNPLACED && entry.reading != reading {
                unplaced += 1;
                entry.place = UNPLACED + unplaced;
            }
            Some(entry)
        });
        self.unplaced = unplaced;
    }

    /// Forgets messages that nobody is held for.
    pub fn tidy(&mut self, now: UnixMillis) {
        self.early.retain(|_, (_, came)| now - *came < EARLY);
    }

    /// Changes that wait in a lane, and since when the oldest.
    #[must_use]
    pub fn depth(&self, lane: Lane) -> (usize, Option<UnixMillis>) {
        let (mut count, mut oldest) = (0, None::<UnixMillis>);
        for space in self.spaces.values() {
            let line = &space.lines[slot(lane)];
            count += line.len();
            let firsts = [line.ready.first(), line.rest.first()];
            for (_, name) in firsts.into_iter().flatten() {
                let since = space.entries[name].since;
                oldest = Some(oldest.map_or(since, |oldest| oldest.min(since)));
            }
        }
        (count, oldest)
    }

    /// Whether a change waits whose message was not seen for that long.
    #[must_use]
    pub fn misses(&self, now: UnixMillis, patience: UnixMillis) -> bool {
        self.spaces.values().any(|space| {
            let from = || (UNPLACED, Name::default())..;
            let firsts = space
                .lines
                .iter()
                .flat_map(|line| [&line.ready, &line.rest].map(|line| line.range(from()).next()));
            firsts.flatten().any(|(_, name)| now - space.entries[name].since > patience)
        })
    }

    /// Changes one entry.
    pub(super) fn change(&mut self, namespace: &str, name: &str, change: impl FnOnce(&mut Entry)) {
        if let Some((key, mut entry)) = self.take(namespace, name) {
            change(&mut entry);
            self.put(namespace, key, entry);
        }
    }

    /// Takes each entry out and puts back what becomes of it.
    fn each(&mut self, mut of: impl FnMut(&Name, &Name, Entry) -> Option<Entry>) {
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

    fn take(&mut self, namespace: &str, name: &str) -> Option<(Name, Entry)> {
        let (key, space) = self
            .spaces
            .get_key_value(namespace)
            .map(|(key, _)| Name::clone(key))
            .zip(self.spaces.get_mut(namespace))?;
        let (name, entry) = space.entries.remove_entry(name)?;
        if let Some(lane) = entry.held.lane {
            let line = &mut space.lines[slot(lane)];
            let at = (entry.place, Name::clone(&name));
            if !line.ready.remove(&at) {
                line.rest.remove(&at);
            } else if line.ready.is_empty() {
                let turns = &mut self.turns[slot(lane)];
                turns.busy.remove(&key);
                turns.shards[usize::from(space.shard)] -= 1;
            }
        }
        Some((name, entry))
    }

    fn put(&mut self, namespace: &str, name: Name, entry: Entry) {
        let key = self
            .spaces
            .get_key_value(namespace)
            .map_or_else(|| namespace.into(), |(key, _)| Name::clone(key));
        let space = self.spaces.entry(Name::clone(&key)).or_insert_with(|| Space::new(namespace));
        if let Some(lane) = entry.held.lane {
            let line = &mut space.lines[slot(lane)];
            if entry.stand == Stand::InLine {
                if line.ready.is_empty() {
                    let turns = &mut self.turns[slot(lane)];
                    turns.busy.insert(key);
                    turns.shards[usize::from(space.shard)] += 1;
                }
                line.ready.insert((entry.place, Name::clone(&name)));
            } else {
                line.rest.insert((entry.place, Name::clone(&name)));
            }
        }
        space.entries.insert(name, entry);
    }

    fn forget_empty(&mut self, namespace: &str) {
        if self.spaces.get(namespace).is_some_and(|space| space.entries.is_empty()) {
            self.spaces.remove(namespace);
        }
    }
}

impl Space {
    fn new(namespace: &str) -> Self {
        Self { shard: shard(namespace), entries: BTreeMap::new(), lines: Default::default() }
    }
}

/// Where a lane stands among all of them.
pub(super) fn slot(lane: Lane) -> usize {
    Lane::ALL.iter().position(|known| *known == lane).unwrap_or_default()
}
