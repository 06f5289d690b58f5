//! The ledger of slots: who holds one, over all replicas. Pure; `keeper` reads and writes it. Entries are ordered
//! by the generation of the Deployment that they speak of, so that the end of an older rollout never takes the
//! slot of a newer one.

use std::{collections::BTreeMap, time::Duration};

use contract::{ChangeId, Lane};
use serde::{Deserialize, Serialize};

use super::{Room, Vacancies};
use crate::live::{Live, UnixMillis};

/// How long a holder is believed though its Deployment is not seen to roll out: a process may have died between
/// taking a slot and the release, and a watch may lag.
const GRACE: Duration = Duration::from_secs(30);

/// Uid of a Deployment.
pub type Uid = String;

/// Who holds a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// Namespace of the Deployment.
    pub namespace: String,
    /// Name of the Deployment.
    pub name: String,
    /// The change that rolls out or is about to.
    pub change: ChangeId,
    /// `metadata.generation` of the Deployment when it took the slot.
    pub generation: i64,
    /// When it took the slot.
    pub since: UnixMillis,
    /// Whether its change was urgent when it took the slot. A change that inherits the slot takes it as it is.
    #[serde(default)]
    pub urgent: bool,
    /// Whether it counts; not after the slot timeout, nor while its owner has it paused.
    pub counts: bool,
    /// The policies that limit how many of their rollouts are in flight, and select it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
}

/// How many of its rollouts a policy lets be in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The policy, as it reads in messages.
    pub policy: String,
    /// Rollouts at a time.
    pub slots: u32,
}

impl Holder {
    /// For the change that a Deployment carries, in that lane and with those limits; `None` where it carries none.
    #[must_use]
    pub fn of(live: &Live, lane: Lane, since: UnixMillis, limits: &[Limit]) -> Option<Self> {
        Some(Self {
            namespace: live.namespace.clone(),
            name: live.name.clone(),
            change: live.state.change.clone()?,
            generation: live.generation,
            since,
            urgent: lane == Lane::Urgent,
            counts: true,
            policies: limits.iter().map(|limit| limit.policy.clone()).collect(),
        })
    }

    fn is_of(&self, policy: &str) -> bool {
        self.counts && self.policies.iter().any(|known| known == policy)
    }
}

/// What became of the wish for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// It was free.
    New,
    /// The Deployment's rollout in flight gave it on.
    Inherited,
    /// There is none.
    Full,
    /// There is none of a policy.
    PolicyFull,
}

/// Who holds slots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// By uid of the Deployment.
    pub holders: BTreeMap<Uid, Holder>,
}

impl Ledger {
    /// Slots in use.
    #[must_use]
    pub fn in_use(&self) -> usize {
        #[cfg(feature = "seeded-bugs")]
        if ops::seeded::seeded("ignore-slots") {
            return 0;
        }
        self.counting().count()
    }

    /// Slots that are free.
    #[must_use]
    pub fn vacancies(&self, room: Room) -> Vacancies {
        let in_use = self.in_use();
        room.vacancies(in_use, in_use.min(self.counting().filter(|holder| !holder.urgent).count()))
    }

    fn counting(&self) -> impl Iterator<Item = &Holder> {
        self.holders.values().filter(|holder| holder.counts)
    }

    /// Rollouts in flight of a policy that limits them, those of the Deployment `except` not counted.
    #[must_use]
    pub fn in_flight(&self, policy: &str, except: &str) -> u32 {
        let others = self.holders.iter().filter(|(uid, holder)| *uid != except && holder.is_of(policy));
        u32::try_from(others.count()).unwrap_or(u32::MAX)
    }

    /// Takes a slot, of the executor and of each policy that limits them. A rollout that timed out no longer has one to
    /// give on.
    pub fn acquire(&mut self, uid: &str, holder: Holder, room: Room, limits: &[Limit]) -> Grant {
        let vacancies = self.vacancies(room);
        let is_free = if holder.urgent { vacancies.urgent > 0 } else { vacancies.any > 0 };
        let held = self.holders.get(uid);
        if !is_free && held.is_none_or(|held| !held.counts) {
            return Grant::Full;
        }
        let is_full = |limit: &Limit| {
            // What it has it may give on, also where its policy lets fewer be in flight by now.
            let has = held.is_some_and(|held| held.is_of(&limit.policy));
            !has && self.in_flight(&limit.policy, uid) >= limit.slots
        };
        if limits.iter().any(is_full) {
            return Grant::PolicyFull;
        }
        match self.holders.get_mut(uid) {
            Some(held) if held.counts => {
                if held.generation < holder.generation {
                    *held = Holder { urgent: held.urgent, ..holder };
                }
                Grant::Inherited
            }
            _ => {
                self.holders.insert(uid.to_owned(), holder);
                Grant::New
            }
        }
    }

    /// Gives a slot back, for a rollout of up to that generation.
    pub fn free(&mut self, uid: &str, generation: i64) {
        if self.holders.get(uid).is_some_and(|holder| holder.generation <= generation) {
            self.holders.remove(uid);
        }
    }

    /// Counts again from the Deployments that roll out: each has an entry, also above the number of slots (the
    /// webhook opens a way back at once); one that is paused by its owner does not count until it is resumed, and one
    /// that took too long counts no more.
    pub fn recount(&mut self, rolling: &BTreeMap<Uid, Holder>, timeout: Duration, now: UnixMillis) {
        for (uid, seen) in rolling {
            match self.holders.get_mut(uid) {
                Some(held) if held.change == seen.change => {
                    held.counts = seen.counts;
                    // Policies come and go, and so do labels.
                    held.policies.clone_from(&seen.policies);
                }
                Some(held) if held.generation >= seen.generation => {}
                _ => drop(self.holders.insert(uid.clone(), seen.clone())),
            }
        }
        for holder in self.holders.values_mut() {
            holder.counts &= age(holder.since, now) < timeout;
        }
    }

    /// Holders whose Deployment is not seen to roll out, past the grace: to be looked at, and freed if it is so.
    #[must_use]
    pub fn orphans(&self, rolling: &BTreeMap<Uid, Holder>, now: UnixMillis) -> Vec<(Uid, Holder)> {
        let lost =
            |(uid, holder): &(&Uid, &Holder)| !rolling.contains_key(*uid) && age(holder.since, now) > GRACE;
        self.holders.iter().filter(lost).map(|(uid, holder)| (uid.clone(), holder.clone())).collect()
    }

    /// The ledger of a store that forgot it: what is seen to roll out, and what this process granted lately.
    #[must_use]
    pub fn rebuilt(known: &Self, rolling: &BTreeMap<Uid, Holder>, now: UnixMillis) -> Self {
        let still =
            |(uid, holder): &(&Uid, &Holder)| rolling.contains_key(*uid) || age(holder.since, now) <= GRACE;
        let mut holders: BTreeMap<_, _> = rolling.clone();
        holders.extend(known.holders.iter().filter(still).map(|(uid, holder)| (uid.clone(), holder.clone())));
        Self { holders }
    }
}

fn age(since: UnixMillis, now: UnixMillis) -> Duration {
    Duration::from_millis(u64::try_from(now.saturating_sub(since)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_mins(15);

    fn holder(change: &str, generation: i64, since: UnixMillis) -> Holder {
        Holder {
            namespace: "shop".into(),
            name: "web".into(),
            change: change.repeat(10).parse().unwrap(),
            generation,
            since,
            urgent: false,
            counts: true,
            policies: vec![],
        }
    }

    fn slots(slots: usize) -> Room {
        Room { slots, urgent: 0 }
    }

    fn rolling(entries: &[(&str, Holder)]) -> BTreeMap<Uid, Holder> {
        entries.iter().map(|(uid, holder)| ((*uid).to_owned(), holder.clone())).collect()
    }

    #[test]
    fn no_more_slots_than_there_are() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.acquire("1", holder("a", 1, 0), slots(2), &[]), Grant::New);
        assert_eq!(ledger.acquire("2", holder("b", 1, 0), slots(2), &[]), Grant::New);
        assert_eq!(ledger.acquire("3", holder("c", 1, 0), slots(2), &[]), Grant::Full);
        ledger.free("1", 1);
        assert_eq!(ledger.acquire("3", holder("c", 1, 0), slots(2), &[]), Grant::New);
        assert_eq!(ledger.in_use(), 2);
    }

    #[test]
    fn a_slot_that_is_reserved_for_urgent_changes_is_given_to_no_other_and_inherited_as_it_is() {
        let (room, mut ledger) = (Room { slots: 1, urgent: 1 }, Ledger::default());
        let urgent = |change: &str, generation| Holder { urgent: true, ..holder(change, generation, 0) };
        assert_eq!(ledger.acquire("1", holder("a", 1, 0), room, &[]), Grant::New);
        assert_eq!(ledger.acquire("2", holder("b", 1, 0), room, &[]), Grant::Full);
        assert_eq!(ledger.acquire("2", urgent("b", 1), room, &[]), Grant::New);
        assert_eq!(ledger.acquire("3", urgent("c", 1), room, &[]), Grant::Full);
        assert_eq!(ledger.acquire("2", holder("d", 3, 0), room, &[]), Grant::Inherited);
        assert_eq!(ledger.vacancies(room), Vacancies::default());
        ledger.free("1", 1);
        assert_eq!(ledger.vacancies(room), Vacancies { any: 1, urgent: 1 });
    }

    #[test]
    fn a_newer_change_inherits_and_the_end_of_the_older_does_not_take_it_away() {
        let mut ledger = Ledger::default();
        ledger.acquire("1", holder("a", 4, 0), slots(1), &[]);
        assert_eq!(ledger.acquire("1", holder("b", 6, 0), slots(1), &[]), Grant::Inherited);
        ledger.free("1", 5);
        assert_eq!(ledger.holders["1"], holder("b", 6, 0));
        assert_eq!(ledger.acquire("1", holder("a", 4, 0), slots(1), &[]), Grant::Inherited);
        assert_eq!(ledger.holders["1"].generation, 6, "a late older one does not take it back");
        ledger.free("1", 7);
        assert_eq!(ledger, Ledger::default());
    }

    #[test]
    fn what_rolls_out_without_an_entry_gets_one_also_above_the_limit() {
        let mut ledger = Ledger::default();
        ledger.acquire("1", holder("a", 1, 0), slots(1), &[]);
        let seen = rolling(&[("1", holder("a", 2, 5)), ("2", holder("b", 1, 5))]);
        ledger.recount(&seen, TIMEOUT, 10);
        assert_eq!(ledger.in_use(), 2);
        assert_eq!(ledger.holders["1"].since, 0, "the same change keeps its time");
        let recounted = ledger.clone();
        ledger.recount(&seen, TIMEOUT, 20);
        assert_eq!(ledger, recounted);
    }

    #[test]
    fn a_way_back_that_the_webhook_opened_takes_the_entry_over_but_a_late_watch_does_not() {
        let mut ledger = Ledger::default();
        ledger.acquire("1", holder("a", 4, 0), slots(1), &[]);
        ledger.recount(&rolling(&[("1", holder("b", 6, 9))]), TIMEOUT, 10);
        assert_eq!(ledger.holders["1"], holder("b", 6, 9));
        ledger.recount(&rolling(&[("1", holder("a", 5, 0))]), TIMEOUT, 10);
        assert_eq!(ledger.holders["1"], holder("b", 6, 9));
    }

    #[test]
    fn after_the_timeout_an_entry_stays_but_counts_no_more() {
        let mut ledger = Ledger::default();
        ledger.acquire("1", holder("a", 1, 0), slots(1), &[]);
        ledger.recount(&BTreeMap::new(), TIMEOUT, 15 * 60 * 1000);
        assert_eq!((ledger.in_use(), ledger.holders.len()), (0, 1));
        assert_eq!(ledger.acquire("2", holder("b", 1, 0), slots(1), &[]), Grant::New);
        assert_eq!(
            ledger.acquire("1", holder("c", 3, 0), slots(1), &[]),
            Grant::Full,
            "it has none to give on"
        );
    }

    #[test]
    fn paused_by_its_owner_an_entry_counts_no_more_until_it_is_resumed() {
        let mut ledger = Ledger::default();
        ledger.acquire("1", holder("a", 1, 0), slots(1), &[]);
        for (counts, in_use) in [(false, 0), (true, 1)] {
            let seen = rolling(&[("1", Holder { counts, ..holder("a", 2, 5) })]);
            ledger.recount(&seen, TIMEOUT, 10);
            assert_eq!(ledger.in_use(), in_use);
        }
        ledger.recount(&rolling(&[("1", holder("a", 2, 5))]), TIMEOUT, 15 * 60 * 1000);
        assert_eq!(ledger.in_use(), 0, "resumed too late");
    }

    #[test]
    fn orphans_are_named_after_the_grace() {
        let mut ledger = Ledger::default();
        ledger.acquire("1", holder("a", 1, 0), slots(2), &[]);
        ledger.acquire("2", holder("b", 1, 0), slots(2), &[]);
        let seen = rolling(&[("2", holder("b", 2, 0))]);
        assert_eq!(ledger.orphans(&seen, 30_000), []);
        assert_eq!(ledger.orphans(&seen, 30_001), [("1".to_owned(), holder("a", 1, 0))]);
    }

    #[test]
    fn a_lost_ledger_is_counted_again() {
        let mut known = Ledger::default();
        known.acquire("granted just now", holder("a", 1, 40_000), slots(9), &[]);
        known.acquire("ended long ago", holder("b", 1, 0), slots(9), &[]);
        known.acquire("rolls out", holder("c", 1, 7), slots(9), &[]);
        let seen = rolling(&[("rolls out", holder("c", 2, 50_000)), ("new", holder("d", 1, 50_000))]);
        let rebuilt = Ledger::rebuilt(&known, &seen, 50_000);
        assert_eq!(rebuilt.holders.keys().collect::<Vec<_>>(), ["granted just now", "new", "rolls out"]);
        assert_eq!(rebuilt.holders["rolls out"].since, 7);
    }

    /// A holder that a policy counts.
    fn limited(change: &str, generation: i64) -> Holder {
        Holder { policies: vec!["p".into()], ..holder(change, generation, 0) }
    }

    fn limit(slots: u32) -> [Limit; 1] {
        [Limit { policy: "p".into(), slots }]
    }

    #[test]
    fn no_more_slots_of_a_policy_than_it_has_and_others_are_not_counted() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.acquire("other", holder("z", 1, 0), slots(9), &[]), Grant::New);
        assert_eq!(ledger.acquire("1", limited("a", 1), slots(9), &limit(1)), Grant::New);
        assert_eq!(ledger.acquire("2", limited("b", 1), slots(9), &limit(1)), Grant::PolicyFull);
        assert_eq!(ledger.acquire("2", limited("b", 1), slots(2), &limit(2)), Grant::Full);
        assert_eq!((ledger.in_flight("p", ""), ledger.in_flight("p", "1")), (1, 0));
        ledger.free("1", 1);
        assert_eq!(ledger.acquire("2", limited("b", 1), slots(9), &limit(1)), Grant::New);
    }

    #[test]
    fn a_newer_change_inherits_the_slot_of_a_policy_and_one_whose_labels_changed_needs_one() {
        let mut ledger = Ledger::default();
        ledger.acquire("1", limited("a", 1), slots(9), &limit(1));
        ledger.acquire("2", holder("b", 1, 0), slots(9), &[]);
        assert_eq!(ledger.acquire("2", limited("c", 3), slots(9), &limit(1)), Grant::PolicyFull);
        assert_eq!(ledger.acquire("1", limited("d", 3), slots(9), &limit(1)), Grant::Inherited);
        assert_eq!(
            ledger.acquire("1", limited("e", 5), slots(9), &limit(0)),
            Grant::Inherited,
            "fewer by now"
        );
        assert_eq!(ledger.acquire("1", holder("f", 7, 0), slots(9), &[]), Grant::Inherited);
        assert_eq!(ledger.in_flight("p", ""), 0, "its labels changed");
    }

    #[test]
    fn slots_of_a_policy_are_counted_again_and_none_is_kept_by_one_that_is_gone() {
        let mut ledger = Ledger::default();
        ledger.acquire("1", limited("a", 1), slots(9), &limit(1));
        ledger.acquire("2", holder("b", 1, 0), slots(9), &[]);
        let seen = rolling(&[("1", holder("a", 2, 5)), ("2", limited("b", 2)), ("3", limited("c", 2))]);
        ledger.recount(&seen, TIMEOUT, 10);
        assert_eq!((ledger.in_flight("p", ""), ledger.in_flight("p", "3")), (2, 1));
        ledger.recount(&BTreeMap::new(), TIMEOUT, 15 * 60 * 1000);
        assert_eq!(ledger.in_flight("p", ""), 0, "after the timeout it counts no more");
    }
}
