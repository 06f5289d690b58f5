//! One message in hand: pulled, and settled once. This is the only file that talks to NATS about
//! acknowledgements.

use std::time::Duration;

use async_nats::{
    Client, Message, StatusCode,
    jetstream::{self, Context},
};
use contract::subject::{ChangeSubject, SubjectError};
use ops::{BoxError, chain};

use super::{
    Worker,
    board::{Patience, Pick},
    inbox::Inboxes,
    place::Place,
};
use crate::{
    metrics::Metrics,
    outcome::{Outcome, Reason},
    queue::Queued,
};

/// Longest wait for the answer to a pull. The server answers soon, also when there is nothing.
const PULL: Duration = Duration::from_secs(2);

/// Longest wait for the answer to an acknowledgement.
const SETTLE: Duration = Duration::from_secs(3);

/// One message, in the form that the server understands.
/// <https://docs.nats.io/reference/reference-protocols/nats_api_reference>
const fn request(patience: Patience) -> &'static str {
    match patience {
        Patience::None => r#"{"batch":1,"no_wait":true}"#,
        // Nanoseconds.
        Patience::Look => r#"{"batch":1,"expires":50000000}"#,
        Patience::Stored => r#"{"batch":1,"expires":250000000}"#,
    }
}

/// A message in hand.
pub(super) struct Delivery {
    message: Message,
    reply: async_nats::Subject,
    /// The queue that it comes from.
    pub(super) place: Place,
    /// Its sequence in that queue's stream.
    pub(super) sequence: u64,
    /// When that stream took it, in nanoseconds since 1970.
    pub(super) published: i128,
    /// How often it was delivered, this time included.
    pub(super) delivered: u64,
    /// Messages behind it in its queue.
    pub(super) behind: u64,
}

/// Why there is no answer to a pull.
#[derive(Debug, thiserror::Error)]
pub(super) enum PullError {
    #[error("NATS did not answer a pull")]
    Request(#[from] async_nats::RequestError),
    #[error("NATS answered a pull with {0}")]
    Status(StatusCode),
    #[error("NATS delivered a message that cannot be acknowledged: {0}")]
    NoReply(String),
}

/// Pulls one message; `None` where the queue is empty.
pub(super) async fn pull(
    context: &Context,
    inboxes: &Inboxes,
    cluster: &str,
    pick: &Pick,
) -> Result<Option<Delivery>, PullError> {
    let client = context.client();
    let (stream, queue) = (pick.place.stream(), pick.place.consumer(cluster));
    // The answer comes with the message's subject: an inbox that others share at the same time would not know it.
    let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{queue}");
    let message = inboxes.request(&client, subject, request(pick.patience), PULL).await?;
    #[cfg(feature = "seeded-bugs")]
    if ops::seeded::seeded("ack-before-release")
        && let Some(reply) = message.reply.clone()
    {
        let _ = client.publish(reply, "+ACK".into()).await;
    }
    match message.status {
        None => {
            let delivery = Delivery::of(message, pick.place, context);
            delivery.map(Some).map_err(|error| PullError::NoReply(error.to_string()))
        }
        Some(StatusCode::NOT_FOUND | StatusCode::TIMEOUT) => Ok(None),
        Some(status) => Err(PullError::Status(status)),
    }
}

impl Delivery {
    fn of(message: Message, place: Place, context: &Context) -> Result<Self, BoxError> {
        let reply = message.reply.clone().ok_or("it has no reply subject")?;
        let message = jetstream::Message { message, context: context.clone() };
        let info = message.info()?;
        Ok(Self {
            place,
            sequence: info.stream_sequence,
            published: info.published.unix_timestamp_nanos(),
            delivered: u64::try_from(info.delivered).unwrap_or(1),
            behind: info.pending,
            reply,
            message: message.message.clone(),
        })
    }

    /// Where it belongs: the Deployment and the lane of its subject.
    pub(super) fn address(&self) -> Result<ChangeSubject, SubjectError> {
        match self.place.shard {
            Some(_) => ChangeSubject::parse(&self.message.subject),
            None => ChangeSubject::parse_wake(&self.message.subject),
        }
    }

    /// What a message of the queue says without being read: which change of the lane it is; `None` where it is none
    /// of ours.
    pub(super) fn queued(&self) -> Option<Queued> {
        let published = i64::try_from(self.published / 1_000_000).ok()?;
        self.place.shard.and_then(|_| Queued::read(&self.message, self.place.lane, self.sequence, published))
    }

    /// What it says.
    pub(super) fn payload(&self) -> &[u8] {
        &self.message.payload
    }

    /// The subject that it was on.
    pub(super) fn subject(&self) -> &str {
        &self.message.subject
    }

    /// Settles it; answers where and when something comes again, if it does. What fails here is delivered again after
    /// the ack wait, and then found to be done.
    pub(super) async fn settle(self, outcome: Outcome, worker: &Worker) -> Option<(Place, Duration)> {
        let (client, metrics) = (worker.events.context().client(), &worker.metrics);
        match outcome {
            Outcome::Done => self.answer(&client, "+ACK").await,
            Outcome::Retry(pause, reason) => return self.put_back(&client, pause, reason, metrics).await,
            Outcome::Wakes(pause, reason) => {
                metrics.retried(reason.as_str());
                self.answer(&client, "+ACK").await;
                return Some((Place::wake(self.place.lane), pause));
            }
            Outcome::Dead(error) => {
                if let Err(failure) = worker.bury(&self, error).await {
                    tracing::warn!(error = chain(&failure), "a dead letter is not kept yet");
                    let pause = Reason::Nats.pause(self.delivered);
                    return self.put_back(&client, pause, Reason::Nats, metrics).await;
                }
                self.answer(&client, "+TERM given up, see ROADSTEAD_DEAD").await;
            }
        }
        None
    }

    /// Says that it is done with, and waits for the server's word: an acknowledgement that got lost would bring
    /// the message again. Not async-nats' `double_ack`: it takes any answer for a yes.
    async fn answer(&self, client: &Client, word: &'static str) {
        let asked = client.request(self.reply.clone(), word.into());
        let error: BoxError = match tokio::time::timeout(SETTLE, asked).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => error.into(),
            Err(elapsed) => elapsed.into(),
        };
        tracing::warn!(
            subject = %self.message.subject,
            sequence = self.sequence,
            error = chain(&*error),
            "a message is not acknowledged and will come again"
        );
    }

    async fn put_back(
        &self,
        client: &Client,
        pause: Duration,
        reason: Reason,
        metrics: &Metrics,
    ) -> Option<(Place, Duration)> {
        metrics.retried(reason.as_str());
        // Without a delay it is the next that is delivered, before what stands behind it.
        let delayed = || format!(r#"-NAK {{"delay": {}}}"#, pause.as_nanos());
        let word = if pause.is_zero() { "-NAK".to_owned() } else { delayed() };
        let sent = tokio::time::timeout(SETTLE, client.publish(self.reply.clone(), word.into())).await;
        matches!(sent, Ok(Ok(()))).then_some((self.place, pause))
    }
}
