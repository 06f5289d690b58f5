//! The TLS server, spoken to over real connections.

use std::{path::Path, sync::Arc};

use certs::tls::Files;
use prometheus_client::registry::Registry;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use webhook::{
    gate::Owners,
    hold::Settings,
    metrics::Metrics,
    server::{Certificates, Limits, Listener, Reviews, router},
};

use crate::{issue, renewed};

/// A server on a free port; nothing answers as the Kubernetes API.
pub(crate) struct Server {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) files: Files,
    registry: Registry,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: tokio::task::JoinHandle<Result<(), ops::BoxError>>,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    pub(crate) async fn start_with(limits: Limits) -> Self {
        Self::start_as(limits, false).await
    }

    /// A server that asks clients for a certificate of the authority in its folder.
    pub(crate) async fn start_for_clients(limits: Limits) -> Self {
        Self::start_as(limits, true).await
    }

    async fn start_as(limits: Limits, asks_clients: bool) -> Self {
        // It fails only where another test of this process has installed it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path());
        issue(&files);
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let certificates = Certificates::load(&files.cert(), &files.key(), metrics.clone()).unwrap();
        let clients = asks_clients.then(|| files.ca_cert());
        let tls = certificates.server_config_for(clients.as_deref()).unwrap();
        let client =
            kube::Client::try_from(kube::Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
        let reviews = Reviews {
            settings: Settings { warnings: true },
            owners: Owners::new(client),
            metrics: metrics.clone(),
            limits,
        };
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), metrics).await.unwrap().limited(limits);
        let address = listener.address().unwrap();
        let stop = CancellationToken::new();
        let panicking = axum::routing::post(async || {
            assert!(std::hint::black_box(false), "as the test wants");
        });
        let serving =
            tokio::spawn(listener.serve(tls, router(reviews).route("/panic", panicking), stop.clone()));
        tokio::spawn(certificates.keep_fresh(std::time::Duration::from_millis(10), stop.clone()));
        Self { address, files, registry, stop, serving, _folder: folder }
    }

    /// A connection that trusts the authority in the folder.
    pub(crate) async fn connect(&self) -> TlsStream<TcpStream> {
        self.try_connect(None).await.unwrap()
    }

    /// The same with a client's certificate.
    pub(crate) async fn try_connect(
        &self,
        client: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&self.files.ca_cert())).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots);
        let config = match client {
            Some((certificate, key)) => config.with_client_auth_cert(vec![certificate], key).unwrap(),
            None => config.with_no_client_auth(),
        };
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// Posts a body on a connection of its own and gives the status line and the answer's body.
    pub(crate) async fn post(&self, path: &str, body: &[u8]) -> (String, String) {
        let mut stream = self.connect().await;
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server that has refused the head need not read the body.
        let _ = stream.write_all(body).await;
        let mut answer = Vec::new();
        // A connection that is closed without a farewell has still answered.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
    }

    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub(crate) fn review(resource: &str, object: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u", "resource": {"group": "apps", "version": "v1", "resource": resource},
            "name": "web", "namespace": "shop", "operation": "CREATE", "userInfo": {"username": "jane"}, "object": object,
        },
    })
}

pub(crate) fn deployment() -> Value {
    json!({"metadata": {"name": "web"}, "spec": {"template": {"spec": {"containers": []}}}})
}

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
        let counted = format!(r#"reviews_total{{webhook="{}",verdict="unconfigured"}} 1"#, &path[1..]);
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
