//! Publishing a message of the contract and waiting for the server's word that it is kept.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    header::NATS_MESSAGE_ID,
    jetstream::{self, context::PublishError},
};
use contract::envelope::{Payload, seal};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// How long a publish may take, acknowledgement included. While disconnected the client would wait without a
/// limit. A publish that timed out can still land: the message id makes the next try a duplicate.
const PUBLISH: Duration = Duration::from_secs(5);

/// When the server is to put a message on its target.
pub const SCHEDULE: &str = "Nats-Schedule";

/// Where it is to put it.
const SCHEDULE_TARGET: &str = "Nats-Schedule-Target";

/// Why a message is not known to be kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The payload cannot be written.
    #[error("cannot encode the message")]
    Encode(#[from] serde_json::Error),
    /// The time has no text.
    #[error("cannot write down the time of a second look")]
    Time(#[from] time::error::Format),
    /// The server refused it or is away.
    #[error("NATS did not take the message")]
    Publish(#[from] PublishError),
    /// No acknowledgement in time.
    #[error("NATS did not acknowledge within {} s", PUBLISH.as_secs())]
    Timeout,
}

/// What the server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// A new message.
    New,
    /// The stream had one of the same id.
    Duplicate,
}

/// Publishes a payload in its envelope, with its id as `Nats-Msg-Id`.
pub async fn publish<P: Payload>(
    context: &jetstream::Context,
    subject: String,
    payload: &P,
) -> Result<Kept, Error> {
    publish_with(context, subject, HeaderMap::new(), payload).await
}

/// Publishes a payload that the server puts on `target` when its time has come; until then it stands on `subject`,
/// where the next one takes its place.
/// <https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-51.md>
pub async fn schedule<P: Payload>(
    context: &jetstream::Context,
    subject: String,
    target: &str,
    at: OffsetDateTime,
    payload: &P,
) -> Result<Kept, Error> {
    let mut headers = HeaderMap::new();
    headers.insert(SCHEDULE, format!("@at {}", at.format(&Rfc3339)?).as_str());
    headers.insert(SCHEDULE_TARGET, target);
    publish_with(context, subject, headers, payload).await
}

async fn publish_with<P: Payload>(
    context: &jetstream::Context,
    subject: String,
    mut headers: HeaderMap,
    payload: &P,
) -> Result<Kept, Error> {
    let message = seal(payload, OffsetDateTime::now_utc())?;
    headers.insert(NATS_MESSAGE_ID, payload.id().as_str());
    let kept = async {
        let ack = context.publish_with_headers(subject, headers, message.into()).await?.await?;
        Ok(if ack.duplicate { Kept::Duplicate } else { Kept::New })
    };
    tokio::time::timeout(PUBLISH, kept).await.unwrap_or(Err(Error::Timeout))
}
