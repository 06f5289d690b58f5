//! The TLS server in this process, and how a client speaks to it.

use std::{path::Path, sync::Arc};

use certs::tls::Files;
use ops::{namespaces::Namespaces, policies::Policies, readiness::Readiness};
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
    policies::Rules,
    server::{Certificates, Limits, Listener, Reviews, router},
};

use crate::issue;

/// A server on a free port; nothing answers as the Kubernetes API.
pub(crate) struct Server {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) files: Files,
    pub(crate) readiness: Readiness,
    registry: Registry,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: tokio::task::JoinHandle<Result<(), ops::BoxError>>,
    _folder: Folder,
}

/// Where a server's certificate is, or will be.
struct Folder(tempfile::TempDir);

impl Folder {
    fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn issued() -> Self {
        let folder = Self::empty();
        issue(&folder.files());
        folder
    }

    fn files(&self) -> Files {
        Files::new(self.0.path())
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    pub(crate) async fn start_with(limits: Limits) -> Self {
        Self::start_as(limits, Folder::issued(), false, "http://127.0.0.1:1").await
    }

    /// A server whose folder is empty.
    pub(crate) async fn start_without_certificate() -> Self {
        Self::start_as(Limits::default(), Folder::empty(), false, "http://127.0.0.1:1").await
    }

    /// A server that asks clients for a certificate of the authority in its folder.
    pub(crate) async fn start_for_clients(limits: Limits) -> Self {
        Self::start_as(limits, Folder::issued(), true, "http://127.0.0.1:1").await
    }

    /// A server whose live reads go to this address.
    pub(crate) async fn start_before(limits: Limits, kubernetes: &str) -> Self {
        Self::start_as(limits, Folder::issued(), false, kubernetes).await
    }

    async fn start_as(limits: Limits, folder: Folder, asks_clients: bool, kubernetes: &str) -> Self {
        // It fails only where another test of this process has installed it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let files = folder.files();
        let readiness = Readiness::default();
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let certificates = Certificates::load(&files.cert(), &files.key(), metrics.clone(), &readiness);
        let clients = asks_clients.then(|| files.ca_cert());
        let tls = certificates.server_config_for(clients.as_deref()).unwrap();
        let mut config = kube::Config::new(kubernetes.parse().unwrap());
        config.default_retry = false;
        let client = kube::Client::try_from(config).unwrap();
        let reviews = Reviews {
            settings: Settings { warnings: true },
            rules: Rules::new(Policies::default(), Namespaces::new(Vec::new()), metrics.clone()),
            owners: Owners::new(client, metrics.clone()),
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
        Self { address, files, readiness, registry, stop, serving, _folder: folder }
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
        connect(&self.files, &self.address.to_string(), client).await
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

/// A connection that trusts the authority in the folder.
pub(crate) async fn trusting(files: &Files, address: &str) -> std::io::Result<TlsStream<TcpStream>> {
    connect(files, address, None).await
}

async fn connect(
    files: &Files,
    address: &str,
    client: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&files.ca_cert())).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots);
    let config = match client {
        Some((certificate, key)) => config.with_client_auth_cert(vec![certificate], key).unwrap(),
        None => config.with_no_client_auth(),
    };
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
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
