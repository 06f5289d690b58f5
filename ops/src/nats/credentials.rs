//! How a component says who it is: by a token and its key, by a user's password, or by a token that the server knows.
//! The files are read each time that it connects, so that new credentials need no restart.

use std::path::{Path, PathBuf};

use async_nats::Auth;
use nkeys::KeyPair;

use super::ConnectError;
use crate::args;

/// Which way, and where its secrets are.
#[derive(Clone, Debug)]
pub(super) enum Credentials {
    Creds(PathBuf),
    Password { user: String, file: PathBuf },
    Token(PathBuf),
}

impl Credentials {
    /// `None`: by nothing, or by a certificate alone.
    pub(super) fn of(args: &args::Nats) -> Option<Self> {
        let args::Nats { creds, user, password, token, .. } = args;
        let creds = creds.clone().map(Self::Creds);
        let password =
            || user.clone().zip(password.clone()).map(|(user, file)| Self::Password { user, file });
        creds.or_else(password).or_else(|| token.clone().map(Self::Token))
    }

    /// What to say to a server that asks for its nonce to be signed.
    pub(super) fn read(&self, nonce: &[u8]) -> Result<Auth, ConnectError> {
        let mut auth = Auth::new();
        match self {
            Self::Creds(path) => {
                let text = text(path, "--nats-creds")?;
                let wrong = || ConnectError::NoCredentials(path.clone());
                let (token, seed) = contract::creds::read(&text).ok_or_else(wrong)?;
                let key = KeyPair::from_seed(seed).map_err(|_| wrong())?;
                auth.signature = Some(key.sign(nonce).map_err(|_| wrong())?);
                auth.jwt = Some(token.to_owned());
            }
            Self::Password { user, file } => {
                auth.username = Some(user.clone());
                auth.password = Some(secret(file, "--nats-password-file")?);
            }
            Self::Token(file) => auth.token = Some(secret(file, "--nats-token-file")?),
        }
        Ok(auth)
    }
}

/// Editors end a file with a line feed, which is no part of a password.
fn secret(path: &Path, flag: &'static str) -> Result<String, ConnectError> {
    Ok(text(path, flag)?.trim_end_matches(['\r', '\n']).to_owned())
}

fn text(path: &Path, flag: &'static str) -> Result<String, ConnectError> {
    std::fs::read_to_string(path).map_err(|source| ConnectError::File { path: path.to_owned(), flag, source })
}
