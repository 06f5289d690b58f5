//! A queue: one lane and shard, or what wakes in a lane.

use contract::{
    Lane,
    stream::{CHANGES, WAKE, consumer, wake_consumer},
    subject::SHARDS,
};

/// The queue of one lane and shard, or of the second looks of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Its lane.
    pub lane: Lane,
    /// Its shard, below [`SHARDS`]; `None`: the second looks of the lane.
    pub shard: Option<u16>,
}

impl Place {
    /// Every queue.
    pub fn all() -> impl Iterator<Item = Self> {
        let shards = (0..SHARDS).map(Some).chain([None]);
        Lane::ALL.into_iter().flat_map(move |lane| shards.clone().map(move |shard| Self { lane, shard }))
    }

    /// The queue of the second looks of a lane.
    pub const fn wake(lane: Lane) -> Self {
        Self { lane, shard: None }
    }

    /// Its place among [`Place::all`].
    pub(super) fn index(self) -> usize {
        let lane = Lane::ALL.into_iter().position(|lane| lane == self.lane).unwrap_or_default();
        lane * (usize::from(SHARDS) + 1) + usize::from(self.shard.unwrap_or(SHARDS))
    }

    /// Its stream.
    pub(super) fn stream(self) -> &'static str {
        if self.shard.is_some() { CHANGES } else { WAKE }
    }

    /// Its durable consumer.
    pub(super) fn consumer(self, cluster: &str) -> String {
        match self.shard {
            Some(shard) => consumer(cluster, self.lane, shard),
            None => wake_consumer(cluster, self.lane),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_stands_at_its_index() {
        assert!(Place::all().map(Place::index).eq(0..Place::all().count()));
    }
}
