//! `/hold`, `/gate` and `/policies`: parse, decide, answer. A review that cannot be read gets 400 and the reason; one that we
//! are not configured for is allowed unchanged; a panic costs that one review.

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{Request as HttpRequest, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use tokio::sync::Semaphore;

use super::{
    body::{self, Memory},
    limits::Limits,
    seats::Seat,
};
use crate::{
    answer::Answer,
    gate::{self, Owners},
    hold,
    metrics::Metrics,
    policies::{self, Rules},
    review::{Malformed, Request},
    room,
};

/// What reviews are decided with.
#[derive(Clone)]
pub struct Reviews {
    /// Settings of the hold.
    pub settings: hold::Settings,
    /// What the policies say.
    pub rules: Rules,
    /// The gate's live reads.
    pub owners: Owners,
    /// Counters.
    pub metrics: Metrics,
    /// How much is taken at once.
    pub limits: Limits,
}

/// What all reviews share.
#[derive(Clone)]
struct Desk {
    reviews: Arc<Reviews>,
    memory: Memory,
    places: Arc<Semaphore>,
}

/// The routes of the TLS server.
pub fn router(reviews: Reviews) -> Router {
    let places = Arc::new(Semaphore::new(reviews.limits.reviews));
    let desk = Desk { reviews: Arc::new(reviews), memory: Memory::default(), places };
    let router = Router::new().route("/hold", post(hold)).route("/gate", post(gate));
    router.route("/policies", post(check)).with_state(desk)
}

/// What became of a review.
struct Decided {
    operation: &'static str,
    verdict: &'static str,
    answer: Vec<u8>,
}

impl Decided {
    fn new(request: &Request<'_>, verdict: &'static str, answer: &Answer) -> Self {
        Self { operation: request.operation(), verdict, answer: answer.encode(&request.uid) }
    }
}

async fn hold(State(desk): State<Desk>, request: HttpRequest) -> Response {
    desk.answer("hold", request, async |reviews, body| decide_hold(reviews, body)).await
}

async fn gate(State(desk): State<Desk>, request: HttpRequest) -> Response {
    desk.answer("gate", request, decide_gate).await
}

async fn check(State(desk): State<Desk>, request: HttpRequest) -> Response {
    desk.answer("policies", request, async |_, body| decide_policies(body)).await
}

impl Desk {
    /// Receives a review and answers it, where there is room for one more.
    async fn answer(
        &self,
        webhook: &'static str,
        mut request: HttpRequest,
        decide: impl AsyncFnOnce(&Reviews, &[u8]) -> Result<Decided, Malformed>,
    ) -> Response {
        let Reviews { limits, metrics, .. } = &*self.reviews;
        let seat: Option<Arc<Seat>> = request.extensions_mut().remove();
        let body = match body::receive(request, &self.memory, limits, metrics).await {
            Ok(body) => body,
            Err(refused) => return refused,
        };
        let _busy = seat.map(|seat| seat.busy());
        let _flying = metrics.flying();
        let Ok(_place) = self.places.try_acquire() else { return body::refuse(metrics, body::CROWDED) };
        settle(metrics, webhook, decide(&self.reviews, &body.bytes)).await
    }
}

fn decide_hold(reviews: &Reviews, body: &[u8]) -> Result<Decided, Malformed> {
    let request = Request::parse(body)?;
    let configured = request.is_about("deployments") && (request.is_create() || request.is_update());
    if !configured {
        return Ok(Decided::new(&request, "unconfigured", &Answer::default()));
    }
    let (mut verdict, mut answer) = hold::decide(&request, &reviews.settings, &reviews.rules)?;
    if let Some(denial) = room::denial(&request, &answer)? {
        (verdict, answer) = (hold::Verdict::Denied, Answer { denial: Some(denial), ..Answer::default() });
    }
    let word = match verdict {
        hold::Verdict::Passed => "passed",
        hold::Verdict::Held => "held",
        hold::Verdict::Opened => "opened",
        hold::Verdict::Denied => "denied",
    };
    Ok(Decided::new(&request, word, &answer))
}

async fn decide_gate(reviews: &Reviews, body: &[u8]) -> Result<Decided, Malformed> {
    let request = Request::parse(body)?;
    let configured = request.is_about("replicasets") && (request.is_create() || request.is_update());
    let growth = if configured { gate::growth(&request)? } else { None };
    let Some(growth) = growth else {
        return Ok(Decided::new(&request, "unconfigured", &Answer::default()));
    };
    let owner = reviews.owners.read(request.namespace(), &growth.owner, reviews.limits.live_read).await;
    let (verdict, answer) = gate::decide(request.namespace(), &growth, &owner);
    let word = match verdict {
        gate::Verdict::Allowed => "allowed",
        gate::Verdict::Denied => "denied",
        gate::Verdict::Stale => "stale",
        gate::Verdict::Unsure => "unsure",
    };
    Ok(Decided::new(&request, word, &answer))
}

fn decide_policies(body: &[u8]) -> Result<Decided, Malformed> {
    let request = Request::parse(body)?;
    let Some(denial) = policies::check(&request)? else {
        return Ok(Decided::new(&request, "unconfigured", &Answer::default()));
    };
    let word = if denial.is_some() { "denied" } else { "allowed" };
    Ok(Decided::new(&request, word, &Answer { denial, ..Answer::default() }))
}

/// Counts what became of a review and makes it a response.
async fn settle(
    metrics: &Metrics,
    webhook: &'static str,
    decided: impl Future<Output = Result<Decided, Malformed>>,
) -> Response {
    let started = Instant::now();
    match decided.await {
        Ok(Decided { operation, verdict, answer }) => {
            metrics.reviewed(webhook, operation, verdict, started.elapsed());
            ([(header::CONTENT_TYPE, "application/json")], answer).into_response()
        }
        Err(malformed) => {
            metrics.rejected("malformed");
            tracing::warn!(webhook, error = %malformed, "a review was malformed");
            (StatusCode::BAD_REQUEST, malformed.to_string()).into_response()
        }
    }
}
