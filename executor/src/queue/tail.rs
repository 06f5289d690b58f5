//! Reads the newest message on each subject of a stream, and then every new one, as long as the process lives. The
//! reading begins anew whenever one may have been missed. Batches with a limit of time and no heartbeat: a stream of
//! pulls stalls in the client under load.

use std::time::{Duration, Instant};

use async_nats::{
    Message,
    connection::State,
    jetstream::{
        self, Context,
        consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
    },
};
use futures::StreamExt as _;
use ops::{BoxError, chain};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::live::{UnixMillis, to_millis};

/// Messages in one batch.
const BATCH: usize = 512;

/// How long the server waits for new messages until a batch ends.
const EXPIRES: Duration = Duration::from_secs(5);

/// Longest wait for a message: above it the batch was lost.
const LIMIT: Duration = Duration::from_secs(10);

/// The server forgets a reader that was not heard of for this long.
const FORGOTTEN: Duration = Duration::from_mins(1);

/// Pauses between two readings: doubled from the first to the last, which is also the life after which the next
/// pause is the first.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// What is read, and from where.
pub(super) struct Tail {
    pub(super) context: Context,
    pub(super) stream: &'static str,
    pub(super) filter: String,
    /// Without payloads.
    pub(super) headers_only: bool,
}

/// What the reading tells.
pub(super) enum Told<'a> {
    /// It begins at the beginning.
    Begin,
    /// A message, its sequence in the stream, and when that took it.
    Message { message: &'a Message, sequence: u64, published: UnixMillis },
    /// All that stood in the stream was told; from here on it is new.
    End,
}

impl Tail {
    /// Follows until told to stop; reads anew when `again` says so.
    pub(super) async fn follow(
        &self,
        again: &Notify,
        stop: &CancellationToken,
        mut tell: impl FnMut(Told<'_>),
    ) {
        let mut pause = PAUSE.0;
        while !stop.is_cancelled() {
            let begun = Instant::now();
            // While disconnected every request would wait for its limit.
            let connected = self.context.client().connection_state() == State::Connected;
            if connected {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = again.notified() => tracing::debug!(stream = self.stream, "reading it again"),
                    read = self.read(&mut tell) => if let Err(error) = read {
                        tracing::debug!(stream = self.stream, error = chain(&*error), "reading it anew");
                    },
                }
            }
            let well = !connected || begun.elapsed() > PAUSE.1;
            pause = if well { PAUSE.0 } else { (pause * 2).min(PAUSE.1) };
            tokio::select! { () = tokio::time::sleep(pause) => {}, () = stop.cancelled() => return }
        }
    }

    /// Reads until something is wrong.
    async fn read(&self, tell: &mut impl FnMut(Told<'_>)) -> Result<(), BoxError> {
        let consumer = tokio::time::timeout(LIMIT, self.consumer()).await??;
        let mut left = consumer.cached_info().num_pending;
        let mut last = 0;
        tell(Told::Begin);
        if left == 0 {
            tell(Told::End);
        }
        loop {
            let batch = consumer.batch().max_messages(BATCH).expires(EXPIRES).messages();
            let mut batch = tokio::time::timeout(LIMIT, batch).await??;
            while let Some(message) = tokio::time::timeout(LIMIT, batch.next()).await? {
                let message: jetstream::Message = message?;
                let info = message.info()?;
                if info.consumer_sequence != last + 1 {
                    return Err("a message was missed".into());
                }
                last = info.consumer_sequence;
                tell(Told::Message {
                    message: &message.message,
                    sequence: info.stream_sequence,
                    published: to_millis(info.published),
                });
                if left > 0 {
                    left -= 1;
                    if left == 0 || info.pending == 0 {
                        left = 0;
                        tell(Told::End);
                    }
                }
            }
        }
    }

    async fn consumer(&self) -> Result<PullConsumer, BoxError> {
        let stream = self.context.get_stream_no_info(self.stream).await?;
        let config = pull::Config {
            deliver_policy: DeliverPolicy::LastPerSubject,
            ack_policy: AckPolicy::None,
            filter_subject: self.filter.clone(),
            headers_only: self.headers_only,
            inactive_threshold: FORGOTTEN,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        Ok(stream.create_consumer(config).await?)
    }
}
