//! Answers: objects, lists and errors as the API server writes them.

use std::convert::Infallible;

use futures::{Stream, StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    body::{Bytes, Frame},
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{store::Page, watch::Events};

/// A body, whole or in pieces.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// How much of an object is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// All of it.
    Whole,
    /// `metadata` only.
    Metadata,
}

impl Form {
    /// What `Accept` asks for.
    pub(super) fn of_accept(accept: Option<&HeaderValue>) -> Self {
        let text = accept.and_then(|value| value.to_str().ok()).unwrap_or_default();
        if text.contains("as=PartialObjectMetadata") { Self::Metadata } else { Self::Whole }
    }

    /// An object in this form.
    pub(super) fn of(self, body: &Bytes) -> Bytes {
        #[derive(Deserialize)]
        struct Part<'a> {
            #[serde(borrow)]
            metadata: &'a RawValue,
        }
        match serde_json::from_slice::<Part<'_>>(body) {
            Ok(part) if self == Self::Metadata => {
                let head = r#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":"#;
                [head, part.metadata.get(), "}"].concat().into()
            }
            _ => body.clone(),
        }
    }

    /// A page in this form.
    pub(super) fn of_page(self, page: &Page) -> Bytes {
        let metadata = json!({ "resourceVersion": page.version.to_string(), "continue": page.next });
        let (kind, version) = match self {
            Self::Whole => ("List", "v1"),
            Self::Metadata => ("PartialObjectMetadataList", "meta.k8s.io/v1"),
        };
        let head = format!(r#"{{"kind":"{kind}","apiVersion":"{version}","metadata":{metadata},"items":["#);
        let mut text = head.into_bytes();
        for (number, body) in page.bodies.iter().enumerate() {
            if number > 0 {
                text.push(b',');
            }
            text.extend_from_slice(&self.of(body));
        }
        text.extend_from_slice(b"]}");
        text.into()
    }
}

/// A refusal.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) code: StatusCode,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Refused {
    pub(super) fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into() }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", format!("{what} not found"))
    }

    pub(super) fn status(&self) -> Bytes {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code.as_u16(),
        });
        status.to_string().into()
    }
}

/// An answer with a body that is whole.
pub(super) fn whole(code: StatusCode, body: Bytes) -> Response<Body> {
    with_body(code, Full::new(body).boxed_unsync())
}

/// An answer that goes on as long as something is told.
pub(super) fn told(events: Events) -> Response<Body> {
    with_body(StatusCode::OK, StreamBody::new(frames(events)).boxed_unsync())
}

fn frames(events: Events) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send {
    let pieces = stream::unfold(events, async |mut events| Some((events.next().await?, events)));
    pieces.map(|piece| Ok(Frame::data(piece)))
}

fn with_body(code: StatusCode, body: Body) -> Response<Body> {
    let mut answer = Response::new(body);
    *answer.status_mut() = code;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
