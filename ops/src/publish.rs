//! Publishing a message of the contract and waiting for the server's word that it is kept.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    header::NATS_MESSAGE_ID,
    jetstream::{self, context::PublishError},
};
use contract::envelope::{Payload, seal};
use time::OffsetDateTime;

/// How long a publish may take, acknowledgement included. While disconnected the client would wait without a
/// limit. A publish that timed out can still land: the message id makes the next try a duplicate.
const PUBLISH: Duration = Duration::from_secs(5);

/// Why a message is not known to be kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The payload cannot be written.
    #[error("cannot encode the message")]
    Encode(#[from] serde_json::Error),
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
    let message = seal(payload, OffsetDateTime::now_utc())?;
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, payload.id().as_str());
    let kept = async {
        let ack = context.publish_with_headers(subject, headers, message.into()).await?.await?;
        Ok(if ack.duplicate { Kept::Duplicate } else { Kept::New })
    };
    tokio::time::timeout(PUBLISH, kept).await.unwrap_or(Err(Error::Timeout))
}
