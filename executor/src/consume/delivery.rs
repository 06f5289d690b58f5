//! One message in hand: pulled, and settled once. This is the only file that talks to NATS about
//! acknowledgements.

use std::time::Duration;

use async_nats::{
    Client, Message, StatusCode,
    jetstream::{self, Context},
};
use contract::{
    Change, DeadLetter, Lane,
    stream::{CHANGES, consumer},
    subject::{self, ChangeSubject},
};
use ops::{BoxError, chain, publish::publish};

use super::{
    board::{Patience, Pick},
    inbox::Inboxes,
};
use crate::{
    error::Failure,
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
    /// Its sequence in the stream.
    pub(super) sequence: u64,
    published: i128,
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
    let queue = consumer(cluster, pick.place.lane, pick.place.shard);
    // The answer comes with the message's subject: an inbox that others share at the same time would not know it.
    let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{CHANGES}.{queue}");
    let message = inboxes.request(&client, subject, request(pick.patience), PULL).await?;
    #[cfg(feature = "seeded-bugs")]
    if ops::seeded::seeded("ack-before-release")
        && let Some(reply) = message.reply.clone()
    {
        let _ = client.publish(reply, "+ACK".into()).await;
    }
    match message.status {
        None => {
            Delivery::of(message, context).map(Some).map_err(|error| PullError::NoReply(error.to_string()))
        }
        Some(StatusCode::NOT_FOUND | StatusCode::TIMEOUT) => Ok(None),
        Some(status) => Err(PullError::Status(status)),
    }
}

impl Delivery {
    fn of(message: Message, context: &Context) -> Result<Self, BoxError> {
        let reply = message.reply.clone().ok_or("it has no reply subject")?;
        let message = jetstream::Message { message, context: context.clone() };
        let info = message.info()?;
        Ok(Self {
            sequence: info.stream_sequence,
            published: info.published.unix_timestamp_nanos(),
            delivered: u64::try_from(info.delivered).unwrap_or(1),
            behind: info.pending,
            reply,
            message: message.message.clone(),
        })
    }

    /// The change that it carries, if it is a message of ours on the subject where it belongs.
    pub(super) fn change(&self, cluster: &str) -> Result<Change, Failure> {
        let address = ChangeSubject::parse(&self.message.subject)?;
        let change: Change = contract::envelope::open(&self.message.payload)?;
        let says = ChangeSubject {
            cluster: change.cluster.clone(),
            lane: change.lane,
            namespace: change.namespace.clone(),
            name: change.name.clone(),
        };
        if says == address && says.cluster == cluster { Ok(change) } else { Err(Failure::Misaddressed) }
    }

    /// What it says without being read: which change of the lane it is; `None` where it is none of ours.
    pub(super) fn queued(&self, lane: Lane) -> Option<Queued> {
        let published = i64::try_from(self.published / 1_000_000).ok()?;
        Queued::read(&self.message, lane, self.sequence, published)
    }

    /// The subject that it was on.
    pub(super) fn subject(&self) -> &str {
        &self.message.subject
    }

    /// Settles it; answers when it comes again, if it does. What fails here is delivered again after the ack wait,
    /// and then found to be done.
    pub(super) async fn settle(
        self,
        outcome: Outcome,
        context: &Context,
        cluster: &str,
        metrics: &Metrics,
    ) -> Option<Duration> {
        let client = context.client();
        match outcome {
            Outcome::Done => self.answer(&client, "+ACK").await,
            Outcome::Retry(pause, reason) => return self.put_back(&client, pause, reason, metrics).await,
            Outcome::Dead(error) => {
                if let Err(failure) = self.bury(context, cluster, error).await {
                    tracing::warn!(error = chain(&failure), "a dead letter is not kept yet");
                    let pause = Reason::Nats.pause(self.delivered);
                    return self.put_back(&client, pause, Reason::Nats, metrics).await;
                }
                metrics.buried();
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
    ) -> Option<Duration> {
        metrics.retried(reason.as_str());
        // Without a delay it is the next that is delivered, before what stands behind it.
        let delayed = || format!(r#"-NAK {{"delay": {}}}"#, pause.as_nanos());
        let word = if pause.is_zero() { "-NAK".to_owned() } else { delayed() };
        let sent = tokio::time::timeout(SETTLE, client.publish(self.reply.clone(), word.into())).await;
        matches!(sent, Ok(Ok(()))).then_some(pause)
    }

    async fn bury(&self, context: &Context, cluster: &str, error: String) -> Result<(), Failure> {
        let address = ChangeSubject::parse(&self.message.subject).ok();
        let (namespace, name) = address.map_or_else(
            || (DeadLetter::UNREADABLE.to_owned(), self.sequence.to_string()),
            |address| (address.namespace, address.name),
        );
        tracing::error!(
            namespace,
            deployment = name,
            sequence = self.sequence,
            error,
            "a message is given up"
        );
        let subject = subject::dead(cluster, &namespace, &name)?;
        let letter = DeadLetter {
            cluster: cluster.to_owned(),
            namespace,
            name,
            subject: self.message.subject.to_string(),
            sequence: self.sequence,
            published: self.published,
            attempts: self.delivered,
            error,
            change: contract::envelope::open(&self.message.payload).ok(),
            raw: None,
            truncated: false,
        };
        let letter = if letter.change.is_some() { letter } else { letter.with_raw(&self.message.payload) };
        publish(context, subject, &letter).await?;
        Ok(())
    }
}
