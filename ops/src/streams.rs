//! Makes the streams of the contract, and refuses one that would forget what it acknowledged. An existing
//! stream keeps its limits: an operator may have raised them.

use async_nats::{
    Client,
    jetstream::{
        self, ErrorCode,
        context::{CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind},
        stream::{Config, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType},
    },
};
use contract::stream::{STREAMS, StreamLayout};

/// Why a stream cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The server did not say whether it is there.
    #[error("cannot look up stream {name}")]
    LookUp {
        /// Name of the stream.
        name: &'static str,
        /// Why.
        #[source]
        source: GetStreamError,
    },
    /// The server did not create it.
    #[error("cannot create stream {name}; check that JetStream is enabled and has room")]
    Create {
        /// Name of the stream.
        name: &'static str,
        /// Why.
        #[source]
        source: CreateStreamError,
    },
    /// It would lose acknowledged messages.
    #[error(
        "stream {name} has {what}: an acknowledged change could be lost; create it with file storage and synchronous persistence"
    )]
    Volatile {
        /// Name of the stream.
        name: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// A JetStream context whose requests end within [`crate::nats::REQUEST`].
#[must_use]
pub fn jetstream(client: &Client) -> jetstream::Context {
    let mut context = jetstream::new(client.clone());
    context.set_timeout(crate::nats::REQUEST);
    context
}

/// Sees to it that every stream of the contract is there; `replicas` counts for those created now.
pub async fn ensure(context: &jetstream::Context, replicas: usize) -> Result<(), StreamError> {
    for layout in &STREAMS {
        ensure_one(context, layout, replicas).await?;
    }
    Ok(())
}

async fn ensure_one(
    context: &jetstream::Context,
    layout: &StreamLayout,
    replicas: usize,
) -> Result<(), StreamError> {
    let name = layout.name;
    let config = match context.get_stream(name).await {
        Ok(stream) => stream.cached_info().config.clone(),
        Err(error) if is_not_found(&error) => match context.create_stream(config(layout, replicas)).await {
            Ok(stream) => {
                tracing::info!(stream = name, "created a stream");
                stream.cached_info().config.clone()
            }
            // Another replica was faster.
            Err(error) if is_taken(&error) => return Ok(()),
            Err(source) => return Err(StreamError::Create { name, source }),
        },
        Err(source) => return Err(StreamError::LookUp { name, source }),
    };
    let volatile = |what| Err(StreamError::Volatile { name, what });
    match (config.storage, config.persist_mode) {
        (StorageType::Memory, _) => volatile("memory storage"),
        (_, Some(PersistenceMode::Async)) => volatile("persist_mode async"),
        _ => Ok(()),
    }
}

fn config(layout: &StreamLayout, replicas: usize) -> Config {
    Config {
        name: layout.name.to_owned(),
        subjects: layout.subjects.iter().map(|subject| (*subject).to_owned()).collect(),
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        storage: StorageType::File,
        max_messages_per_subject: layout.messages_per_subject,
        max_age: layout.age,
        num_replicas: replicas,
        allow_message_schedules: layout.schedules,
        ..Config::default()
    }
}

/// Whether the server said that there is no such stream.
#[must_use]
pub fn is_not_found(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn is_taken(error: &CreateStreamError) -> bool {
    matches!(error.kind(), CreateStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST)
}
