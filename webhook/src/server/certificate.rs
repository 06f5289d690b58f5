//! The serving certificate: read from files at the start and again on a timer (the kubelet swaps a symlink, which
//! file events miss). A pair that cannot be used is told of and the old one stays. Without one that can be used the
//! webhook is not ready and waits: the Secret may come later.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use ops::{
    BoxError, chain,
    readiness::{Handle, Readiness},
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio_util::sync::CancellationToken;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::metrics::Metrics;

/// Why a pair of files is not usable.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The certificate file.
    #[error("cannot read the certificate {path} (--tls-cert); it must hold a PEM certificate chain")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The key file.
    #[error("cannot read the private key {path} (--tls-key); it must hold a PEM private key")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// Both can be read but not be used together.
    #[error(
        "the certificate (--tls-cert) and the private key (--tls-key) are not usable together; issue them anew"
    )]
    Pair(#[source] rustls::Error),
    /// The authorities of clients.
    #[error("cannot read the client authorities {path} (--client-ca); it must hold PEM certificates")]
    Clients {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// rustls cannot be configured.
    #[error("TLS cannot be configured")]
    Tls(#[from] rustls::Error),
    /// The certificate has run out.
    #[error("the certificate (--tls-cert) has expired; renew it, for example by `roadstead-certs`")]
    Expired,
}

/// The pair that is served now, if there is one.
#[derive(Debug, Default)]
struct Served(ArcSwapOption<Pair>);

#[derive(Debug)]
struct Pair {
    key: Arc<CertifiedKey>,
    expiry: i64,
    text: (Vec<u8>, Vec<u8>),
}

/// Serves the newest usable pair of two files.
pub struct Certificates {
    files: (PathBuf, PathBuf),
    served: Arc<Served>,
    metrics: Metrics,
    readiness: Readiness,
    waiting: Option<Handle>,
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().as_ref()?.key))
    }
}

impl Certificates {
    /// Reads the files for the first time. As long as there is no pair that can be used the process is not ready.
    #[must_use]
    pub fn load(certificate: &Path, key: &Path, metrics: Metrics, readiness: &Readiness) -> Self {
        let files = (certificate.to_owned(), key.to_owned());
        let served = Arc::default();
        let mut this = Self { files, served, metrics, readiness: readiness.clone(), waiting: None };
        this.refresh();
        this
    }

    /// The TLS configuration that serves them to anybody.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, CertificateError> {
        self.server_config_for(None)
    }

    /// The TLS configuration that serves them; where a file of authorities is given, only to clients with a
    /// certificate of one of them.
    pub fn server_config_for(&self, clients: Option<&Path>) -> Result<Arc<ServerConfig>, CertificateError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = clients.map(|path| verifier(path, &provider)).transpose()?;
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let resolver = Arc::clone(&self.served);
        let mut config = builder.with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Reads the files again each `period` until told to stop.
    pub async fn keep_fresh(mut self, period: Duration, stop: CancellationToken) -> Result<(), BoxError> {
        while tokio::time::timeout(period, stop.cancelled()).await.is_err() {
            self.refresh();
        }
        Ok(())
    }

    fn refresh(&mut self) {
        let served = self.served.0.load_full();
        match read(&self.files.0, &self.files.1) {
            Ok(pair) if served.as_ref().is_some_and(|served| served.text == pair.text) => {}
            Ok(pair) => {
                tracing::info!(expiry = pair.expiry, "serving a new certificate");
                self.metrics.certificate(pair.expiry);
                self.served.0.store(Some(Arc::new(pair)));
            }
            Err(error) => {
                self.metrics.certificate_failed();
                let error = chain(&error);
                if served.is_some_and(|served| !served.is_over()) {
                    tracing::warn!(error, "the certificate files are not usable; the old pair stays");
                } else {
                    // Whoever can serve is to be asked in our place.
                    tracing::warn!(error, "there is no usable certificate; not ready until there is");
                    self.waiting
                        .get_or_insert_with(|| self.readiness.wait_for("the certificate"))
                        .because(error);
                    return;
                }
            }
        }
        self.waiting = None;
    }
}

impl Pair {
    fn is_over(&self) -> bool {
        self.expiry <= k8s_openapi::jiff::Timestamp::now().as_second()
    }
}

/// Accepts clients with a certificate of an authority in the file.
fn verifier(
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, CertificateError> {
    let broken = |source: BoxError| CertificateError::Clients { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| broken(error.into()))? {
        let certificate = certificate.map_err(|error| broken(error.into()))?;
        roots.add(certificate).map_err(|error| broken(error.into()))?;
    }
    WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider))
        .build()
        .map_err(|error| broken(error.into()))
}

fn read(certificate: &Path, key: &Path) -> Result<Pair, CertificateError> {
    let broken_certificate =
        |source: BoxError| CertificateError::Certificate { path: certificate.to_owned(), source };
    let broken_key = |source: BoxError| CertificateError::Key { path: key.to_owned(), source };
    let chain_text = std::fs::read(certificate).map_err(|error| broken_certificate(error.into()))?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain_text)
        .collect::<Result<_, _>>()
        .map_err(|error| broken_certificate(error.into()))?;
    let leaf = chain.first().ok_or_else(|| broken_certificate("it holds no certificate".into()))?;
    let (_, parsed) = X509Certificate::from_der(leaf).map_err(|error| broken_certificate(error.into()))?;
    let expiry = parsed.validity().not_after.timestamp();
    let key_text = std::fs::read(key).map_err(|error| broken_key(error.into()))?;
    let private = PrivateKeyDer::from_pem_slice(&key_text).map_err(|error| broken_key(error.into()))?;
    let provider: CryptoProvider = aws_lc_rs::default_provider();
    let pair = CertifiedKey::from_der(chain, private, &provider).map_err(CertificateError::Pair)?;
    let pair = Pair { key: Arc::new(pair), expiry, text: (chain_text, key_text) };
    if pair.is_over() { Err(CertificateError::Expired) } else { Ok(pair) }
}
