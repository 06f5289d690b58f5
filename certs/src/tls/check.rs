//! Looks at certificates that already exist: do they belong together, are they valid now, who signed them?

use rcgen::{KeyPair, PublicKeyData};
use time::OffsetDateTime;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{GeneralName, X509Certificate};

use super::{LeafRequest, TlsError};

/// A certificate whose key is known to belong to it.
#[derive(Clone, Debug)]
pub struct Pair {
    der: Vec<u8>,
    not_after: OffsetDateTime,
}

impl Pair {
    /// Reads a certificate and its key.
    ///
    /// # Errors
    /// When either cannot be read, or they do not belong together.
    pub fn parse(cert_pem: &str, key_pem: &str) -> Result<Self, TlsError> {
        let (_, pem) =
            parse_x509_pem(cert_pem.as_bytes()).map_err(|e| TlsError::Certificate(e.to_string()))?;
        let key = KeyPair::from_pem(key_pem).map_err(TlsError::Key)?;
        let cert = parse(&pem.contents)?;
        if cert.public_key().raw != key.subject_public_key_info() {
            return Err(TlsError::Mismatch);
        }
        let not_after = cert.validity().not_after.to_datetime();
        Ok(Self { not_after, der: pem.contents })
    }

    /// When the certificate's time is over.
    #[must_use]
    pub fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    /// Checks that this certificate may sign others, now.
    ///
    /// # Errors
    /// When it is no authority or not valid now.
    pub fn check_authority(&self) -> Result<(), TlsError> {
        let cert = parse(&self.der)?;
        if !cert.is_ca() {
            return Err(TlsError::NotAnAuthority);
        }
        check_time(&cert)
    }

    /// Checks that this leaf was signed by `authority`, is valid now and has every name of the request.
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub fn check_leaf(&self, authority: &Pair, request: &LeafRequest) -> Result<(), TlsError> {
        let (leaf, authority) = (parse(&self.der)?, parse(&authority.der)?);
        leaf.verify_signature(Some(authority.public_key())).map_err(|_| TlsError::ForeignLeaf)?;
        check_time(&leaf)?;
        let names = names(&leaf)?;
        let wanted = request.dns_names.iter().cloned().chain(request.ips.iter().map(ToString::to_string));
        match wanted.into_iter().find(|name| !names.contains(name)) {
            Some(missing) => Err(TlsError::LacksName(missing)),
            None => Ok(()),
        }
    }
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, TlsError> {
    let (_, cert) =
        x509_parser::parse_x509_certificate(der).map_err(|e| TlsError::Certificate(e.to_string()))?;
    Ok(cert)
}

fn check_time(cert: &X509Certificate<'_>) -> Result<(), TlsError> {
    let validity = cert.validity();
    if validity.is_valid() {
        return Ok(());
    }
    Err(TlsError::NotValidNow {
        from: validity.not_before.to_string(),
        until: validity.not_after.to_string(),
    })
}

/// DNS names and IP addresses of a certificate, as text.
fn names(cert: &X509Certificate<'_>) -> Result<Vec<String>, TlsError> {
    let extension = cert.subject_alternative_name().map_err(|e| TlsError::Certificate(e.to_string()))?;
    let names = extension.into_iter().flat_map(|extension| extension.value.general_names.iter());
    Ok(names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => ip(bytes),
            _ => None,
        })
        .collect())
}

fn ip(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::IpAddr::from(v4).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| std::net::IpAddr::from(v6).to_string())
}
