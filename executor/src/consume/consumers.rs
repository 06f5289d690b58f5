//! The durable pull consumers: one a lane and shard. Made again whenever one may be missing; that changes nothing
//! where it is there.

use std::time::Duration;

use async_nats::jetstream::{
    Context,
    consumer::{AckPolicy, DeliverPolicy, pull},
};
use contract::{
    stream::{self, CHANGES},
    subject,
};
use futures::{StreamExt as _, TryStreamExt as _};
use ops::{BoxError, streams};

use super::board::Place;

/// After this long without an acknowledgement a message is delivered again: longer than all the work on one.
const ACK_WAIT: Duration = Duration::from_secs(30);

/// Consumers that are created at the same time.
const AT_ONCE: usize = 16;

/// Longest wait for all of it.
const LIMIT: Duration = Duration::from_secs(20);

/// Sees to it that the streams and every consumer are there; `replicas` counts for streams created now.
pub(super) async fn ensure(context: &Context, cluster: &str, replicas: usize) -> Result<(), BoxError> {
    let all = async {
        streams::ensure(context, replicas).await?;
        let made = Place::all().map(|place| ensure_one(context, cluster, place));
        futures::stream::iter(made).buffer_unordered(AT_ONCE).try_collect::<()>().await
    };
    tokio::time::timeout(LIMIT, all).await?
}

async fn ensure_one(context: &Context, cluster: &str, Place { lane, shard }: Place) -> Result<(), BoxError> {
    let config = pull::Config {
        durable_name: Some(stream::consumer(cluster, lane, shard)),
        // The last message of each Deployment is all that counts: older ones were superseded by it.
        deliver_policy: DeliverPolicy::LastPerSubject,
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        // The server would stop in silence. We count, and give up aloud.
        max_deliver: -1,
        // Messages that wait for their delay count as well; how many are in hand is limited by who pulls.
        max_ack_pending: -1,
        filter_subject: subject::change_filter(cluster, lane, shard)?,
        ..pull::Config::default()
    };
    context.create_consumer_on_stream(config, CHANGES).await?;
    Ok(())
}
