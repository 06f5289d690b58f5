//! The four files a webhook is started with: ca.crt, ca.key, tls.crt, tls.key. What is there and good is
//! kept; what is missing, expired or does not fit is made anew, each file written whole or not at all.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Authority, LeafRequest, Pair, TlsError};

/// A folder with an authority and one leaf.
#[derive(Clone, Debug)]
pub struct Files {
    dir: PathBuf,
}

/// What was found in the folder, and so what was made.
#[derive(Debug)]
pub enum Kept {
    /// Everything was there and good.
    Everything,
    /// The authority was kept; the leaf was made anew for this reason.
    Authority(TlsError),
    /// Nothing could be kept; for this reason, or because the folder held no authority.
    Nothing(TlsError),
}

impl Files {
    /// The files in this folder.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The authority's certificate.
    #[must_use]
    pub fn ca_cert(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// The authority's key.
    #[must_use]
    pub fn ca_key(&self) -> PathBuf {
        self.dir.join("ca.key")
    }

    /// The leaf's certificate.
    #[must_use]
    pub fn cert(&self) -> PathBuf {
        self.dir.join("tls.crt")
    }

    /// The leaf's key.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.dir.join("tls.key")
    }

    /// Makes the folder hold a good authority and a good leaf with the names asked for.
    ///
    /// # Errors
    /// When the request is bad or a file cannot be written. Files that cannot be read are an error too,
    /// unless they are merely absent: overwriting a key that somebody protected would lose it.
    pub fn ensure(
        &self,
        authority_name: &str,
        authority_life: Duration,
        leaf: &LeafRequest,
    ) -> Result<Kept, TlsError> {
        leaf.params()?;
        fs::create_dir_all(&self.dir).map_err(file_error(&self.dir, "write"))?;
        let (authority, kept) = match self.authority() {
            Ok(authority) => match self.check_leaf(&authority, leaf) {
                Ok(()) => return Ok(Kept::Everything),
                Err(error) if may_replace(&error) => (authority, Kept::Authority(error)),
                Err(error) => return Err(error),
            },
            Err(error) if may_replace(&error) => {
                let authority = Authority::generate(authority_name, authority_life)?;
                write(&self.ca_key(), authority.key_pem(), 0o600)?;
                write(&self.ca_cert(), authority.cert_pem(), 0o644)?;
                (authority, Kept::Nothing(error))
            }
            Err(error) => return Err(error),
        };
        let leaf = authority.issue(leaf)?;
        write(&self.key(), &leaf.key_pem, 0o600)?;
        write(&self.cert(), &leaf.cert_pem, 0o644)?;
        Ok(kept)
    }

    /// Reads the authority back.
    ///
    /// # Errors
    /// When its files are absent, unreadable or no authority that is valid now.
    pub fn authority(&self) -> Result<Authority, TlsError> {
        Authority::from_pem(&read(&self.ca_cert())?, &read(&self.ca_key())?)
    }

    fn check_leaf(&self, authority: &Authority, leaf: &LeafRequest) -> Result<(), TlsError> {
        let authority = Pair::parse(authority.cert_pem(), authority.key_pem())?;
        Pair::parse(&read(&self.cert())?, &read(&self.key())?)?.check_leaf(&authority, leaf)
    }
}

/// Whether files with this defect may be replaced: all but those that we could not read.
fn may_replace(error: &TlsError) -> bool {
    !matches!(error, TlsError::File { .. })
}

fn read(path: &Path) -> Result<String, TlsError> {
    fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => TlsError::Absent(path.to_owned()),
        _ => file_error(path, "read")(error),
    })
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let write = || {
        let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(dir)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(file_error(path, "write"))
}

fn file_error(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError::File { path, action, source }
}
