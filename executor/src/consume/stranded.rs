//! Finds the changes that nothing brings on any more, and gives each a second look at once: a stream of second looks
//! that was wiped loses no change. What is brought on by mistake comes to nothing, as every message does that is not
//! needed.

use std::{sync::Arc, time::Duration};

use contract::{
    Wake,
    envelope::open,
    stream::{CHANGES, WAKE},
};
use ops::{BoxError, chain, publish::publish};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{Worker, place::Place};
use crate::{
    live::{UnixMillis, now},
    queue::{Stranded, View},
    slots::Vacancies,
};

/// Longest wait for what NATS knows of one queue.
const LIMIT: Duration = Duration::from_secs(5);

/// What the second look of a change says of its last error that was lost.
const LOST: &str = "what was known of its last try was lost";

/// Finds what nothing brings on.
pub struct Finder {
    /// What waits.
    pub view: View,
    /// Whose work it is.
    pub worker: Arc<Worker>,
    /// How often it is looked; what is overdue for as long is found.
    pub interval: Duration,
}

impl Finder {
    /// Looks until told to stop.
    pub async fn run(self, stop: CancellationToken) -> Result<(), BoxError> {
        let mut tick = tokio::time::interval(self.interval);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let vacancies = self.worker.releaser.slots.vacancies();
        loop {
            tokio::select! { _ = tick.tick() => {}, () = stop.cancelled() => return Ok(()) }
            let vacancies = *vacancies.borrow();
            let looked = tokio::select! {
                looked = self.look(vacancies) => looked,
                () = stop.cancelled() => return Ok(()),
            };
            if let Err(error) = looked {
                tracing::debug!(error = chain(&*error), "it is not known what nothing brings on");
            }
        }
    }

    async fn look(&self, vacancies: Vacancies) -> Result<(), BoxError> {
        let places = self.view.with(|index| index.places());
        // Without a slot nothing is brought on, and whoever waits for one is not lost.
        for (lane, shard) in places.into_iter().filter(|(lane, _)| vacancies.of(*lane) > 0) {
            let settled =
                tokio::time::timeout(LIMIT, self.settled(Place { lane, shard: Some(shard) })).await??;
            let since = now() - UnixMillis::try_from(self.interval.as_millis())?;
            for one in self.view.with(|index| index.stranded((lane, shard), settled, since)) {
                self.bring_on(&one).await?;
            }
        }
        Ok(())
    }

    /// The sequence up to which every message of a queue is settled.
    async fn settled(&self, place: Place) -> Result<u64, BoxError> {
        let stream = self.worker.events.context().get_stream_no_info(CHANGES).await?;
        let info = stream.consumer_info(place.consumer(&self.worker.cluster)).await?;
        Ok(info.ack_floor.stream_sequence)
    }

    async fn bring_on(&self, one: &Stranded) -> Result<(), BoxError> {
        let live = self.worker.releaser.deployments.get(&one.namespace, &one.name).await?;
        let Some(pointer) = live.and_then(|live| self.worker.releaser.held(&live)) else { return Ok(()) };
        let mut wake = Wake {
            cluster: self.worker.cluster.clone(),
            pointer,
            tries: 0,
            refusals: 0,
            last_error: LOST.to_owned(),
            obstacles: vec![],
            sequence: one.sequence,
            published: one.published.saturating_mul(1_000_000),
        };
        let subject = wake.address().wake()?;
        let last = self.worker.events.last_message(WAKE, &subject).await?;
        if let Some(last) = last.and_then(|message| open::<Wake>(&message).ok())
            && last.pointer.is_same_attempt(&wake.pointer)
        {
            // One more, so that it is no duplicate.
            wake.tries = last.tries.saturating_add(1);
            (wake.refusals, wake.last_error) = (last.refusals, last.last_error);
            wake.obstacles = last.obstacles;
        }
        tracing::info!(
            namespace = &*one.namespace,
            deployment = &*one.name,
            change = %wake.pointer.change,
            "nothing brought a change on any more; it is tried again"
        );
        publish(self.worker.events.context(), subject, &wake).await?;
        Ok(())
    }
}
