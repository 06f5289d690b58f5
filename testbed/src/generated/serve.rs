//! The HTTP side: which object a path means, and pages and watches.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
};

use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Frame, Incoming},
    header,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};

use super::{Cluster, objects};

/// What selects the held Deployments, as it stands in a query.
const HELD: &str = "roadstead.dev/phase=held";
/// Objects in a page where the client asks for no limit.
const PAGE: usize = 500;

type Body = UnsyncBoxBody<Bytes, Infallible>;

pub(super) async fn accept(listener: TcpListener, cluster: Arc<Cluster>) {
    let mut connections = JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        let cluster = Arc::clone(&cluster);
        let service = service_fn(move |request| {
            let answer = cluster.answer(&request);
            async { Ok::<_, Infallible>(answer) }
        });
        let served =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service);
        // A client that goes away is no error of ours.
        connections.spawn(async { drop(served.await) });
    }
}

/// What a list or a watch asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Query {
    labels: String,
    limit: Option<usize>,
    begin: usize,
    watch: bool,
}

impl Query {
    fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match key {
                "labelSelector" => parsed.labels = value.replace("%2F", "/").replace("%3D", "="),
                "limit" => parsed.limit = value.parse().ok(),
                "continue" => parsed.begin = value.parse().unwrap_or_default(),
                "watch" => parsed.watch = value == "true",
                _ => {}
            }
        }
        parsed
    }
}

impl Cluster {
    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let accepted = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        let metadata = accepted.is_some_and(|accept| accept.contains("as=PartialObjectMetadata"));
        let path: Vec<_> = request.uri().path().trim_matches('/').split('/').collect();
        match path[..] {
            ["api", "v1", "namespaces"] if query.watch => watch(None),
            ["api", "v1", "namespaces"] => list(&objects::namespaces(), None),
            ["apis", "apps", "v1", "deployments"] => {
                if !metadata || query.labels != HELD {
                    self.careless.fetch_add(1, Ordering::Relaxed);
                }
                if query.watch { watch(Some(self.watch())) } else { self.page(&query, metadata) }
            }
            ["apis", "apps", "v1", "namespaces", _, "deployments", name] => {
                self.reads.fetch_add(1, Ordering::Relaxed);
                let known = objects::number(name).filter(|number| *number < self.size.deployments);
                known.map_or_else(not_found, |number| json(&self.deployment(number)))
            }
            _ => not_found(),
        }
    }

    fn page(&self, query: &Query, metadata: bool) -> Response<Body> {
        let matching = if query.labels == HELD { self.size.held } else { self.size.deployments };
        let end = matching.min(query.begin + query.limit.unwrap_or(PAGE));
        let object = |number| if metadata { self.metadata_only(number) } else { self.deployment(number) };
        let items: Vec<_> = (query.begin..end).map(object).collect();
        list(&items, (end < matching).then_some(end))
    }
}

fn list(items: &[Value], next: Option<usize>) -> Response<Body> {
    let next = next.map(|next| next.to_string()).unwrap_or_default();
    json(&json!({
        "apiVersion": "meta.k8s.io/v1",
        "kind": "PartialObjectMetadataList",
        "metadata": { "resourceVersion": "1", "continue": next },
        "items": items,
    }))
}

/// Events as they come; without a source there are none, and the watch stays open.
fn watch(events: Option<mpsc::Receiver<Bytes>>) -> Response<Body> {
    let stream = futures::stream::unfold(events, async |events| match events {
        Some(mut events) => {
            let event = events.recv().await?;
            Some((Ok::<_, Infallible>(Frame::data(event)), Some(events)))
        }
        None => std::future::pending().await,
    });
    Response::new(StreamBody::new(Box::pin(stream)).boxed_unsync())
}

fn json(value: &Value) -> Response<Body> {
    Response::new(Full::new(value.to_string().into()).boxed_unsync())
}

fn not_found() -> Response<Body> {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404,
                         "reason": "NotFound", "message": "not found", "metadata": {} });
    let mut answer = json(&status);
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_which_page_of_what() {
        let query = Query::parse("labelSelector=roadstead.dev%2Fphase%3Dheld&limit=500&continue=1000");
        assert_eq!(query, Query { labels: HELD.into(), limit: Some(500), begin: 1000, watch: false });
        assert!(Query::parse("watch=true&resourceVersion=1").watch);
    }
}
