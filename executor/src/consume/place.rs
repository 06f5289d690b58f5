//! A queue: one lane and shard.

use contract::{Lane, subject::SHARDS};

/// The queue of one lane and shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Its lane.
    pub lane: Lane,
    /// Its shard, below [`SHARDS`].
    pub shard: u16,
}

impl Place {
    /// Every queue.
    pub fn all() -> impl Iterator<Item = Self> {
        Lane::ALL.into_iter().flat_map(|lane| (0..SHARDS).map(move |shard| Self { lane, shard }))
    }

    /// Its place among [`Place::all`].
    pub(super) fn index(self) -> usize {
        let lane = Lane::ALL.into_iter().position(|lane| lane == self.lane).unwrap_or_default();
        lane * usize::from(SHARDS) + usize::from(self.shard)
    }
}
