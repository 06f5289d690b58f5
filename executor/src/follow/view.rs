//! What the watches tell: every Deployment that is labelled as rolling out. Pure; it names those that left, so that
//! somebody can look why.

use std::collections::{BTreeMap, BTreeSet};

use contract::{ChangeId, Lane};
use kube::runtime::watcher::Event;

use super::{soak::Steady, stage::Step};
use crate::{
    live::{Live, UnixMillis},
    slots::{Holder, Limit, Uid},
};

/// Least time between two messages about the progress of one rollout.
const PACE: UnixMillis = 1_000;

/// What is told of how far a rollout is: pods that are new, that serve, that are wanted; and its step.
type News = ((i64, i64, i64), Step);

/// A rollout that is followed.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    pub(super) live: Live,
    /// When this change was first seen here.
    pub(super) since: UnixMillis,
    /// Whether its end is being written.
    pub(super) ending: bool,
    /// Not before then is its end tried again.
    pub(super) not_before: UnixMillis,
    /// What was published last, and when.
    pub(super) told: Option<(News, UnixMillis)>,
    /// What was seen of its completeness.
    pub(super) steady: Steady,
    /// How far it was when it was judged last.
    pub(super) step: Step,
    /// What its pods say: why the rollout fails before its deadline.
    pub(super) crashed: Option<String>,
    source: usize,
}

impl Followed {
    /// It as the holder of a slot. Paused by its owner it takes no room, until it is resumed.
    pub(super) fn holder(&self, lane: Lane, limits: &[Limit]) -> Option<Holder> {
        let holder = Holder::of(&self.live, lane, self.since, limits)?;
        Some(Holder { counts: !self.live.paused, ..holder })
    }

    /// Whether there is something to tell of how far it is: at most once a second, and only what is new. The answer
    /// `true` counts as told.
    pub(super) fn has_news(&mut self, now: UnixMillis) -> bool {
        let status = &self.live.status;
        let numbers = ((status.updated, status.available, self.live.replicas), self.step);
        let news = self.told.is_none_or(|(told, at)| told != numbers && now - at >= PACE);
        if !news || !self.live.is_observed() {
            return false;
        }
        self.told = Some((numbers, now));
        true
    }
}

/// Rollouts that left the watch, or that another change took over.
pub(super) type Left = Vec<Followed>;

/// Every rollout, as a number of watches tell of it.
pub(super) struct View {
    followed: BTreeMap<Uid, Followed>,
    /// The generation up to which a rollout has ended, by our own hand, until its watch has seen it too.
    ended: BTreeMap<Uid, i64>,
    /// What each watch is listing; `None` while it is not.
    listing: Vec<Option<BTreeSet<Uid>>>,
    /// Watches that have not listed once.
    unlisted: BTreeSet<usize>,
}

impl View {
    pub(super) fn new(watches: usize) -> Self {
        Self {
            followed: BTreeMap::new(),
            ended: BTreeMap::new(),
            listing: vec![None; watches],
            unlisted: (0..watches).collect(),
        }
    }

    /// Whether every watch has listed.
    pub(super) fn is_listed(&self) -> bool {
        self.unlisted.is_empty()
    }

    /// Takes an event of a watch in.
    pub(super) fn learn(&mut self, source: usize, event: Event<Live>, now: UnixMillis) -> Left {
        match event {
            Event::Init => self.listing[source] = Some(BTreeSet::new()),
            Event::InitApply(live) => {
                if let Some(listing) = &mut self.listing[source] {
                    listing.insert(live.uid.clone());
                }
                return self.put(source, live, now);
            }
            Event::InitDone => return self.listed(source),
            Event::Apply(live) => return self.put(source, live, now),
            Event::Delete(live) => {
                self.ended.remove(&live.uid);
                return self.followed.remove(&live.uid).into_iter().collect();
            }
        }
        Left::new()
    }

    fn put(&mut self, source: usize, live: Live, now: UnixMillis) -> Left {
        if self.ended.get(&live.uid).is_some_and(|ended| live.generation <= *ended) {
            // From before its end.
            return Left::new();
        }
        let old = self.followed.get(&live.uid);
        let same = old.filter(|old| old.live.state.change == live.state.change);
        let followed = Followed {
            since: same.map_or(now, |old| old.since),
            ending: same.is_some_and(|old| old.ending),
            not_before: same.map_or(0, |old| old.not_before),
            told: same.and_then(|old| old.told),
            steady: same.map(|old| old.steady).unwrap_or_default(),
            step: same.map(|old| old.step).unwrap_or_default(),
            crashed: same.and_then(|old| old.crashed.clone()),
            source,
            live,
        };
        let is_new = same.is_none();
        let old = self.followed.insert(followed.live.uid.clone(), followed);
        old.filter(|_| is_new).into_iter().collect()
    }

    fn listed(&mut self, source: usize) -> Left {
        self.unlisted.remove(&source);
        let Some(listing) = self.listing[source].take() else { return Left::new() };
        let gone = |uid: &Uid, followed: &mut Followed| followed.source == source && !listing.contains(uid);
        // An end that was written while the watch was away is not told of again.
        self.ended.retain(|uid, _| listing.contains(uid));
        self.followed.extract_if(.., gone).map(|(_, followed)| followed).collect()
    }

    /// Its end was written by our own hand: its watch will tell nothing new.
    pub(super) fn forget(&mut self, uid: &Uid, generation: i64) {
        if self.followed.get(uid).is_some_and(|followed| followed.live.generation <= generation) {
            self.followed.remove(uid);
            self.ended.insert(uid.clone(), generation);
        }
    }

    /// The change of a rollout that is followed.
    pub(super) fn change(&self, uid: &Uid) -> Option<&ChangeId> {
        self.followed.get(uid)?.live.state.change.as_ref()
    }

    /// Whether it is known to be paused.
    pub(super) fn is_paused(&self, uid: &Uid) -> bool {
        self.followed.get(uid).is_some_and(|followed| followed.live.paused)
    }

    pub(super) fn get_mut(&mut self, uid: &Uid) -> Option<&mut Followed> {
        self.followed.get_mut(uid)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Uid, &Followed)> {
        self.followed.iter()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::live::tests::live;

    fn rollout(uid: &str, change: &str, generation: i64) -> Live {
        live(&json!({"metadata": {
            "uid": uid, "generation": generation,
            "annotations": {"roadstead.dev/change": change.repeat(10), "roadstead.dev/gate": "open"},
            "labels": {"roadstead.dev/phase": "released"},
        }}))
    }

    fn uids(left: &Left) -> Vec<&str> {
        left.iter().map(|left| left.live.uid.as_str()).collect()
    }

    #[test]
    fn listed_when_every_watch_has_listed() {
        let mut view = View::new(2);
        for source in [0, 1] {
            assert!(!view.is_listed());
            view.learn(source, Event::Init, 0);
            view.learn(source, Event::InitDone, 0);
        }
        assert!(view.is_listed());
    }

    #[test]
    fn a_change_keeps_the_time_when_it_was_first_seen() {
        let mut view = View::new(1);
        view.learn(0, Event::Apply(rollout("1", "a", 5)), 10);
        view.learn(0, Event::Apply(rollout("1", "a", 6)), 20);
        assert_eq!(view.get_mut(&"1".into()).unwrap().since, 10);
        let left = view.learn(0, Event::Apply(rollout("1", "b", 7)), 30);
        assert_eq!(left[0].live, rollout("1", "a", 6), "the change that another took over");
        assert_eq!(view.get_mut(&"1".into()).unwrap().since, 30);
    }

    #[test]
    fn news_are_told_once_and_at_most_once_a_second() {
        let mut view = View::new(1);
        let at = |updated: i64| {
            let mut live = rollout("1", "a", 5);
            (live.status.observed_generation, live.status.updated) = (5, updated);
            live
        };
        let mut has_news = |updated, now| {
            view.learn(0, Event::Apply(at(updated)), now);
            view.get_mut(&"1".into()).unwrap().has_news(now)
        };
        let told = [(0, 0), (0, 9_000), (1, 9_001), (2, 9_500), (2, 10_001)].map(|(n, now)| has_news(n, now));
        assert_eq!(told, [true, false, true, false, true]);
        view.learn(0, Event::Apply(rollout("2", "a", 5)), 0);
        assert!(!view.get_mut(&"2".into()).unwrap().has_news(0), "the status is of before the release");
    }

    #[test]
    fn what_left_the_watch_is_named_once_also_by_a_new_list() {
        let mut view = View::new(2);
        for (source, uid) in [(0, "1"), (0, "2"), (1, "3")] {
            view.learn(source, Event::Apply(rollout(uid, "a", 5)), 0);
        }
        assert_eq!(uids(&view.learn(0, Event::Delete(rollout("1", "a", 5)), 0)), ["1"]);
        view.learn(0, Event::Init, 0);
        assert_eq!(uids(&view.learn(0, Event::InitDone, 0)), ["2"], "another watch's are left alone");
        assert_eq!(view.iter().count(), 1);
    }

    #[test]
    fn our_own_end_is_told_of_by_nobody() {
        let mut view = View::new(1);
        view.learn(0, Event::Apply(rollout("1", "a", 5)), 0);
        view.forget(&"1".into(), 6);
        view.learn(0, Event::Apply(rollout("1", "a", 6)), 0);
        assert_eq!(view.iter().count(), 0, "a late event from before the end");
        assert_eq!(uids(&view.learn(0, Event::Delete(rollout("1", "a", 6)), 0)), Vec::<&str>::new());
        view.learn(0, Event::Apply(rollout("1", "b", 8)), 0);
        assert_eq!(view.iter().count(), 1, "the next rollout of the same Deployment");
    }
}
