//! `/hold` and `/gate`: parse, decide, answer. A review that cannot be read gets 400 and the reason; one that we
//! are not configured for is allowed unchanged; a panic costs that one review.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest as _, Request as HttpRequest, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::FutureExt as _;

use crate::{
    answer::Answer,
    gate::{self, Owners},
    hold,
    metrics::Metrics,
    review::{Malformed, Request},
};

/// Largest body: an UPDATE carries two objects of up to 1.5 MB each, as JSON within JSON.
const BODY: usize = 7 * 1024 * 1024;

/// How long a body may take to arrive: the API server sends it at once and waits 30 s at the most for the answer.
const BODY_TIME: Duration = Duration::from_secs(10);

/// What reviews are decided with.
#[derive(Clone)]
pub struct Reviews {
    /// Settings of the hold.
    pub settings: hold::Settings,
    /// The gate's live reads.
    pub owners: Owners,
    /// Counters.
    pub metrics: Metrics,
}

/// The routes of the TLS server.
pub fn router(reviews: Reviews) -> Router {
    Router::new()
        .route("/hold", post(hold))
        .route("/gate", post(gate))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(reviews)
}

/// The word for what became of a review, and the answer's body.
type Decided = Result<(&'static str, Vec<u8>), Malformed>;

async fn hold(State(reviews): State<Reviews>, request: HttpRequest) -> Response {
    match body(&reviews.metrics, request).await {
        Ok(body) => settle(&reviews.metrics, "hold", async { decide_hold(&reviews, &body) }).await,
        Err(rejected) => rejected,
    }
}

async fn gate(State(reviews): State<Reviews>, request: HttpRequest) -> Response {
    match body(&reviews.metrics, request).await {
        Ok(body) => settle(&reviews.metrics, "gate", decide_gate(&reviews, &body)).await,
        Err(rejected) => rejected,
    }
}

fn decide_hold(reviews: &Reviews, body: &[u8]) -> Decided {
    let request = Request::parse(body)?;
    let configured = request.is_about("deployments") && (request.is_create() || request.is_update());
    if !configured {
        return Ok(("unconfigured", Answer::default().encode(&request.uid)));
    }
    let (verdict, answer) = hold::decide(&request, &reviews.settings)?;
    let word = match verdict {
        hold::Verdict::Passed => "passed",
        hold::Verdict::Held => "held",
        hold::Verdict::Opened => "opened",
        hold::Verdict::Denied => "denied",
    };
    Ok((word, answer.encode(&request.uid)))
}

async fn decide_gate(reviews: &Reviews, body: &[u8]) -> Decided {
    let request = Request::parse(body)?;
    let configured = request.is_about("replicasets") && (request.is_create() || request.is_update());
    let growth = if configured { gate::growth(&request)? } else { None };
    let Some(growth) = growth else {
        return Ok(("unconfigured", Answer::default().encode(&request.uid)));
    };
    let owner = reviews.owners.read(request.namespace(), &growth.owner).await;
    let (verdict, answer) = gate::decide(request.namespace(), &growth, &owner);
    let word = match verdict {
        gate::Verdict::Allowed => "allowed",
        gate::Verdict::Denied => "denied",
        gate::Verdict::Unsure => "unsure",
    };
    Ok((word, answer.encode(&request.uid)))
}

/// The request's body, or the answer to one that is too large or too slow.
async fn body(metrics: &Metrics, request: HttpRequest) -> Result<Bytes, Response> {
    match tokio::time::timeout(BODY_TIME, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) => {
            metrics.rejected("body");
            Err(rejection.into_response())
        }
        Err(_) => {
            metrics.rejected("slow");
            Err((StatusCode::REQUEST_TIMEOUT, "the body took too long").into_response())
        }
    }
}

/// Counts what became of a review and makes it a response.
async fn settle(
    metrics: &Metrics,
    webhook: &'static str,
    decided: impl Future<Output = Decided>,
) -> Response {
    let started = Instant::now();
    match AssertUnwindSafe(decided).catch_unwind().await {
        Ok(Ok((verdict, answer))) => {
            metrics.reviewed(webhook, verdict, started.elapsed());
            ([(header::CONTENT_TYPE, "application/json")], answer).into_response()
        }
        Ok(Err(malformed)) => {
            metrics.rejected("malformed");
            tracing::warn!(webhook, error = %malformed, "a review was malformed");
            (StatusCode::BAD_REQUEST, malformed.to_string()).into_response()
        }
        Err(_) => {
            metrics.panicked();
            (StatusCode::INTERNAL_SERVER_ERROR, "the review failed").into_response()
        }
    }
}
