//! When a change that waits may begin, from how long the last rollouts took. A guess, and named as one: rollouts of
//! different Deployments take differently long.

use std::collections::{HashMap, VecDeque};

use contract::{ChangeId, Lane, Phase};

use crate::{
    live::UnixMillis,
    slots::{Room, Vacancies},
};

/// Rollouts that are remembered.
const REMEMBERED: usize = 64;

/// Rollouts in flight whose begin is remembered; there are rarely more than slots.
const BEGUN: usize = 4_096;

/// How long the last rollouts took.
#[derive(Default)]
pub struct Rollouts {
    begun: HashMap<ChangeId, UnixMillis>,
    took: VecDeque<UnixMillis>,
}

/// What is needed to say when a change may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// How long a rollout takes: the median of the last; `None` while nothing is known of any.
    pub takes: Option<UnixMillis>,
    /// Rollouts that may be in flight.
    pub room: Room,
    /// The slots that are free.
    pub free: Vacancies,
}

impl Rollouts {
    /// A change reached a phase.
    pub fn told(&mut self, change: &ChangeId, phase: Phase, now: UnixMillis) {
        match phase {
            Phase::Released => {
                if self.begun.len() < BEGUN {
                    self.begun.entry(change.clone()).or_insert(now);
                }
            }
            Phase::Succeeded | Phase::Failed => {
                let Some(begun) = self.begun.remove(change) else { return };
                if self.took.len() == REMEMBERED {
                    self.took.pop_front();
                }
                self.took.push_back(now.saturating_sub(begun).max(0));
            }
            Phase::Held => {}
            // It freed its slot, but says nothing about how long a rollout takes.
            _ => drop(self.begun.remove(change)),
        }
    }

    /// The median of the last ones.
    #[must_use]
    pub fn median(&self) -> Option<UnixMillis> {
        let mut took: Vec<_> = self.took.iter().copied().collect();
        took.sort_unstable();
        took.get(took.len() / 2).copied()
    }
}

impl Forecast {
    /// In how long the change of a lane with so many before it may begin: as many as slots are free at once, and then
    /// one each time that a slot becomes free.
    #[must_use]
    pub fn wait(&self, lane: Lane, before: u64) -> Option<UnixMillis> {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let turns = (before + 1).saturating_sub(count(self.free.of(lane)));
        let takes = u64::try_from(self.takes?).ok()?;
        i64::try_from(turns.saturating_mul(takes) / count(self.room.of(lane)).max(1)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(letter: char) -> ChangeId {
        letter.to_string().repeat(10).parse().unwrap()
    }

    #[test]
    fn the_median_of_the_last_rollouts_and_nothing_without_one() {
        let mut rollouts = Rollouts::default();
        rollouts.told(&change('z'), Phase::Succeeded, 5);
        assert_eq!(rollouts.median(), None, "its begin was not seen");
        for (letter, took) in [('a', 10), ('b', 1_000), ('c', 30)] {
            rollouts.told(&change(letter), Phase::Released, 100);
            rollouts.told(&change(letter), Phase::Released, 105);
            rollouts.told(&change(letter), Phase::Failed, 100 + took);
        }
        assert_eq!(rollouts.median(), Some(30));
        rollouts.told(&change('d'), Phase::Released, 0);
        rollouts.told(&change('d'), Phase::Superseded, 9_999);
        rollouts.told(&change('d'), Phase::Succeeded, 99_999);
        assert_eq!(rollouts.median(), Some(30), "one that another took over");
        for _ in 0..REMEMBERED {
            rollouts.told(&change('e'), Phase::Released, 0);
            rollouts.told(&change('e'), Phase::Succeeded, 7);
        }
        assert_eq!((rollouts.median(), rollouts.took.len()), (Some(7), REMEMBERED));
    }

    #[test]
    fn as_many_begin_at_once_as_slots_are_free_and_then_one_each_time_that_one_is() {
        let (room, free) = (Room { slots: 4, urgent: 1 }, Vacancies { any: 1, urgent: 2 });
        let forecast = Forecast { takes: Some(60_000), room, free };
        let waits = |lane| [0, 1, 2, 3].map(|before| forecast.wait(lane, before).unwrap());
        assert_eq!(waits(Lane::Bulk), [0, 15_000, 30_000, 45_000]);
        assert_eq!(waits(Lane::Urgent), [0, 0, 12_000, 24_000], "some slots are reserved");
        assert_eq!(Forecast { takes: None, ..forecast }.wait(Lane::Bulk, 3), None);
    }
}
