//! The index of what waits: every held change, by namespace and lane, in the order of the queue. Pure; two watches
//! and a reading of the stream tell it what they learn, in whatever order.

use std::collections::{BTreeMap, HashMap};

use contract::{ChangeId, Lane};

use super::{
    entry::{Entry, Held, Queued, Stand, Trouble},
    ripe::Ripening,
    space::{Name, Space, Turns, slot},
};
use crate::live::UnixMillis;

/// Places of changes whose message was not seen yet: behind every sequence of a stream, in the order in which they
/// were seen.
pub(super) const UNPLACED: u64 = 1 << 63;

/// How long a message is kept for a Deployment that no watch has told of yet.
const EARLY: UnixMillis = 60_000;

/// What waits.
#[derive(Default)]
pub struct Index {
    pub(super) spaces: BTreeMap<Name, Space>,
    pub(super) turns: [Turns; Lane::ALL.len()],
    /// Messages of changes that no watch has told of yet, and when they came.
    early: HashMap<(String, String), (Queued, UnixMillis)>,
    /// What is to be looked at, and what will be.
    pub(super) ripening: Ripening,
    /// Messages of changes that were let through here in place of others, by sequence.
    pub(super) done: HashMap<u64, (ChangeId, u32)>,
    unplaced: u64,
    reading: u32,
    /// The reading of the second looks.
    pub(super) wakes: u32,
    complete: bool,
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
            ripe: false,
            wakes: 0,
            suspect: false,
            source,
            reading,
            held,
        };
        let key = match self.take(namespace, name) {
            Some((key, old)) => {
                if (&old.held.change, old.held.attempt) == (&entry.held.change, entry.held.attempt) {
                    let placed = old.held.lane == entry.held.lane || old.place >= UNPLACED;
                    let held = entry.held;
                    let ripe = old.ripe || (old.held.says != held.says && !old.rules().is_empty());
                    entry = Entry { held, ripe, source, ..old };
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
        let Some((key, entry)) = self.take(namespace, name) else { return };
        self.left(namespace, key);
        // Whoever let it through: its namespace has had its turn.
        if let Some(lane) = entry.held.lane.filter(|_| entry.stand == Stand::InLine) {
            self.had_turn(&namespace.into(), lane);
        }
        self.forget_empty(namespace);
    }

    /// A watch has listed: what it told of before and not in this list is gone.
    pub fn listed(&mut self, source: u32, list: u32) {
        self.each(|_, _, entry| (entry.source.0 != source || entry.source.1 == list).then_some(entry));
    }

    /// Every watch has listed.
    pub fn complete(&mut self) {
        self.complete = true;
    }

    /// Whether what is not here does not wait.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
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
            self.came_early(namespace, name, queued, now);
            return;
        };
        let Held { change, attempt, lane, .. } = &entry.held;
        if (change, *attempt, *lane) == (&queued.change, queued.attempt, Some(queued.lane)) {
            (entry.place, entry.since, entry.reading) = (queued.sequence, queued.published, reading);
        } else {
            self.came_early(namespace, name, queued, now);
        }
        self.put(namespace, key, entry);
    }

    /// A watch may tell of its change in a moment; of an old one none will.
    fn came_early(&mut self, namespace: &str, name: &str, queued: Queued, now: UnixMillis) {
        let key = (namespace.to_owned(), name.to_owned());
        let newer = self.early.get(&key).is_none_or(|(known, _)| known.sequence < queued.sequence);
        if newer && now - queued.published < EARLY {
            self.early.insert(key, (queued, now));
        }
    }

    /// A change failed and is tried again.
    pub fn troubled(&mut self, namespace: &str, name: &str, trouble: Trouble) {
        let Some((key, mut entry)) = self.take(namespace, name) else { return };
        if entry.held.change == trouble.change {
            if entry.stand == Stand::InLine {
                entry.stand = Stand::Aside;
            }
            (entry.trouble, entry.wakes) = (Some(Box::new(trouble)), self.wakes);
        }
        self.put(namespace, key, entry);
    }

    /// The stream is read from its beginning.
    pub fn reading(&mut self) {
        self.reading = self.reading.wrapping_add(1);
        // It may be another stream, with numbers of its own.
        self.done.clear();
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
            let row = &space.lines[slot(lane)];
            count += row.len();
            let firsts = [row.ready.first(), row.rest.first()];
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
}
