//! The durable pull consumers: one a lane and shard, and one of what wakes in each lane. Made again whenever one may be missing; that changes nothing
//! where it is there.

use std::{collections::HashMap, time::Duration};

use async_nats::jetstream::{
    Context,
    consumer::{AckPolicy, Config as Known, DeliverPolicy, pull},
};
use contract::{
    stream::{CHANGES, WAKE},
    subject::{self, SubjectError},
};
use futures::{StreamExt as _, TryStreamExt as _};
use ops::{BoxError, streams};

use super::place::Place;

/// After this long without an acknowledgement a message is delivered again: longer than all the work on one.
const ACK_WAIT: Duration = Duration::from_secs(30);

/// Consumers that are created at the same time. The server creates one after the other, each with several writes
/// that reach the disk before it answers.
const AT_ONCE: usize = 8;

/// Longest wait for all of it.
const LIMIT: Duration = Duration::from_secs(30);

/// Sees to it that the streams and every consumer are there; `replicas` counts for streams created now.
pub(super) async fn ensure(context: &Context, cluster: &str, replicas: usize) -> Result<(), BoxError> {
    let all = async {
        streams::ensure(context, replicas).await?;
        let mut there = HashMap::new();
        for name in [CHANGES, WAKE] {
            let stream = context.get_stream_no_info(name).await?;
            let known: Vec<_> = stream.consumers().try_collect().await?;
            there.extend(known.into_iter().map(|info| (info.name, info.config)));
        }
        let made = Place::all().map(async |place| {
            let config = config(cluster, place)?;
            let known = config.durable_name.as_ref().and_then(|name| there.get(name));
            if known.is_none_or(|known| differs(known, &config)) {
                context.create_consumer_on_stream(config, place.stream()).await?;
            }
            Ok::<_, BoxError>(())
        });
        // Every one is tried, so that the next try has less to do.
        let mut made = futures::stream::iter(made).buffer_unordered(AT_ONCE);
        let mut result = Ok(());
        while let Some(one) = made.next().await {
            result = result.and(one);
        }
        result
    };
    tokio::time::timeout(LIMIT, all).await.map_err(|_| "the consumers could not be made in time")?
}

fn config(cluster: &str, place: Place) -> Result<pull::Config, SubjectError> {
    Ok(pull::Config {
        durable_name: Some(place.consumer(cluster)),
        // The last message of each Deployment is all that counts: older ones were superseded by it.
        deliver_policy: DeliverPolicy::LastPerSubject,
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        // The server would stop in silence. We count, and give up aloud.
        max_deliver: -1,
        // Messages that wait for their delay count as well; how many are in hand is limited by who pulls.
        max_ack_pending: -1,
        filter_subject: match place.shard {
            Some(shard) => subject::change_filter(cluster, place.lane, shard)?,
            None => subject::wake_filter(cluster, place.lane)?,
        },
        ..pull::Config::default()
    })
}

/// Whether a consumer is to be brought up to date; what an operator set beside is left alone.
fn differs(known: &Known, wanted: &pull::Config) -> bool {
    (known.ack_wait, known.max_deliver, known.max_ack_pending, &known.filter_subject)
        != (wanted.ack_wait, wanted.max_deliver, wanted.max_ack_pending, &wanted.filter_subject)
}
