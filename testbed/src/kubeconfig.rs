//! Kubeconfig files: one user each, with a token, and a default namespace.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

/// Where an API server is, and what to trust.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its URL.
    pub url: String,
    /// Its authority as PEM; `None` for plain HTTP.
    pub ca_pem: Option<String>,
}

/// A user of a kubeconfig file: a name and a bearer token.
#[derive(Clone, Debug)]
pub struct User {
    /// Also the name of the user's context.
    pub name: String,
    /// Bearer token.
    pub token: String,
}

/// Writes a kubeconfig file for the owner's eyes only; the first user's context is the current one.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, server: &Server, users: &[User], namespace: &str) -> anyhow::Result<()> {
    let mut cluster = json!({ "server": server.url });
    if let Some(pem) = &server.ca_pem {
        cluster["certificate-authority-data"] = json!(BASE64_STANDARD.encode(pem));
    }
    let context = |user: &User| {
        json!({
            "name": user.name,
            "context": { "cluster": "testbed", "user": user.name, "namespace": namespace },
        })
    };
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": users.first().map(|user| &user.name),
        "clusters": [{ "name": "testbed", "cluster": cluster }],
        "users": users.iter().map(|u| json!({ "name": u.name, "user": { "token": u.token } })).collect::<Vec<_>>(),
        "contexts": users.iter().map(context).collect::<Vec<_>>(),
    });
    write_private(path, &serde_norway::to_string(&config)?)
}

/// Writes a file that only its owner may read, whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(text.as_bytes())?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// A client for the current context of a kubeconfig file. It does not retry by itself: a test wants to see errors.
///
/// # Errors
/// When the file cannot be read.
pub async fn client(path: &Path) -> anyhow::Result<kube::Client> {
    crate::endpoint::install_crypto();
    let kubeconfig = Kubeconfig::read_from(path)?;
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.default_retry = false;
    Ok(kube::Client::try_from(config)?)
}

/// The bytes of the first certificate in a PEM text.
///
/// # Errors
/// When there is none.
pub(crate) fn der(pem: &str) -> anyhow::Result<Vec<u8>> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).context("no PEM certificate")?;
    Ok(der.as_ref().to_vec())
}
