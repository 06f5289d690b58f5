//! Changes that nothing brings on any more: held, but their message is settled and no second look is to come. NATS
//! lost it, or a process died at a bad moment. Pure.

use std::collections::HashSet;

use contract::Lane;

use super::{
    entry::Stand,
    index::Index,
    space::{Name, Space, slot},
};
use crate::live::UnixMillis;

/// A change that nothing brings on.
#[derive(Clone, Debug)]
pub struct Stranded {
    /// Namespace of its Deployment.
    pub namespace: Name,
    /// Name of its Deployment.
    pub name: Name,
    /// Sequence of its message in the stream of changes.
    pub sequence: u64,
    /// When that stream took it.
    pub published: UnixMillis,
}

impl Index {
    /// The second looks are read from the beginning.
    pub fn waking(&mut self) {
        self.wakes = self.wakes.wrapping_add(1);
    }

    /// All of them were read: trouble that they did not tell of is not waited for any more.
    pub fn woken(&mut self) {
        let wakes = self.wakes;
        self.each(|_, _, mut entry| {
            if entry.wakes != wakes {
                entry.trouble = None;
            }
            Some(entry)
        });
    }

    /// The lanes and shards where a change waits.
    #[must_use]
    pub fn places(&self) -> HashSet<(Lane, u16)> {
        let lanes = |space: &Space| {
            let shard = space.shard;
            let lanes = Lane::ALL.into_iter().filter(|lane| space.lines[slot(*lane)].len() > 0);
            lanes.map(move |lane| (lane, shard)).collect::<Vec<_>>()
        };
        self.spaces.values().flat_map(lanes).collect()
    }

    /// Those of a lane and shard that nothing brought on at the last look nor at this one: their messages are settled,
    /// as every one up to the sequence `settled` is, and no second look was to come after `since`.
    pub fn stranded(&mut self, (lane, shard): (Lane, u16), settled: u64, since: UnixMillis) -> Vec<Stranded> {
        let mut stranded = Vec::new();
        for (namespace, space) in self.spaces.iter_mut().filter(|(_, space)| space.shard == shard) {
            for (name, entry) in space.entries.iter_mut().filter(|(_, entry)| entry.held.lane == Some(lane)) {
                let next_try = entry.trouble.as_ref().map(|trouble| trouble.next_try.unwrap_or_default());
                let idle = entry.place <= settled
                    && entry.stand != Stand::InHand
                    && next_try.is_none_or(|next_try| next_try < since);
                if idle && entry.suspect {
                    stranded.push(Stranded {
                        namespace: Name::clone(namespace),
                        name: Name::clone(name),
                        sequence: entry.place,
                        published: entry.since,
                    });
                }
                entry.suspect = idle;
            }
        }
        stranded
    }
}

#[cfg(test)]
mod tests {
    use contract::subject::shard;

    use super::*;
    use crate::queue::{Held, Queued, Trouble};

    fn index() -> Index {
        let (change, lane): (contract::ChangeId, _) = ("aaaaaaaaaa".parse().unwrap(), Lane::Normal);
        let held = Held { change: change.clone(), attempt: 1, asked: None, lane: Some(lane), says: 0 };
        let mut index = Index::default();
        for (name, sequence) in [("web", 4), ("api", 9)] {
            index.held("shop", name, held.clone(), (0, 0), 0);
            let queued = Queued { change: change.clone(), attempt: 1, lane, sequence, published: 7 };
            index.queued("shop", name, queued, 0);
        }
        index
    }

    fn names(index: &mut Index, settled: u64, since: UnixMillis) -> Vec<String> {
        let stranded = index.stranded((Lane::Normal, shard("shop")), settled, since);
        stranded.into_iter().map(|one| one.name.to_string()).collect()
    }

    fn trouble(index: &mut Index, next_try: UnixMillis) {
        let change = "aaaaaaaaaa".parse().unwrap();
        index.troubled(
            "shop",
            "web",
            Trouble {
                change,
                tries: 1,
                last_error: "no".into(),
                next_try: Some(next_try),
                rules: Box::default(),
                until: None,
            },
        );
    }

    #[test]
    fn what_is_held_and_settled_without_a_second_look_is_stranded_at_the_second_sight() {
        let mut index = index();
        assert_eq!(names(&mut index, 4, 0), Vec::<String>::new(), "its second look may be on its way");
        assert_eq!(names(&mut index, 4, 0), ["web"]);
        assert_eq!(names(&mut index, 3, 0), Vec::<String>::new(), "its message is not settled");
        assert_eq!(index.places(), HashSet::from([(Lane::Normal, shard("shop"))]));
    }

    #[test]
    fn what_a_second_look_brings_on_is_not_until_that_is_lost_or_overdue() {
        let mut index = index();
        trouble(&mut index, 100);
        for _ in 0..2 {
            assert_eq!(names(&mut index, 4, 100), Vec::<String>::new());
        }
        assert_eq!([names(&mut index, 4, 101).len(), names(&mut index, 4, 101).len()], [0, 1], "overdue");
        trouble(&mut index, 999);
        assert_eq!(names(&mut index, 4, 101), Vec::<String>::new());
        index.waking();
        trouble(&mut index, 999);
        index.woken();
        assert_eq!(
            [names(&mut index, 4, 101).len(), names(&mut index, 4, 101).len()],
            [0, 0],
            "told of anew"
        );
        index.waking();
        index.woken();
        assert_eq!([names(&mut index, 4, 101).len(), names(&mut index, 4, 101).len()], [0, 1], "lost");
    }
}
