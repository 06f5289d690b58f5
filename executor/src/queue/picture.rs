//! The picture of the queue as it is published: what waits in each namespace, with places and expected starts. Pure.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use contract::{Lane, Waiting, queue::MAX_ERROR};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    entry::Entry,
    forecast::Forecast,
    index::Index,
    order::{Row, places},
    space::{Name, Space, slot},
};
use crate::live::UnixMillis;

/// Where the changes of each namespace stand.
pub struct Picture {
    /// For each lane how many wait before it, and the places within it.
    namespaces: BTreeMap<Name, [Vec<u64>; Lane::ALL.len()]>,
    before: [u64; Lane::ALL.len()],
}

/// What waits in one namespace, as it is published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The changes that are named.
    pub waiting: Vec<Waiting>,
    /// Those behind them.
    pub left_out: usize,
}

impl Picture {
    /// Of what waits now.
    #[must_use]
    pub fn of(rows: [Vec<Row<Name>>; Lane::ALL.len()]) -> Self {
        let mut picture = Self { namespaces: BTreeMap::new(), before: [0; Lane::ALL.len()] };
        let mut before = 0;
        for (lane, rows) in rows.into_iter().enumerate() {
            picture.before[lane] = before;
            let places = places(&rows);
            before += places.iter().map(|places| places.len() as u64).sum::<u64>();
            for (row, places) in rows.into_iter().zip(places) {
                picture.namespaces.entry(row.namespace).or_default()[lane] = places;
            }
        }
        picture
    }

    /// The namespaces where something waits.
    pub fn namespaces(&self) -> impl Iterator<Item = &Name> {
        self.namespaces.keys()
    }

    /// What waits in one of them; at most so many are named. What has left since the picture was made is not named,
    /// what came since is left out.
    #[must_use]
    pub fn listed(
        &self,
        index: &Index,
        namespace: &str,
        most: usize,
        forecast: Forecast,
        now: UnixMillis,
    ) -> Listed {
        let mut listed = Listed::default();
        let Some(lanes) = self.namespaces.get(namespace) else { return listed };
        for (lane, places) in Lane::ALL.into_iter().zip(lanes) {
            let room = most - listed.waiting.len();
            let front = index.front(namespace, lane, room.min(places.len()));
            listed.left_out += places.len() - front.len();
            let before = self.before[slot(lane)];
            listed.waiting.extend(front.into_iter().zip(places).map(|((name, entry), place)| {
                let next_try = entry.trouble.as_ref().and_then(|trouble| trouble.next_try);
                let expected = forecast.wait(lane, before + place).map(|wait| now.saturating_add(wait));
                Waiting {
                    name: name.to_string(),
                    change: entry.held.change.clone(),
                    lane,
                    position: before + place + 1,
                    ahead: *place,
                    // Not before it is tried again.
                    expected_start: expected.map(|at| at.max(next_try.unwrap_or(at))).and_then(text),
                    tries: entry.trouble.as_ref().map_or(0, |trouble| trouble.tries),
                    last_error: entry.trouble.as_ref().map(|trouble| cut(&trouble.last_error).to_owned()),
                    next_try: next_try.and_then(text),
                }
            }));
        }
        listed
    }
}

impl Listed {
    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.left_out == 0
    }

    /// Equal for lists that say the same, but for expected starts: these move as time goes by.
    #[must_use]
    pub fn mark(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        self.left_out.hash(&mut hash);
        for one in &self.waiting {
            (&one.name, &one.change, one.lane, one.position, one.tries, &one.next_try).hash(&mut hash);
        }
        hash.finish()
    }
}

impl Index {
    /// What waits in each namespace of a lane.
    #[must_use]
    pub fn rows(&self, lane: Lane) -> Vec<Row<Name>> {
        let (at, reached) = (slot(lane), self.turns[slot(lane)].round);
        let rows = self.spaces.iter().filter(|(_, space)| space.lines[at].len() > 0);
        let row = |(namespace, space): (&Name, &Space)| {
            let sequences = space.lines[at].all().map(|(place, _)| *place).collect();
            Row { namespace: Name::clone(namespace), round: space.rounds[at].max(reached), sequences }
        };
        rows.map(row).collect()
    }

    /// The first of a namespace in a lane.
    fn front(&self, namespace: &str, lane: Lane, most: usize) -> Vec<(&Name, &Entry)> {
        let Some(space) = self.spaces.get(namespace) else { return Vec::new() };
        let first = space.lines[slot(lane)].all().take(most);
        first.map(|(_, name)| (name, &space.entries[name])).collect()
    }
}

fn text(at: UnixMillis) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(at / 1_000).ok()?.format(&Rfc3339).ok()
}

fn cut(error: &str) -> &str {
    &error[..error.floor_char_boundary(MAX_ERROR)]
}

#[cfg(test)]
mod tests {
    use contract::queue::MAX_WAITING;

    use super::*;
    use crate::{
        queue::{Held, Queued, Trouble},
        slots::{Room, Vacancies},
    };

    const UNKNOWN: Forecast = Forecast { takes: None, room: slots(1), free: Vacancies { any: 0, urgent: 0 } };

    const fn slots(slots: usize) -> Room {
        Room { slots, urgent: 0 }
    }

    /// An index of changes, each given by its namespace, name and lane, in the order of the queue.
    fn index(changes: &[(&str, &str, Lane)]) -> Index {
        let mut index = Index::default();
        for ((namespace, name, lane), sequence) in changes.iter().zip(1..) {
            let (change, lane): (contract::ChangeId, _) = ("aaaaaaaaaa".parse().unwrap(), *lane);
            let held = Held { change: change.clone(), attempt: 1, asked: None, lane: Some(lane), says: 0 };
            index.held(namespace, name, held, (0, 0), 0);
            index.queued(namespace, name, Queued { change, attempt: 1, lane, sequence, published: 0 }, 0);
        }
        index
    }

    fn listed(index: &Index, namespace: &str, forecast: Forecast) -> Listed {
        Picture::of(Lane::ALL.map(|lane| index.rows(lane))).listed(index, namespace, MAX_WAITING, forecast, 0)
    }

    /// Name, position and changes ahead in the lane of each that is named.
    fn stands(listed: &Listed) -> Vec<(&str, u64, u64)> {
        listed.waiting.iter().map(|one| (one.name.as_str(), one.position, one.ahead)).collect()
    }

    #[test]
    fn positions_are_over_the_cluster_and_those_ahead_within_the_lane() {
        let index = index(&[
            ("a", "bulk", Lane::Bulk),
            ("a", "first", Lane::Normal),
            ("a", "second", Lane::Normal),
            ("b", "other", Lane::Normal),
            ("a", "fix", Lane::Urgent),
        ]);
        let a = listed(&index, "a", UNKNOWN);
        assert_eq!(stands(&a), [("fix", 1, 0), ("first", 2, 0), ("second", 4, 2), ("bulk", 5, 0)]);
        assert_eq!(stands(&listed(&index, "b", UNKNOWN)), [("other", 3, 1)]);
        assert!(listed(&index, "c", UNKNOWN).is_empty());
        assert!(a.waiting.iter().all(|one| one.expected_start.is_none()), "nothing is known of rollouts");
    }

    #[test]
    fn starts_are_expected_from_what_rollouts_take_and_not_before_the_next_try() {
        let mut index = index(&[("a", "one", Lane::Normal), ("a", "two", Lane::Normal)]);
        let error = format!("{}é", "x".repeat(MAX_ERROR - 1));
        let change = "aaaaaaaaaa".parse().unwrap();
        let trouble = Trouble {
            change,
            tries: 3,
            last_error: error,
            next_try: Some(300_000),
            rules: Box::default(),
            until: None,
        };
        index.troubled("a", "two", trouble);
        let listed = listed(&index, "a", Forecast { takes: Some(60_000), room: slots(2), ..UNKNOWN });
        let starts: Vec<_> =
            listed.waiting.iter().map(|one| one.expected_start.as_deref().unwrap()).collect();
        assert_eq!(starts, ["1970-01-01T00:00:30Z", "1970-01-01T00:05:00Z"]);
        let two = &listed.waiting[1];
        assert_eq!((two.tries, two.next_try.as_deref()), (3, Some("1970-01-01T00:05:00Z")));
        assert_eq!(two.last_error, Some("x".repeat(MAX_ERROR - 1)));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let names: Vec<_> = (0..MAX_WAITING + 7).map(|number| format!("web-{number}")).collect();
        let changes: Vec<_> = names.iter().map(|name| ("a", name.as_str(), Lane::Normal)).collect();
        let listed = listed(&index(&changes), "a", UNKNOWN);
        assert_eq!((listed.waiting.len(), listed.left_out), (MAX_WAITING, 7));
        assert_eq!(listed.waiting[9].name, "web-9");
    }

    #[test]
    fn the_mark_is_the_same_until_something_is_said_anew() {
        let mut index = index(&[("a", "one", Lane::Normal), ("a", "two", Lane::Normal)]);
        let (before, later) = (listed(&index, "a", UNKNOWN), Forecast { takes: Some(1), ..UNKNOWN });
        assert_eq!(listed(&index, "a", later).mark(), before.mark());
        index.departed("a", "one");
        assert_ne!(listed(&index, "a", UNKNOWN).mark(), before.mark());
    }
}
