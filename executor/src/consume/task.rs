//! What a message asks for: the change that it points to, and how often that could not be let through before.

use contract::{Change, Obstacle, Pointer, Wake, subject::ChangeSubject};

use super::delivery::Delivery;
use crate::error::Failure;

/// A change that is to be let through.
pub(super) struct Task {
    /// The change.
    pub(super) pointer: Pointer,
    /// How often it was tried, this time included.
    pub(super) tries: u32,
    /// How often it was refused before.
    pub(super) refusals: u32,
    /// The rules that let it wait when it was looked at last.
    pub(super) obstacles: Vec<Obstacle>,
    /// Sequence of its message in the stream of changes.
    pub(super) sequence: u64,
    /// When that stream took it, in nanoseconds since 1970.
    pub(super) published: i64,
}

impl Delivery {
    /// The task, if it is a message of ours on the subject where it belongs.
    pub(super) fn task(&self, cluster: &str) -> Result<Task, Failure> {
        let delivered = u32::try_from(self.delivered).unwrap_or(u32::MAX);
        let (says, task) = if self.place.shard.is_some() {
            let change: Change = contract::envelope::open(self.payload())?;
            let (sequence, published) = (self.sequence, i64::try_from(self.published).unwrap_or(i64::MAX));
            let pointer = Pointer::from(&change);
            let (tries, obstacles) = (delivered, vec![]);
            (change.cluster, Task { pointer, tries, refusals: 0, obstacles, sequence, published })
        } else {
            let Wake { cluster, pointer, tries, refusals, obstacles, sequence, published, .. } =
                self.wake()?;
            let tries = tries.saturating_add(delivered);
            (cluster, Task { pointer, tries, refusals, obstacles, sequence, published })
        };
        let lies = says != cluster || task.address(cluster) != self.address()?;
        if lies { Err(Failure::Misaddressed) } else { Ok(task) }
    }

    pub(super) fn wake(&self) -> Result<Wake, Failure> {
        Ok(contract::envelope::open(self.payload())?)
    }
}

impl Task {
    /// Where the change stands on the queue.
    pub(super) fn address(&self, cluster: &str) -> ChangeSubject {
        ChangeSubject {
            cluster: cluster.to_owned(),
            lane: self.pointer.lane,
            namespace: self.pointer.namespace.clone(),
            name: self.pointer.name.clone(),
        }
    }
}
