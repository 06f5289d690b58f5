//! The admin endpoint: `/livez`, `/readyz` and `/metrics` over plain HTTP, for the kubelet and Prometheus.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{encoding::text::encode, metrics::info::Info, registry::Registry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{BoxError, readiness::Readiness};

/// `Content-Type` of the exposition format. <https://github.com/prometheus/OpenMetrics>
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A registry that knows which build it speaks of.
#[must_use]
pub fn registry(version: &'static str) -> Registry {
    let mut registry = Registry::with_prefix("roadstead");
    registry.register("build", "The build that runs", Info::new(vec![("version", version)]));
    registry
}

/// The rows of a metrics reference (a table of names and help texts) that a registry needs and `reference` does
/// not have.
#[must_use]
pub fn undocumented(registry: &Registry, reference: &str) -> Vec<String> {
    let mut text = String::new();
    if encode(&mut text, registry).is_err() {
        return vec!["a registry that cannot be encoded".into()];
    }
    let help = text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '));
    let rows = help.map(|(name, help)| format!("| `{name}` | {} |", help.trim_end_matches('.')));
    rows.filter(|row| !reference.contains(row)).collect()
}

/// Why the admin endpoint cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (--admin-listen); choose a free address")]
pub struct BindError {
    address: SocketAddr,
    #[source]
    source: std::io::Error,
}

/// Takes the address.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { address, source })
}

/// Answers until told to stop.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    registry: Registry,
    stop: CancellationToken,
) -> Result<(), BoxError> {
    let served = axum::serve(listener, router(readiness, registry)).into_future();
    // Answers are small and nobody's change depends on one: a client that is slow does not delay the end.
    tokio::select! { ended = served => Ok(ended?), () = stop.cancelled() => Ok(()) }
}

fn router(readiness: Readiness, registry: Registry) -> Router {
    let registry = Arc::new(registry);
    Router::new()
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(async move || ready(&readiness)))
        .route("/metrics", get(async move || metrics(&registry)))
}

fn ready(readiness: &Readiness) -> Response {
    match readiness.check() {
        Ok(()) => "ok".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    }
}

fn metrics(registry: &Registry) -> Response {
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    async fn get(readiness: &Readiness, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router(readiness.clone(), registry("1.2.3")).oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn alive_at_once_and_ready_when_the_parts_are() {
        let readiness = Readiness::default();
        let outbox = readiness.wait_for("the outbox");
        assert_eq!(get(&readiness, "/livez").await.0, StatusCode::OK);
        let waiting = (StatusCode::SERVICE_UNAVAILABLE, "waiting for: the outbox".to_owned());
        assert_eq!(get(&readiness, "/readyz").await, waiting);
        drop(outbox);
        assert_eq!(get(&readiness, "/readyz").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn metrics_name_the_build() {
        let (status, text) = get(&Readiness::default(), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains(r#"roadstead_build_info{version="1.2.3"} 1"#), "{text}");
    }
}
