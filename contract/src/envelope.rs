//! The envelope of every message: CloudEvents 1.0 in structured JSON mode, so that programs which know
//! nothing of Roadstead can still route it. <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The version of CloudEvents that we write and read.
const SPECVERSION: &str = "1.0";

/// What an envelope carries: a payload with a versioned type.
pub trait Payload: Serialize + DeserializeOwned {
    /// `type` of the envelope, version included. A payload that changes incompatibly gets a new one.
    const TYPE: &'static str;
    /// Unique with the source: also the message's `Nats-Msg-Id`.
    fn id(&self) -> String;
    /// Name of the cluster it comes from.
    fn cluster(&self) -> &str;
    /// Namespace and name of the Deployment it speaks of.
    fn deployment(&self) -> (&str, &str);
}

/// Why a message is not one of ours.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// No CloudEvents envelope, or a payload whose fields do not fit.
    #[error("not a message of Roadstead: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Another version of CloudEvents.
    #[error("specversion {0:?} is not supported; this version reads 1.0")]
    Specversion(String),
    /// Another payload, or a version of it from the future.
    #[error("type {found:?} is not supported; this version reads {expected}")]
    Type {
        /// The type in the message.
        found: String,
        /// The type that is read here.
        expected: &'static str,
    },
}

#[derive(Serialize)]
struct Outgoing<'a, P> {
    specversion: &'static str,
    id: String,
    source: String,
    r#type: &'static str,
    subject: String,
    time: String,
    datacontenttype: &'static str,
    data: &'a P,
}

#[derive(Deserialize)]
struct Incoming<'a> {
    specversion: String,
    r#type: String,
    #[serde(borrow)]
    data: &'a serde_json::value::RawValue,
}

/// Wraps a payload; `time` is when it is published.
///
/// # Errors
/// None for the payloads of this crate: their keys are texts.
pub fn seal<P: Payload>(payload: &P, time: OffsetDateTime) -> Result<Vec<u8>, serde_json::Error> {
    let (namespace, name) = payload.deployment();
    serde_json::to_vec(&Outgoing {
        specversion: SPECVERSION,
        id: payload.id(),
        source: format!("/roadstead/{}", payload.cluster()),
        r#type: P::TYPE,
        subject: format!("{namespace}/{name}"),
        time: time.format(&Rfc3339).unwrap_or_default(),
        datacontenttype: "application/json",
        data: payload,
    })
}

/// Unwraps a payload.
///
/// # Errors
/// See [`EnvelopeError`]; the type is looked at before the payload, so that a message from the future says so.
pub fn open<P: Payload>(message: &[u8]) -> Result<P, EnvelopeError> {
    let envelope: Incoming<'_> = serde_json::from_slice(message)?;
    if envelope.specversion != SPECVERSION {
        return Err(EnvelopeError::Specversion(envelope.specversion.chars().take(40).collect()));
    }
    if envelope.r#type != P::TYPE {
        let found = envelope.r#type.chars().take(80).collect();
        return Err(EnvelopeError::Type { found, expected: P::TYPE });
    }
    Ok(serde_json::from_str(envelope.data.get())?)
}
