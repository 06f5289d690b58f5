//! The TLS server, spoken to over real connections.

use serde_json::{Value, json};

use crate::{
    renewed,
    server::{Server, deployment, review},
};

#[tokio::test]
async fn a_malformed_review_gets_400_with_the_reason_and_the_next_one_is_answered() {
    let server = Server::start().await;
    for (body, reason) in [
        ("no json".to_owned(), "not an AdmissionReview"),
        (
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}).to_string(),
            "request is missing",
        ),
        (review("deployments", &Value::Null).to_string(), "request.object is missing"),
        (review("deployments", &json!({"metadata": {}})).to_string(), "missing field `spec`"),
        (
            review("deployments", &json!({"metadata": {}, "spec": {"template": {}, "paused": "yes"}}))
                .to_string(),
            "boolean",
        ),
        ("[".repeat(100_000), "not an AdmissionReview"),
    ] {
        let (status, answer) = server.post("/hold", body.as_bytes()).await;
        assert_eq!(status, "HTTP/1.1 400 Bad Request", "{reason}");
        assert!(answer.contains(reason), "{answer} does not say {reason}");
    }
    let (status, answer) =
        server.post("/hold?timeout=5s", review("deployments", &deployment()).to_string().as_bytes()).await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["response"]["allowed"], true);
    assert!(answer["response"]["patch"].is_string());
    assert!(
        server.metrics().contains(r#"requests_rejected_total{reason="malformed"} 6"#),
        "{}",
        server.metrics()
    );
}

#[tokio::test]
async fn a_review_that_is_not_ours_is_allowed_unchanged_and_counted() {
    let server = Server::start().await;
    let mut other = review("statefulsets", &deployment());
    other["request"]["operation"] = json!("DELETE");
    for path in ["/hold", "/gate"] {
        let (_, answer) = server.post(path, other.to_string().as_bytes()).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["response"], json!({"uid": "u", "allowed": true}), "{path}");
        let counted = format!(
            r#"reviews_total{{webhook="{}",operation="DELETE",verdict="unconfigured"}} 1"#,
            &path[1..]
        );
        assert!(server.metrics().contains(&counted), "{}", server.metrics());
    }
}

#[tokio::test]
async fn the_gate_denies_where_the_owner_cannot_be_read_and_wants_a_retry() {
    let server = Server::start().await;
    let owner = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u", "controller": true}]);
    let object = json!({"metadata": {"name": "web", "ownerReferences": owner}, "spec": {"replicas": 1, "template": {}}});
    let (_, answer) = server.post("/gate", review("replicasets", &object).to_string().as_bytes()).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["response"]["allowed"], false);
    assert_eq!(answer["response"]["status"]["details"]["causes"], json!([]));
}

#[tokio::test]
async fn a_body_over_7_mib_is_refused() {
    let server = Server::start().await;
    let (status, _) = server.post("/hold", &vec![b' '; 7 * 1024 * 1024 + 1]).await;
    assert_eq!(status, "HTTP/1.1 413 Payload Too Large");
}

#[tokio::test]
async fn a_new_certificate_is_served_and_a_broken_one_is_not() {
    let server = Server::start().await;
    let leaf_served = async || {
        let stream = server.connect().await;
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    };
    let first = leaf_served().await;
    // The kubelet swaps a symlink; the pair is replaced twice, as it is there.
    for _ in 0..2 {
        let leaf = renewed(&server.files);
        let before = leaf_served().await;
        std::fs::write(server.files.cert(), &leaf.cert_pem).unwrap();
        std::fs::write(server.files.key(), &leaf.key_pem).unwrap();
        while leaf_served().await == before {
            tokio::task::yield_now().await;
        }
    }
    let good = leaf_served().await;
    assert_ne!(first, good);
    std::fs::write(server.files.cert(), "broken").unwrap();
    while !counted(&server.metrics(), "certificate_load_failures_total") {
        tokio::task::yield_now().await;
    }
    assert_eq!(leaf_served().await, good);
}

/// Whether a counter without labels is above zero.
fn counted(metrics: &str, name: &str) -> bool {
    metrics.contains(&format!("{name} ")) && !metrics.contains(&format!("{name} 0"))
}
