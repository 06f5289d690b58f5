//! The API server says by a header how long a client is to stay away, and its filter for too many requests says
//! nothing else. kube keeps the body of an answer only, so the header is written into it.
//! <https://kubernetes.io/docs/concepts/cluster-administration/flow-control/>

use axum::http::{Response, StatusCode, header::RETRY_AFTER};
use http_body_util::{BodyExt as _, Full};
use kube::{client::DynBody, core::Status};
use serde_json::json;

type Answer = Response<Box<DynBody>>;

/// An answer as it is, or a `Status` with its `Retry-After`.
pub(crate) fn told_in_the_body(answer: Answer) -> Answer {
    let busy = matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let asked = answer.headers().get(RETRY_AFTER).filter(|_| busy);
    let Some(seconds) = asked.and_then(|text| text.to_str().ok()?.parse::<u32>().ok()) else { return answer };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": answer.status().as_u16(),
        "reason": "TooManyRequests", "details": {"retryAfterSeconds": seconds},
        "message": format!("the API server is busy and asks to be left alone for {seconds} s"),
    });
    answer.map(|_| body(status.to_string()))
}

fn body(text: String) -> Box<DynBody> {
    Box::new(Full::from(text).map_err(|never| match never {}))
}

/// Seconds that an API server asked to be left alone for.
#[must_use]
pub fn seconds(status: &Status) -> u64 {
    status.details.as_ref().map_or(0, |details| details.retry_after_seconds.into())
}

#[cfg(test)]
mod tests {
    use kube::{Client, client::Body};
    use tower::{ServiceBuilder, util::MapResponseLayer};

    use super::*;

    async fn asked(code: u16, retry_after: &'static str) -> Status {
        let server = tower::service_fn(move |_: axum::http::Request<Body>| {
            let answer = Response::builder().status(code).header(RETRY_AFTER, retry_after);
            let answer = answer.body(body("Too many requests, please try again later.".into()));
            std::future::ready(answer)
        });
        let service = ServiceBuilder::new().layer(MapResponseLayer::new(told_in_the_body)).service(server);
        match Client::new(service, "shop").apiserver_version().await {
            Err(kube::Error::Api(status)) => *status,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn the_header_of_a_busy_api_server_is_read() {
        for (code, header, expected) in
            [(429, "70", 70), (503, "1", 1), (429, "Wed, 21 Oct 2026 07:28:00 GMT", 0), (404, "70", 0)]
        {
            let status = asked(code, header).await;
            assert_eq!((status.code, seconds(&status)), (code, expected), "{code} {header}");
        }
    }
}
