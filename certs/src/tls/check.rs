//! A certificate together with its key: do they belong together, and who signed it?

use std::ops::Deref;

use rcgen::{KeyPair, PublicKeyData};

use super::{Certificate, LeafRequest, TlsError};

/// A certificate whose key is known to belong to it.
#[derive(Clone, Debug)]
pub struct Pair(Certificate);

impl Pair {
    /// Reads a certificate and its key.
    ///
    /// # Errors
    /// When either cannot be read, or they do not belong together.
    pub fn parse(cert_pem: &str, key_pem: &str) -> Result<Self, TlsError> {
        let certificate = Certificate::parse(cert_pem)?;
        let key = KeyPair::from_pem(key_pem).map_err(TlsError::Key)?;
        if certificate.public_key()? != key.subject_public_key_info() {
            return Err(TlsError::Mismatch);
        }
        Ok(Self(certificate))
    }

    /// The certificate.
    #[must_use]
    pub fn into_certificate(self) -> Certificate {
        self.0
    }

    /// Checks that this leaf was signed by `authority`, is valid now and has every name of the request.
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub fn check_leaf(&self, authority: &Pair, request: &LeafRequest) -> Result<(), TlsError> {
        if !self.is_signed_by(authority) {
            return Err(TlsError::ForeignLeaf);
        }
        self.check_time()?;
        self.check_names(request)
    }
}

impl Deref for Pair {
    type Target = Certificate;

    fn deref(&self) -> &Certificate {
        &self.0
    }
}
