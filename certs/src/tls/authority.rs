//! The authority: a self-signed certificate that signs leaves, and nothing below it.

use std::time::Duration;

use super::{Certificate, Leaf, LeafRequest, Pair, TlsError, leaf, validity};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};

/// A certificate authority with its key in memory.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
    cert_pem: String,
    key_pem: String,
}

impl Authority {
    /// Makes a new authority, valid for `life` from now.
    ///
    /// # Errors
    /// When the common name or the life cannot stand in a certificate.
    pub fn generate(common_name: &str, life: Duration) -> Result<Self, TlsError> {
        leaf::check_common_name(common_name)?;
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = validity(life)?;
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let (cert_pem, key_pem) = (params.self_signed(&key)?.pem(), key.serialize_pem());
        let certificate = Certificate::parse(&cert_pem)?;
        Ok(Self { issuer: Issuer::new(params, key), certificate, cert_pem, key_pem })
    }

    /// Reads an authority back from its two PEM texts.
    ///
    /// # Errors
    /// When they cannot be read, do not belong together, are no authority or not valid now.
    pub fn from_pem(cert_pem: &str, key_pem: &str) -> Result<Self, TlsError> {
        let pair = Pair::parse(cert_pem, key_pem)?;
        pair.check_authority()?;
        let key = KeyPair::from_pem(key_pem).map_err(TlsError::Key)?;
        Ok(Self {
            issuer: Issuer::from_ca_cert_pem(cert_pem, key)?,
            certificate: pair.into_certificate(),
            cert_pem: cert_pem.to_owned(),
            key_pem: key_pem.to_owned(),
        })
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The certificate as PEM: what a client trusts, the `caBundle` of a webhook configuration.
    #[must_use]
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// The private key as PEM (PKCS#8).
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// Signs a leaf with a key of its own. It never outlives the authority.
    ///
    /// # Errors
    /// When the request names something that cannot stand in a certificate.
    pub fn issue(&self, request: &LeafRequest) -> Result<Leaf, TlsError> {
        let mut params = request.params()?;
        params.not_after = params.not_after.min(self.certificate.not_after());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let cert = params.signed_by(&key, &self.issuer)?;
        Ok(Leaf { cert_pem: cert.pem(), key_pem: key.serialize_pem() })
    }
}

impl std::fmt::Debug for Authority {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}
