//! A certificate by itself, without its key: whose it is, how long it is good, whom it has signed.

use std::net::IpAddr;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use x509_parser::prelude::{GeneralName, X509Certificate};

use super::{CLOCK_SKEW, LeafRequest, TlsError};

/// Bytes of a fingerprint that are shown: enough to tell the certificates of one installation apart.
const SHOWN: usize = 8;

/// SHA-256 of a certificate in DER: which one it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// A certificate that could be read.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    issued: OffsetDateTime,
    not_after: OffsetDateTime,
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn parse(pem: &str) -> Result<Self, TlsError> {
        let first = Self::all(pem.as_bytes())?.into_iter().next();
        first.ok_or_else(|| TlsError::Certificate("it holds no certificate".to_owned()))
    }

    /// Reads every certificate of a PEM text, such as a `caBundle`; none of an empty one.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn all(pem: &[u8]) -> Result<Vec<Self>, TlsError> {
        let blocks = pem::parse_many(pem).map_err(|error| broken(&error))?;
        blocks.into_iter().map(|block| Self::from_der(block.into_contents())).collect()
    }

    fn from_der(der: Vec<u8>) -> Result<Self, TlsError> {
        let validity = parse(&der)?.validity().clone();
        // What we issue is valid from a little earlier on, for clocks that are behind.
        let issued = validity.not_before.to_datetime() + CLOCK_SKEW;
        Ok(Self { issued, not_after: validity.not_after.to_datetime(), der })
    }

    /// The certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&pem::Pem::new("CERTIFICATE", self.der.as_slice()), config)
    }

    /// Which certificate it is.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Sha256::digest(&self.der).into())
    }

    /// When it was issued, if it was by us: the begin of its validity without [`CLOCK_SKEW`].
    #[must_use]
    pub fn issued(&self) -> OffsetDateTime {
        self.issued
    }

    /// When its time is over.
    #[must_use]
    pub fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    /// Checks that its time has begun and is not over.
    ///
    /// # Errors
    /// When it is not so.
    pub fn check_time(&self) -> Result<(), TlsError> {
        let (from, now) = (self.issued - CLOCK_SKEW, OffsetDateTime::now_utc());
        if from <= now && now < self.not_after {
            return Ok(());
        }
        Err(TlsError::NotValidNow { from: from.to_string(), until: self.not_after.to_string() })
    }

    /// Checks that it may sign others, now.
    ///
    /// # Errors
    /// When it is no authority or not valid now.
    pub fn check_authority(&self) -> Result<(), TlsError> {
        if !parse(&self.der)?.is_ca() {
            return Err(TlsError::NotAnAuthority);
        }
        self.check_time()
    }

    /// Whether it was signed by this authority.
    #[must_use]
    pub fn is_signed_by(&self, authority: &Self) -> bool {
        let (Ok(leaf), Ok(authority)) = (parse(&self.der), parse(&authority.der)) else { return false };
        leaf.verify_signature(Some(authority.public_key())).is_ok()
    }

    /// Checks that it has every name of the request.
    ///
    /// # Errors
    /// When it lacks one.
    pub fn check_names(&self, request: &LeafRequest) -> Result<(), TlsError> {
        let names = names(&parse(&self.der)?)?;
        let wanted = request.dns_names.iter().cloned().chain(request.ips.iter().map(ToString::to_string));
        match wanted.into_iter().find(|name| !names.contains(name)) {
            Some(missing) => Err(TlsError::LacksName(missing)),
            None => Ok(()),
        }
    }

    /// The public key, with what says of which kind it is (DER).
    pub(super) fn public_key(&self) -> Result<Vec<u8>, TlsError> {
        Ok(parse(&self.der)?.public_key().raw.to_vec())
    }
}

#[cfg(test)]
impl Fingerprint {
    /// One that no certificate has.
    pub(crate) const fn numbered(number: u8) -> Self {
        Self([number; 32])
    }
}

impl std::fmt::Display for Fingerprint {
    /// Its begin, in hexadecimal digits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0[..SHOWN]))
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { issued, not_after, .. } = self;
        let fingerprint = self.fingerprint();
        f.debug_struct("Certificate")
            .field("id", &fingerprint)
            .field("issued", issued)
            .field("not_after", not_after)
            .finish()
    }
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, TlsError> {
    let (_, cert) = x509_parser::parse_x509_certificate(der).map_err(|error| broken(&error))?;
    Ok(cert)
}

fn broken(error: &impl ToString) -> TlsError {
    TlsError::Certificate(error.to_string())
}

/// DNS names and IP addresses of a certificate, as text.
fn names(cert: &X509Certificate<'_>) -> Result<Vec<String>, TlsError> {
    let extension = cert.subject_alternative_name().map_err(|error| broken(&error))?;
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
        return Some(IpAddr::from(v4).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| IpAddr::from(v6).to_string())
}
