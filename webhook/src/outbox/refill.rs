//! Notices that NATS forgot: a stream that is missing or is another one than before is made again and filled
//! from the held Deployments. Also notices that the rules of a namespace changed, and looks again from time to
//! time, in case messages were lost in a way that the stream's numbers do not tell.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::Context;
use contract::stream::CHANGES;
use ops::{BoxError, chain, namespaces::Namespaces, streams};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;

/// How often the stream is looked at; a lost stream delays changes by as much.
const LOOK: Duration = Duration::from_secs(2);

/// How long a look may take; while disconnected the client would wait without a limit.
const LIMIT: Duration = Duration::from_secs(15);

/// How often every held Deployment is compared with the stream, whatever its numbers say.
const COMPARE: Duration = Duration::from_mins(5);

/// What tells a stream from another one that took its place, and from itself after it lost messages.
struct Seen {
    created: OffsetDateTime,
    first: u64,
    last: u64,
}

impl Seen {
    /// Whether messages that stood in the stream then may be missing now. Old ones are displaced by newer ones of
    /// the same Deployment all the time: that is no loss.
    fn has_lost(&self, now: &Self) -> bool {
        self.created != now.created || now.last < self.last || now.first > self.last.max(1)
    }
}

/// Looks after the stream of changes.
pub struct Refill {
    pub(super) context: Context,
    pub(super) replicas: usize,
    pub(super) namespaces: Namespaces,
    /// Says whether the stream is one to publish into.
    pub(super) usable: watch::Sender<bool>,
}

impl Refill {
    /// Looks until told to stop.
    pub async fn run(self, backlog: Arc<Backlog>, stop: CancellationToken) -> Result<(), BoxError> {
        let Self { context, replicas, namespaces, usable } = self;
        let mut known: Option<Seen> = None;
        let mut compared = Instant::now();
        let mut changed = namespaces.subscribe();
        loop {
            let looked = tokio::select! {
                looked = tokio::time::timeout(LIMIT, look(&context, replicas)) => looked,
                () = stop.cancelled() => return Ok(()),
            };
            match looked.map_err(BoxError::from).flatten() {
                Ok(seen) => {
                    let lost = known.as_ref().is_some_and(|known| known.has_lost(&seen));
                    #[cfg(feature = "seeded-bugs")]
                    let lost = lost && !ops::seeded::seeded("forget-refill");
                    if lost {
                        tracing::warn!(
                            "the stream of changes lost messages; filling it from the held Deployments"
                        );
                    }
                    if lost || known.is_none() || compared.elapsed() > COMPARE {
                        backlog.again(|_| true);
                        compared = Instant::now();
                    }
                    known = Some(seen);
                    usable.send_replace(true);
                }
                Err(error) => {
                    usable.send_replace(false);
                    tracing::warn!(
                        error = chain(&*error),
                        "the stream of changes is not usable; changes wait; looking again"
                    );
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                Ok(()) = changed.changed() => backlog.again(|_| true),
                () = stop.cancelled() => return Ok(()),
            }
        }
    }
}

async fn look(context: &Context, replicas: usize) -> Result<Seen, BoxError> {
    streams::ensure(context, replicas).await?;
    let stream = context.get_stream(CHANGES).await?;
    let info = stream.cached_info();
    Ok(Seen { created: info.created, first: info.state.first_sequence, last: info.state.last_sequence })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(created: i64, first: u64, last: u64) -> Seen {
        Seen { created: OffsetDateTime::from_unix_timestamp(created).unwrap(), first, last }
    }

    #[test]
    fn a_stream_that_was_made_anew_purged_or_cut_has_lost_messages() {
        let known = seen(1, 5, 9);
        for now in [seen(2, 5, 9), seen(1, 5, 8), seen(1, 10, 9), seen(1, 12, 14), seen(2, 0, 0)] {
            assert!(known.has_lost(&now), "{} {} {}", now.created, now.first, now.last);
        }
    }

    #[test]
    fn a_stream_that_grew_or_displaced_old_messages_has_not() {
        assert!(!seen(1, 0, 0).has_lost(&seen(1, 1, 7)));
        for now in [seen(1, 5, 9), seen(1, 5, 20), seen(1, 9, 20)] {
            assert!(!seen(1, 5, 9).has_lost(&now), "{} {}", now.first, now.last);
        }
    }
}
