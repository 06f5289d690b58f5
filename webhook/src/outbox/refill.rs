//! Notices that NATS forgot: a stream that is missing or is another one than before is made again and filled
//! from the held Deployments. Also notices that a lane or a namespace's rules changed, and looks again from time
//! to time, in case a message was lost in a way that nobody told of.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::Context;
use contract::stream::CHANGES;
use ops::{BoxError, chain, namespaces::Namespaces, streams};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;

/// How often the stream is looked at; a lost stream delays changes by as much.
const LOOK: Duration = Duration::from_secs(2);

/// How often every held Deployment is compared with the stream, whatever the stream looks like.
const COMPARE: Duration = Duration::from_mins(5);

/// What tells one stream from another that took its place, and from itself after a purge.
#[derive(PartialEq)]
struct Identity {
    created: OffsetDateTime,
    purged: bool,
}

/// Looks until told to stop.
pub async fn run(
    context: Context,
    replicas: usize,
    namespaces: Namespaces,
    backlog: Arc<Backlog>,
    stop: CancellationToken,
) -> Result<(), BoxError> {
    let mut known = None;
    let mut compared = Instant::now();
    let mut changed = namespaces.subscribe();
    loop {
        match look(&context, replicas).await {
            Ok(found) => {
                if known.as_ref().is_some_and(|known| *known != found) {
                    tracing::warn!(
                        "the stream of changes lost its messages; filling it from the held Deployments"
                    );
                }
                if known.as_ref() != Some(&found) || compared.elapsed() > COMPARE {
                    backlog.again(|_| true);
                    compared = Instant::now();
                }
                known = Some(found);
            }
            Err(error) => {
                tracing::warn!(error = chain(&*error), "cannot look at the stream of changes; looking again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            Ok(()) = changed.changed() => backlog.again(|_| true),
            () = stop.cancelled() => return Ok(()),
        }
    }
}

async fn look(context: &Context, replicas: usize) -> Result<Identity, BoxError> {
    streams::ensure(context, replicas).await?;
    let info = context.get_stream(CHANGES).await?.cached_info().clone();
    let purged = info.state.messages == 0 && info.state.last_sequence > 0;
    Ok(Identity { created: info.created, purged })
}
