//! Reading and writing the files of identities.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::IdentityError;

/// `None` where there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<String>, IdentityError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(IdentityError::File { path: path.to_owned(), action: "read", source }),
    }
}

pub(super) fn absent(path: &Path) -> IdentityError {
    let source =
        std::io::Error::new(ErrorKind::NotFound, "there is none; `roadstead-certs nats init` makes it");
    IdentityError::File { path: path.to_owned(), action: "read", source }
}

/// Whole or not at all, and for its owner alone: most of the files are secrets.
pub(super) fn write(path: &Path, text: &str) -> Result<(), IdentityError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let write = || {
        fs::create_dir_all(dir)?;
        let private = fs::Permissions::from_mode(0o600);
        let mut file = tempfile::Builder::new().permissions(private).tempfile_in(dir)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(|source| IdentityError::File { path: path.to_owned(), action: "write", source })
}
