//! What can be wrong with a request for a certificate, or with files found on disk.

use std::path::PathBuf;

/// Why a certificate could not be made, read or trusted. Messages say what to change.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The life is zero, or ends after the year 9998.
    #[error("the life of a certificate must be more than 0 and end before the year 9999")]
    Life,
    /// The common name is empty, too long for X.509, or holds control characters.
    #[error("{0:?} cannot be a common name: 1 to 64 printable characters are needed")]
    CommonName(String),
    /// Not a DNS name that may stand in a certificate.
    #[error(
        "{0:?} is no DNS name: labels of letters, digits and '-' joined by dots (a first label '*' is allowed)"
    )]
    DnsName(String),
    /// A server's certificate without any name: no client would accept it.
    #[error("a server's certificate needs at least one DNS name or IP address (--dns, --ip)")]
    NoNames,
    /// The PEM holds no certificate, or one that cannot be parsed.
    #[error("not a PEM certificate: {0}")]
    Certificate(String),
    /// The PEM holds no usable private key.
    #[error("not a PEM private key in PKCS#8")]
    Key(#[source] rcgen::Error),
    /// Certificate and key do not belong together.
    #[error("the key does not belong to the certificate")]
    Mismatch,
    /// The certificate may not sign others.
    #[error("the certificate is no authority (basic constraint CA is missing)")]
    NotAnAuthority,
    /// The certificate's time is over, or has not begun.
    #[error("the certificate is not valid now ({from} to {until})")]
    NotValidNow {
        /// Begin of its validity.
        from: String,
        /// End of its validity.
        until: String,
    },
    /// A leaf signed by somebody else.
    #[error("the certificate was not signed by this authority")]
    ForeignLeaf,
    /// A leaf that lacks a name it should have.
    #[error("the certificate lacks the name {0}")]
    LacksName(String),
    /// A file is not there.
    #[error("{} is not there", .0.display())]
    Absent(PathBuf),
    /// A file could not be read or written.
    #[error("{}: cannot {action}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// `read` or `write`.
        action: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The certificate could not be made.
    #[error("cannot make the certificate")]
    Make(#[from] rcgen::Error),
}
