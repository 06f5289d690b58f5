//! The gate's live read: whatever the API server answers, the gate's answer is exact, and where it is not sure the
//! deployment controller is to try again.

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use contract::Key;
use serde_json::{Value, json};
use webhook::server::Limits;

use crate::server::{Server, review};

/// How long an answer of the gate may take here, on a busy machine; the read itself has a fraction of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the stand-in for the API server answers a read of a Deployment.
#[derive(Clone)]
enum Api {
    Says(StatusCode, String),
    Silent,
}

/// A Deployment that is to roll this image out.
fn live(uid: &str, image: &str, gate: &str) -> Api {
    let deployment = json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": uid, "annotations": {Key::Gate.name(): gate}},
        "spec": {"template": template(image)},
    });
    Api::Says(StatusCode::OK, deployment.to_string())
}

fn error(code: StatusCode) -> Api {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code.as_u16(), "message": "as the test wants", "reason": "x"});
    Api::Says(code, status.to_string())
}

fn template(image: &str) -> Value {
    json!({"spec": {"containers": [{"name": "c", "image": image}]}})
}

async fn answer(State(api): State<Arc<Api>>) -> (StatusCode, String) {
    match &*api {
        Api::Says(code, text) => (*code, text.clone()),
        Api::Silent => std::future::pending().await,
    }
}

/// A ReplicaSet of image `b` that grows from so many pods; `None`: it is created.
fn growing(from: Option<i32>) -> Value {
    let owner = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u", "controller": true}]);
    let replica_set = |replicas: i32| {
        json!({
            "metadata": {"name": "web", "namespace": "shop", "ownerReferences": owner},
            "spec": {"replicas": replicas, "template": template("b")},
        })
    };
    let mut review = review("replicasets", &replica_set(9));
    if let Some(from) = from {
        review["request"]["operation"] = json!("UPDATE");
        review["request"]["oldObject"] = replica_set(from);
    }
    review
}

/// The verdict that is counted, the read's result, and the causes that the deployment controller is given.
async fn judge(api: Api, from: Option<i32>) -> (String, String, usize) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let path = "/apis/apps/v1/namespaces/shop/deployments/web";
    let serving = tokio::spawn(async move {
        axum::serve(listener, Router::new().route(path, get(answer)).with_state(Arc::new(api))).await
    });
    let limits = Limits { live_read: Duration::from_millis(300), ..Limits::default() };
    let server = Server::start_before(limits, &format!("http://{address}")).await;
    let review = growing(from).to_string();
    let post = server.post("/gate", review.as_bytes());
    let (_, body) = tokio::time::timeout(PATIENCE, post).await.expect("the read keeps to its limit");
    serving.abort();
    let metrics = server.metrics();
    let one = |name: &str, label: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name) && line.ends_with(" 1"));
        let (_, rest) = line.expect(name).split_once(&format!("{label}=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let answer: Value = serde_json::from_str(&body).unwrap();
    let verdict = one("reviews_total", "verdict");
    assert_eq!(answer["response"]["allowed"] == true, verdict == "allowed", "{body}");
    let causes = answer["response"]["status"]["details"]["causes"].as_array().map_or(0, Vec::len);
    (verdict, one("gate_reads_total", "result"), causes)
}

#[tokio::test]
async fn whatever_the_live_read_says_the_answer_is_exact() {
    let cases = [
        ("held", live("u", "b", "closed"), None, "denied", "read"),
        ("held, grows from nothing", live("u", "b", "closed"), Some(0), "denied", "read"),
        ("held, although it has pods", live("u", "b", "closed"), Some(3), "denied", "read"),
        ("released meanwhile", live("u", "b", "open"), None, "stale", "read"),
        ("released meanwhile, grows from nothing", live("u", "b", "open"), Some(0), "stale", "read"),
        ("grows further in an open rollout", live("u", "b", "open"), Some(3), "allowed", "read"),
        ("nobody wrote a gate", live("u", "b", ""), None, "allowed", "read"),
        ("superseded by a held one meanwhile", live("u", "c", "closed"), None, "denied", "read"),
        ("superseded by an open one meanwhile", live("u", "c", "open"), None, "unsure", "read"),
        ("an old one scales while a change waits", live("u", "c", "closed"), Some(3), "allowed", "read"),
        ("an old one scales in an open rollout", live("u", "c", "open"), Some(3), "allowed", "read"),
        ("owner made anew", live("other", "b", "open"), None, "unsure", "read"),
        ("owner gone", error(StatusCode::NOT_FOUND), None, "unsure", "missing"),
        ("owner gone, has pods", error(StatusCode::NOT_FOUND), Some(3), "unsure", "missing"),
        ("not allowed to read", error(StatusCode::FORBIDDEN), None, "unsure", "refused"),
        ("not known to it", error(StatusCode::UNAUTHORIZED), None, "unsure", "refused"),
        ("broken", error(StatusCode::INTERNAL_SERVER_ERROR), None, "unsure", "failed"),
        ("busy", error(StatusCode::TOO_MANY_REQUESTS), None, "unsure", "failed"),
        ("away", error(StatusCode::SERVICE_UNAVAILABLE), None, "unsure", "failed"),
        ("no Deployment", Api::Says(StatusCode::OK, "{}".into()), None, "unsure", "failed"),
        ("slow", Api::Silent, None, "unsure", "slow"),
    ];
    for (case, api, from, verdict, read) in cases {
        // Only where the change surely waits, or the release will have it look again, is the controller told not to
        // retry.
        let count = if ["denied", "stale"].contains(&verdict) { 2 } else { 0 };
        assert_eq!(judge(api, from).await, (verdict.to_owned(), read.to_owned(), count), "{case}");
    }
}
