//! A request's body, received within its limits: size, time, and the memory that all bodies share.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures::StreamExt as _;

use super::limits::Limits;
use crate::metrics::Metrics;

/// Room made for a body before it is there; a client may promise more than it sends.
const PROMISED: usize = 64 * 1024;

/// The bytes of all bodies that are in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<AtomicUsize>);

/// A body, and its part of the memory until it is dropped.
pub(super) struct Received {
    pub(super) bytes: Bytes,
    _part: Part,
}

struct Part {
    memory: Memory,
    bytes: usize,
}

impl Part {
    /// Whether that many bytes more fit.
    fn grow(&mut self, bytes: usize, most: usize) -> bool {
        let before = self.memory.0.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        before + bytes <= most
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Why a body is not taken: a status, a word for the metric and a sentence for the client.
type Refused = (StatusCode, &'static str, &'static str);

const LARGE: Refused = (StatusCode::PAYLOAD_TOO_LARGE, "body", "the body is too large");
const BROKEN: Refused = (StatusCode::BAD_REQUEST, "body", "the body ended early");
const SLOW: Refused = (StatusCode::REQUEST_TIMEOUT, "slow", "the body took too long");
/// The API server's caller tries again; a webhook out of memory answers nobody.
pub(super) const CROWDED: Refused = (StatusCode::SERVICE_UNAVAILABLE, "crowded", "too many reviews at once");

/// The request's body, or the answer to one that is too large, too slow, or too much at this time.
pub(super) async fn receive(
    request: hyper::Request<Body>,
    memory: &Memory,
    limits: &Limits,
    metrics: &Metrics,
) -> Result<Received, Response> {
    let received = tokio::time::timeout(limits.body, read(request, memory, limits)).await;
    received.unwrap_or(Err(SLOW)).map_err(|refused| refuse(metrics, refused))
}

/// Counts a refusal and makes it a response.
pub(super) fn refuse(metrics: &Metrics, (status, reason, sentence): Refused) -> Response {
    metrics.rejected(reason);
    (status, sentence).into_response()
}

async fn read(request: hyper::Request<Body>, memory: &Memory, limits: &Limits) -> Result<Received, Refused> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let promised: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    if promised > limits.body_bytes {
        return Err(LARGE);
    }
    let mut part = Part { memory: memory.clone(), bytes: 0 };
    let mut bytes = Vec::with_capacity(promised.min(PROMISED));
    let mut frames = request.into_body().into_data_stream();
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|_| BROKEN)?;
        if bytes.len() + frame.len() > limits.body_bytes {
            return Err(LARGE);
        }
        if !part.grow(frame.len(), limits.memory) {
            return Err(CROWDED);
        }
        // The whole body in one piece, as nearly always: it need not be copied.
        if bytes.is_empty() && frame.len() == promised {
            return Ok(Received { bytes: frame, _part: part });
        }
        bytes.extend_from_slice(&frame);
    }
    Ok(Received { bytes: bytes.into(), _part: part })
}
