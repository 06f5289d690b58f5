//! What can be wrong with identities and with the files that hold them.

use std::path::PathBuf;

use super::JwtError;

/// Why an identity could not be made or read. No message holds a key.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A token.
    #[error(transparent)]
    Token(#[from] JwtError),
    /// A credentials file.
    #[error("these are no credentials of NATS: {0}")]
    Creds(&'static str),
    /// A name that would widen a subject.
    #[error(
        "{0:?} cannot be a name here: write 1 to 63 characters of a-z, 0-9 and -, beginning and ending with a letter or digit"
    )]
    Name(String),
    /// A file with a key that is no key, or one of another kind.
    #[error("{} holds no {kind} key; put the right one back, or move it away to have one made", path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// What kind of key it should hold.
        kind: String,
    },
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
}
