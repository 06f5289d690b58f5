//! A plain look at an HTTP or HTTPS address: is the part ready, what do its metrics say?

use std::time::Duration;

use anyhow::Context as _;
use kube::Config;
use kube::client::Client;
use serde::{Deserialize, Serialize};

/// A frozen process accepts connections and never answers.
const ANSWER: Duration = Duration::from_secs(2);

/// Where a part answers over HTTP.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// Scheme, address and port.
    pub url: String,
    /// What to trust, PEM; `None` for plain HTTP.
    pub ca_pem: Option<String>,
    /// Path that answers 200 when the part is ready.
    pub ready: String,
}

impl Endpoint {
    /// Plain HTTP on a loopback port.
    #[must_use]
    pub fn http(port: u16, ready: &str) -> Self {
        Self { url: format!("http://127.0.0.1:{port}"), ca_pem: None, ready: ready.to_owned() }
    }

    /// HTTPS on a loopback port.
    #[must_use]
    pub fn https(port: u16, ca_pem: &str, ready: &str) -> Self {
        let url = format!("https://127.0.0.1:{port}");
        Self { url, ca_pem: Some(ca_pem.to_owned()), ready: ready.to_owned() }
    }

    /// A client without any identity; it does not retry.
    ///
    /// # Errors
    /// When the address or the certificate is malformed.
    pub fn client(&self) -> anyhow::Result<Client> {
        install_crypto();
        let mut config = Config::new(self.url.parse().with_context(|| format!("{} is no URL", self.url))?);
        config.default_retry = false;
        if let Some(pem) = &self.ca_pem {
            config.root_cert = Some(vec![crate::kubeconfig::der(pem)?]);
        }
        Ok(Client::try_from(config)?)
    }

    /// The body of a GET that was answered with a status below 400.
    ///
    /// # Errors
    /// When there was no such answer within two seconds.
    pub async fn get(&self, path: &str) -> anyhow::Result<String> {
        let request = hyper::Request::get(path).body(Vec::new())?;
        let client = self.client()?;
        let answer = tokio::time::timeout(ANSWER, client.request_text(request)).await;
        answer
            .with_context(|| format!("{}{path} did not answer within {ANSWER:?}", self.url))?
            .with_context(|| format!("GET {}{path}", self.url))
    }
}

/// One provider of cryptography for everything in this process; a second call changes nothing.
pub(crate) fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
