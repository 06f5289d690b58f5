//! Trouble between a client and the API server: answers that come late, that are refusals of the proxy itself, or
//! that hide what the API server has done.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use kube::client::Body;
use serde_json::json;

use super::{Matcher, Proxy, Shared, lock};

/// What becomes of a request that is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It waits so long before it is forwarded.
    Late(Duration),
    /// The API server never sees it; this status is the answer.
    Refused(u16),
    /// The API server does it; this status is the answer.
    Hidden(u16),
}

/// Trouble for as long as this value lives.
#[derive(Debug)]
pub struct Disturbance {
    rule: Arc<Disturbed>,
    shared: Arc<Shared>,
}

/// Which requests meet which trouble.
pub(super) struct Disturbed {
    matches: Matcher,
    every: usize,
    trouble: Trouble,
    seen: AtomicUsize,
    hit: AtomicUsize,
}

impl fmt::Debug for Disturbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disturbed").field("trouble", &self.trouble).finish_non_exhaustive()
    }
}

impl Proxy {
    /// One in `every` matching requests meets this trouble.
    #[must_use]
    pub fn disturb(
        &self,
        every: usize,
        trouble: Trouble,
        matches: impl Fn(&Parts) -> bool + Send + Sync + 'static,
    ) -> Disturbance {
        let (seen, hit) = (AtomicUsize::default(), AtomicUsize::default());
        let rule =
            Arc::new(Disturbed { matches: Box::new(matches), every: every.max(1), trouble, seen, hit });
        lock(&self.shared.disturbed).push(Arc::clone(&rule));
        Disturbance { rule, shared: Arc::clone(&self.shared) }
    }
}

impl Disturbance {
    /// How many requests met it so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rule.hit.load(Ordering::Relaxed)
    }
}

impl Drop for Disturbance {
    fn drop(&mut self) {
        lock(&self.shared.disturbed).retain(|rule| !Arc::ptr_eq(rule, &self.rule));
    }
}

impl Shared {
    /// The trouble that a request meets.
    pub(super) fn trouble(&self, parts: &Parts) -> Option<Trouble> {
        let rule = lock(&self.disturbed).iter().find(|rule| (rule.matches)(parts)).cloned()?;
        let is_turn = rule.seen.fetch_add(1, Ordering::Relaxed) % rule.every == 0;
        is_turn.then(|| {
            rule.hit.fetch_add(1, Ordering::Relaxed);
            rule.trouble
        })
    }
}

/// A refusal as the API server words it: with `Retry-After` where it is about too many requests.
pub(super) fn refusal(status: u16) -> Response<Body> {
    let too_many = status == 429;
    let reason = if too_many { "TooManyRequests" } else { "InternalError" };
    let status_object = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "reason": reason,
        "message": "the testbed's proxy says so",
        "details": if too_many { json!({ "retryAfterSeconds": 1 }) } else { json!({}) },
    });
    let mut answer = Response::new(Body::from(status_object.to_string().into_bytes()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    if too_many {
        headers.insert("retry-after", hyper::header::HeaderValue::from_static("1"));
    }
    answer
}
