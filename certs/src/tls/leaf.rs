//! What a leaf certificate is asked for, and what comes out.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType};

use super::{TlsError, validity};

/// Upper bound of a common name in X.509 (`ub-common-name`); rustls does not care, Go and OpenSSL do.
const COMMON_NAME_MAX: usize = 64;
const DNS_NAME_MAX: usize = 253;
const DNS_LABEL_MAX: usize = 63;

/// What a certificate may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Answer TLS connections.
    Server,
    /// Prove a client's identity.
    Client,
    /// Both, as peers of one another do.
    Both,
}

/// A request for a leaf certificate.
#[derive(Clone, Debug)]
pub struct LeafRequest {
    /// Subject common name; Kubernetes takes it as the user name of a client.
    pub common_name: String,
    /// Subject organizations; Kubernetes takes them as the groups of a client.
    pub organizations: Vec<String>,
    /// DNS names of a server; a first label `*` is allowed.
    pub dns_names: Vec<String>,
    /// IP addresses of a server.
    pub ips: Vec<IpAddr>,
    /// What it may be used for.
    pub usage: Usage,
    /// Valid for this long from now, but never longer than its authority.
    pub life: Duration,
}

/// A certificate and its private key, both as PEM.
#[derive(Clone)]
pub struct Leaf {
    /// The certificate.
    pub cert_pem: String,
    /// The private key (PKCS#8).
    pub key_pem: String,
}

impl LeafRequest {
    /// Checks that it can be signed.
    ///
    /// # Errors
    /// When it names something that cannot stand in a certificate.
    pub fn check(&self) -> Result<(), TlsError> {
        self.params().map(drop)
    }

    pub(super) fn params(&self) -> Result<CertificateParams, TlsError> {
        check_common_name(&self.common_name)?;
        self.organizations.iter().try_for_each(|name| check_common_name(name))?;
        if self.usage != Usage::Client && self.dns_names.is_empty() && self.ips.is_empty() {
            return Err(TlsError::NoNames);
        }
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = validity(self.life)?;
        params.distinguished_name.push(DnType::CommonName, self.common_name.as_str());
        for organization in &self.organizations {
            params.distinguished_name.push(DnType::OrganizationName, organization.as_str());
        }
        for name in &self.dns_names {
            check_dns_name(name)?;
            params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
        }
        params.subject_alt_names.extend(self.ips.iter().copied().map(SanType::IpAddress));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = match self.usage {
            Usage::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Usage::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Usage::Both => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        };
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }
}

impl std::fmt::Debug for Leaf {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leaf").finish_non_exhaustive()
    }
}

pub(super) fn check_common_name(name: &str) -> Result<(), TlsError> {
    let printable = !name.chars().any(char::is_control);
    if name.is_empty() || name.chars().count() > COMMON_NAME_MAX || !printable {
        return Err(TlsError::CommonName(name.to_owned()));
    }
    Ok(())
}

fn check_dns_name(name: &str) -> Result<(), TlsError> {
    let label = |label: &str| {
        (1..=DNS_LABEL_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let bare = name.strip_prefix("*.").unwrap_or(name);
    if name.len() > DNS_NAME_MAX || !bare.split('.').all(label) {
        return Err(TlsError::DnsName(name.to_owned()));
    }
    Ok(())
}
