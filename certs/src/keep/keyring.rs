//! What the Secret of the keys holds: the folder of identities, the authorities behind the servers' certificate with
//! that certificate, and the password that servers let each other in by. Everything else is made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use contract::access::Role;
use k8s_openapi::api::core::v1::Secret;
use time::OffsetDateTime;

use super::{Failure, Installation, conf};
use crate::nats::manifest::{self, SERVER, Texts};
use crate::nats::{Creds, Folder, IdentityError};
use crate::rotation::{Authorities, Leaf as Served, State, leaf};
use crate::secrets::bytes;
use crate::tls::{Certificate, Fingerprint, Leaf, LeafRequest};

/// Key of a component's Secret that holds whom it trusts to be a server.
pub(super) const CA: &str = "ca.crt";
/// Keys of the certificate and its key.
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
/// Keys that are no files of the folder.
const AUTHORITIES: &str = "authorities.json";
const ROUTE: &str = "route.password";

/// Folders within the folder; a key of a Secret has no slash.
const FOLDERS: [&str; 2] = ["keys", "creds"];

/// Bytes of a password.
const PASSWORD: usize = 32;

/// What everything is made of. Not `Debug`: it holds keys.
pub(super) struct Keyring {
    pub(super) folder: Folder,
    pub(super) authorities: Authorities,
    pub(super) leaf: Option<Leaf>,
    password: String,
}

impl Keyring {
    /// Reads the Secret. What is missing is made later; what cannot be read, and cannot be made again, is an error.
    pub(super) fn read(secret: Option<&Secret>) -> Result<Self, Failure> {
        let mut texts = Texts::new();
        for (key, bytes) in secret.and_then(|secret| secret.data.as_ref()).into_iter().flatten() {
            let text = String::from_utf8(bytes.0.clone()).map_err(|_| Failure::NoText(key.clone()))?;
            texts.insert(key.clone(), text);
        }
        let authorities = texts.remove(AUTHORITIES).map(|text| Authorities::read_or_none(text.as_bytes()));
        let pair = texts.remove(CERTIFICATE).zip(texts.remove(KEY));
        let password = match texts.remove(ROUTE) {
            Some(password) => password,
            None => random()?,
        };
        let files = texts.into_iter().map(|(key, text)| (path(&key), text)).collect();
        Ok(Self {
            folder: Folder::in_memory(files),
            authorities: authorities.unwrap_or_default(),
            leaf: pair.map(|(cert_pem, key_pem)| Leaf { cert_pem, key_pem }),
            password,
        })
    }

    /// What the Secret is to hold.
    pub(super) fn texts(&self) -> Result<Texts, Failure> {
        let files = self.folder.files().into_iter().map(|(path, text)| (key(&path), text));
        let mut texts: Texts = files.collect();
        let document = self.authorities.write()?;
        texts.insert(AUTHORITIES.to_owned(), String::from_utf8_lossy(&document).into_owned());
        texts.insert(ROUTE.to_owned(), self.password.clone());
        if let Some(leaf) = &self.leaf {
            texts.insert(CERTIFICATE.to_owned(), leaf.cert_pem.clone());
            texts.insert(KEY.to_owned(), leaf.key_pem.clone());
        }
        Ok(texts)
    }

    /// What the Secrets of the components and of the servers are to hold, by what their names end with. Servers do not
    /// start without a certificate, so theirs is not there before it is.
    pub(super) fn derived(
        &self,
        installation: &Installation,
    ) -> Result<BTreeMap<&'static str, Texts>, Failure> {
        let mut derived = manifest::contents(&self.folder)?;
        let ca = self.authorities.bundle();
        for texts in derived.values_mut() {
            texts.insert(CA.to_owned(), ca.clone());
        }
        let Some(leaf) = &self.leaf else {
            derived.remove(SERVER);
            return Ok(derived);
        };
        let files = [
            (CERTIFICATE, leaf.cert_pem.clone()),
            (KEY, leaf.key_pem.clone()),
            (conf::TLS, installation.tls_conf()),
            (conf::CLUSTER, installation.cluster_conf(&self.password)),
        ];
        derived.entry(SERVER).or_default().extend(files.map(|(key, text)| (key.to_owned(), text)));
        Ok(derived)
    }

    /// What a decision about the certificates needs; `trusted`: what the components' Secrets hold as authorities.
    pub(super) fn state(
        &self,
        trusted: Vec<Option<BTreeSet<Fingerprint>>>,
        request: &LeafRequest,
        asked: bool,
    ) -> State {
        let signer = |leaf: &Certificate| {
            self.authorities.certificates().into_iter().find(|authority| leaf.is_signed_by(authority))
        };
        let served = self.certificate().and_then(|leaf| Some(Served::of(&leaf, &signer(&leaf)?, request)));
        State { leaf: served, trusted, asked, ..self.authorities.state() }
    }

    /// The servers' certificate, if it can be shown.
    pub(super) fn certificate(&self) -> Option<Certificate> {
        let pair = self.leaf.as_ref()?;
        match leaf(&pair.cert_pem, &pair.key_pem) {
            Ok(certificate) => Some(certificate),
            Err(error) => {
                tracing::warn!(
                    error = ops::chain(&error),
                    "the servers' certificate cannot be shown; it is made anew"
                );
                None
            }
        }
    }

    /// When the first of the components' credentials ends.
    pub(super) fn first_end(&self) -> Result<Option<OffsetDateTime>, Failure> {
        let mut ends = Vec::new();
        for role in Role::ALL.into_iter().filter(|role| role.is_component()) {
            let text = self.folder.read(&self.folder.component(role))?.unwrap_or_default();
            ends.extend(Creds::parse(&text)?.claims.exp);
        }
        Ok(ends.into_iter().min().and_then(|end| OffsetDateTime::from_unix_timestamp(end).ok()))
    }

    /// Text of a component's credentials.
    pub(super) fn creds(&self, role: Role) -> Result<String, IdentityError> {
        Ok(self.folder.read(&self.folder.component(role))?.unwrap_or_default())
    }
}

/// Whom a Secret's reader trusts; `None` where that cannot be read.
pub(super) fn trusted(secret: Option<&Secret>) -> Option<BTreeSet<Fingerprint>> {
    let certificates = Certificate::all(bytes(secret?, CA)?).ok()?;
    Some(certificates.iter().map(Certificate::fingerprint).collect())
}

/// The key of a file in the Secret.
fn key(path: &Path) -> String {
    path.display().to_string().replacen('/', ".", 1)
}

/// The file of a key.
fn path(key: &str) -> PathBuf {
    let folder = FOLDERS.into_iter().find_map(|folder| {
        let file = key.strip_prefix(folder)?.strip_prefix('.')?;
        Some(Path::new(folder).join(file))
    });
    folder.unwrap_or_else(|| key.into())
}

fn random() -> Result<String, Failure> {
    let mut bytes = [0; PASSWORD];
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| Failure::Random)?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

#[cfg(test)]
mod tests;
