//! A small world: the objects with their versions, two processes that read and write them one request at a time, API
//! servers that hear of a bundle late, and replicas that serve any leaf that there was until it is over.

use std::collections::BTreeSet;

use super::{AUTHORITY_LIFE, TIMES, at, issued};
use crate::rotation::state::{Issued, Leaf, State};
use crate::rotation::{Step, plan::tests::seconds};
use crate::tls::Fingerprint;

/// How long what a process has read counts; as in `Rotator`.
const STALE: i64 = 20;

/// Something that happens.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A process sends so many requests, one after the other.
    Acts(usize, usize),
    /// So many seconds pass.
    Passes(i64),
    /// A process dies and is started again.
    Dies(usize),
    /// Somebody asks for a new authority.
    Asked,
}

type Ids = BTreeSet<Fingerprint>;

#[derive(Clone, Debug, Default)]
struct Authorities {
    signing: Option<Issued>,
    next: Option<Issued>,
    retired: Vec<(Fingerprint, i64)>,
    asked: bool,
}

/// A value with its version.
#[derive(Clone, Debug, Default)]
struct Stored<T>(T, u64);

/// What a process has read so far, in the order in which it reads.
#[derive(Clone, Debug, Default)]
struct Process {
    bundles: Vec<Stored<Ids>>,
    leaf: Option<Stored<Option<Leaf>>>,
    began: i64,
    seen: Option<(Fingerprint, i64)>,
    /// The second configuration, which is still to be written.
    rest: Option<(Ids, u64)>,
}

#[derive(Debug, Default)]
pub(super) struct World {
    now: i64,
    made: u8,
    rotations: usize,
    authorities: Stored<Authorities>,
    leaf: Stored<Option<Leaf>>,
    bundles: [Stored<Ids>; 2],
    processes: [Process; 2],
    /// Every bundle with the time at which another took its place.
    former_bundles: Vec<(Ids, i64)>,
    leaves: Vec<Leaf>,
}

impl<T> Stored<T> {
    fn write(&mut self, value: T, version: u64) -> bool {
        let fits = self.1 == version;
        if fits {
            *self = Self(value, version + 1);
        }
        fits
    }
}

impl World {
    pub(super) fn happens(&mut self, event: &Event) {
        match event {
            Event::Passes(time) => self.now += time,
            Event::Dies(process) => self.processes[*process] = Process::default(),
            Event::Asked => {
                self.authorities.0.asked = true;
                self.authorities.1 += 1;
            }
            Event::Acts(process, times) => {
                for _ in 0..*times {
                    self.acts(*process);
                    self.check();
                }
            }
        }
        self.check();
    }

    pub(super) fn rotations(&self) -> usize {
        self.rotations
    }

    pub(super) fn trusted(&self) -> usize {
        self.bundles[0].0.len()
    }

    /// When the leaf ends, in seconds.
    pub(super) fn leaf_ends(&self) -> i64 {
        self.leaf.0.map_or(0, |leaf| (leaf.issued.not_after - at(0)).whole_seconds())
    }

    /// Sends one request of a process.
    fn acts(&mut self, number: usize) {
        let process = &mut self.processes[number];
        if let Some((ids, version)) = process.rest.take() {
            self.write_bundle(1, ids, version);
        } else if process.bundles.len() < 2 {
            if process.bundles.is_empty() {
                process.began = self.now;
            }
            process.bundles.push(self.bundles[process.bundles.len()].clone());
        } else if process.leaf.is_none() {
            process.leaf = Some(self.leaf.clone());
        } else {
            let read = std::mem::take(process);
            process.seen = read.seen;
            let Stored(authorities, version) = self.authorities.clone();
            self.decide(number, &read, authorities, version);
        }
    }

    /// The Secret of the authorities was read last: the step follows, unless what was read is too old.
    fn decide(&mut self, number: usize, read: &Process, mut authorities: Authorities, version: u64) {
        let Some(Stored(leaf, leaf_version)) = read.leaf.clone() else { return };
        let state = self.state(read, &authorities, leaf);
        let next = state.next.filter(|next| state.all_trust(next.id));
        let seen = next.map(|next| read.seen.filter(|(id, _)| *id == next.id).unwrap_or((next.id, self.now)));
        self.processes[number].seen = seen;
        if self.now - read.began > STALE {
            return;
        }
        let for_seconds = seen.map(|(_, since)| seconds(u64::try_from(self.now - since).unwrap()));
        let last_leaf = (state.last_leaf_ends(&TIMES, at(self.now)) - at(0)).whole_seconds();
        let step = state.plan(for_seconds, &TIMES, at(self.now));
        match step {
            Step::Wait(_) => return,
            Step::Publish => {
                let wanted = state.wanted();
                self.write_bundle(0, wanted.clone(), read.bundles[0].1);
                self.processes[number].rest = Some((wanted, read.bundles[1].1));
                return;
            }
            Step::Sign => {
                let signer = authorities.signing.unwrap();
                let life = 60.min((signer.not_after - at(self.now)).whole_seconds());
                let leaf = Leaf { issued: issued(0, self.now, life), signer: signer.id, has_names: true };
                if self.leaf.write(Some(leaf), leaf_version) {
                    self.leaves.push(leaf);
                }
                return;
            }
            Step::Adopt => {
                let signer = state.leaf.unwrap().signer;
                authorities.retired.retain(|(id, _)| *id != signer);
                authorities.retired.push((signer, last_leaf));
            }
            Step::Drop => {
                let signer = state.leaf.map(|leaf| leaf.signer);
                authorities.retired.retain(|(id, until)| self.now < *until || Some(*id) == signer);
            }
            Step::Mint => {
                self.made += 1;
                authorities.next = Some(issued(self.made, self.now, AUTHORITY_LIFE));
                authorities.asked = false;
            }
            Step::Promote => {
                let old = std::mem::replace(&mut authorities.signing, authorities.next.take());
                authorities.retired.extend(old.map(|old| (old.id, last_leaf)));
            }
        }
        if self.authorities.write(authorities, version) && step == Step::Promote {
            self.rotations += 1;
            if state.signing.is_none() && state.leaf.is_none() {
                // Nothing worked any more: whoever hears late of the new authority loses nothing.
                self.former_bundles.clear();
            }
        }
    }

    fn state(&self, read: &Process, authorities: &Authorities, leaf: Option<Leaf>) -> State {
        let valid = |issued: &Issued| at(self.now) < issued.not_after;
        let known: Ids =
            [authorities.signing, authorities.next].into_iter().flatten().map(|one| one.id).collect();
        let known = |id| known.contains(&id) || authorities.retired.iter().any(|(retired, _)| *retired == id);
        let everywhere = |id| read.bundles.iter().all(|Stored(ids, _)| ids.contains(&id));
        let leaf = leaf
            .filter(|leaf| valid(&leaf.issued))
            .filter(|leaf| known(leaf.signer) || everywhere(leaf.signer));
        State {
            signing: authorities.signing.filter(valid),
            next: authorities.next.filter(valid),
            retired: authorities.retired.iter().map(|(id, until)| (*id, at(*until))).collect(),
            stray: leaf.map(|leaf| leaf.signer).filter(|signer| !known(*signer)),
            leaf,
            trusted: read.bundles.iter().map(|Stored(ids, _)| Some(ids.clone())).collect(),
            asked: authorities.asked,
        }
    }

    fn write_bundle(&mut self, place: usize, ids: Ids, version: u64) {
        let former = self.bundles[place].0.clone();
        if self.bundles[place].write(ids, version) {
            self.former_bundles.push((former, self.now));
        }
    }

    /// Every bundle that an API server may know, against every leaf that a replica may serve.
    fn check(&mut self) {
        let settle = i64::try_from(TIMES.settle.as_secs()).unwrap();
        self.former_bundles.retain(|(_, until)| self.now - until < settle);
        self.leaves.retain(|leaf| at(self.now) < leaf.issued.not_after);
        let former = self.former_bundles.iter().map(|(ids, _)| ids);
        let bundles: Vec<_> = self.bundles.iter().map(|Stored(ids, _)| ids).chain(former).collect();
        for leaf in &self.leaves {
            for bundle in &bundles {
                // Before the first bundle nobody was served.
                assert!(
                    bundle.is_empty() || bundle.contains(&leaf.signer),
                    "{leaf:?} is not trusted by {bundle:?} at {} s: {self:?}",
                    self.now
                );
            }
        }
    }
}
