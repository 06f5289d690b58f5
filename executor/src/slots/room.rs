//! How many slots there are and how many are free, for whom: some are reserved for urgent changes, so that a fix does
//! not wait behind long rollouts.

use std::num::NonZeroU32;

use contract::Lane;

/// How many rollouts may be in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// In any lane.
    pub slots: usize,
    /// So many more in the urgent lane.
    pub urgent: usize,
}

/// Slots that are free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vacancies {
    /// For a change of any lane.
    pub any: usize,
    /// For urgent changes: those for any lane among them.
    pub urgent: usize,
}

impl Room {
    /// `slots` for any lane, and `urgent` more for urgent changes.
    #[must_use]
    pub fn new(slots: NonZeroU32, urgent: u32) -> Self {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Self { slots: count(slots.get()), urgent: count(urgent) }
    }

    /// All of them.
    #[must_use]
    pub fn all(self) -> usize {
        self.slots.saturating_add(self.urgent)
    }

    /// What is free while so many rollouts are in flight, `usual` of them not urgent.
    #[must_use]
    pub fn vacancies(self, in_flight: usize, usual: usize) -> Vacancies {
        let urgent = self.all().saturating_sub(in_flight);
        Vacancies { any: self.slots.saturating_sub(usual).min(urgent), urgent }
    }

    /// How many rollouts of that lane may be in flight while no other lane has any.
    #[must_use]
    pub fn of(self, lane: Lane) -> usize {
        if lane == Lane::Urgent { self.all() } else { self.slots }
    }
}

impl Vacancies {
    /// For a change of that lane.
    #[must_use]
    pub fn of(self, lane: Lane) -> usize {
        if lane == Lane::Urgent { self.urgent } else { self.any }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgent_changes_find_room_where_others_wait() {
        let room = Room { slots: 3, urgent: 2 };
        let free = |in_flight, usual| {
            let vacancies = room.vacancies(in_flight, usual);
            (vacancies.of(Lane::Normal), vacancies.of(Lane::Urgent))
        };
        assert_eq!(free(0, 0), (3, 5));
        assert_eq!(free(3, 3), (0, 2), "the reserved ones are left");
        assert_eq!(free(2, 0), (3, 3), "the urgent took the reserved ones");
        assert_eq!(free(4, 1), (1, 1), "urgent ones take the others as well");
        assert_eq!(free(5, 3), (0, 0));
        assert_eq!(free(9, 9), (0, 0), "what the webhook opened comes on top");
    }
}
