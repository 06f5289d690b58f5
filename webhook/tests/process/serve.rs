//! The TLS server, spoken to over real connections.

use std::time::Duration;

use certs::tls::{Files, Leaf};
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::{
    issue, renewed, renewed_for,
    server::{Server, deployment, review},
    until,
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
    for path in ["/hold", "/gate", "/policies"] {
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

/// The certificate that the server shows now.
async fn leaf_served(server: &Server) -> CertificateDer<'static> {
    let stream = server.connect().await;
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

#[tokio::test]
async fn a_new_certificate_is_served_each_time_the_files_are_replaced() {
    let server = Server::start().await;
    let first = leaf_served(&server).await;
    // The kubelet swaps a symlink; the pair is replaced twice, as it is there.
    for _ in 0..2 {
        let leaf = renewed(&server.files);
        let before = leaf_served(&server).await;
        std::fs::write(server.files.cert(), &leaf.cert_pem).unwrap();
        std::fs::write(server.files.key(), &leaf.key_pem).unwrap();
        until("the new certificate is served", async || leaf_served(&server).await != before).await;
    }
    assert_ne!(first, leaf_served(&server).await);
}

#[tokio::test]
async fn files_that_cannot_be_used_are_counted_and_the_old_pair_stays() {
    let server = Server::start().await;
    let good = leaf_served(&server).await;
    let (one, other, over) = (renewed(&server.files), renewed(&server.files), expired(&server.files).await);
    for (what, certificate, key) in [
        ("empty", "", ""),
        ("broken", "broken", one.key_pem.as_str()),
        ("without a key", one.cert_pem.as_str(), ""),
        ("of two pairs", one.cert_pem.as_str(), other.key_pem.as_str()),
        ("expired", over.cert_pem.as_str(), over.key_pem.as_str()),
    ] {
        // One is replaced before the other, as a reader may find them.
        std::fs::write(server.files.key(), key).unwrap();
        std::fs::write(server.files.cert(), certificate).unwrap();
        let before = failures(&server);
        until(what, async || failures(&server) > before + 1).await;
        assert_eq!(leaf_served(&server).await, good, "{what}");
        assert_eq!(server.readiness.check(), Ok(()), "{what}");
    }
    std::fs::remove_file(server.files.cert()).unwrap();
    let before = failures(&server);
    until("missing", async || failures(&server) > before).await;
    assert_eq!(leaf_served(&server).await, good);
}

#[tokio::test]
async fn without_a_pair_at_the_start_it_is_not_ready_says_why_and_serves_as_soon_as_there_is_one() {
    let server = Server::start_without_certificate().await;
    let why = server.readiness.check().unwrap_err();
    let path = server.files.cert().display().to_string();
    assert!(why.contains("the certificate") && why.contains(&path) && why.contains("--tls-cert"), "{why}");
    issue(&server.files);
    until("it is ready", async || server.readiness.check().is_ok()).await;
    leaf_served(&server).await;
}

#[tokio::test]
async fn when_the_pair_that_is_served_is_over_it_is_not_ready_until_there_is_another() {
    let server = Server::start().await;
    let first = leaf_served(&server).await;
    let (short, long) = (renewed_for(&server.files, Duration::from_secs(3)), renewed(&server.files));
    let replaced = |leaf: &Leaf| {
        std::fs::write(server.files.cert(), &leaf.cert_pem).unwrap();
        std::fs::write(server.files.key(), &leaf.key_pem).unwrap();
    };
    replaced(&short);
    until("the short one is served", async || leaf_served(&server).await != first).await;
    assert_eq!(server.readiness.check(), Ok(()));
    until("it is over", async || server.readiness.check().is_err()).await;
    let why = server.readiness.check().unwrap_err();
    assert!(why.contains("has expired"), "{why}");
    replaced(&long);
    until("it is ready", async || server.readiness.check().is_ok()).await;
}

/// A leaf of the authority in the folder whose time is over.
async fn expired(files: &Files) -> Leaf {
    let leaf = renewed_for(files, Duration::from_secs(1));
    let certificate = certs::tls::Certificate::parse(&leaf.cert_pem).unwrap();
    until("it is over", async || certificate.check_time().is_err()).await;
    leaf
}

/// How often the files were not usable.
fn failures(server: &Server) -> u64 {
    let metrics = server.metrics();
    let line = metrics.lines().find_map(|line| line.strip_prefix("certificate_load_failures_total "));
    line.unwrap().parse().unwrap()
}
