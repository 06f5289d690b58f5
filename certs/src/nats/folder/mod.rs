//! The folder of an installation's identities. What is there and good is kept; what is missing, ends soon or does not
//! fit is made anew, each file written whole or not at all. Keys are never written over.
//!
//! `keys/` is what everything hangs on, and belongs off-line; `creds/` is what users connect with; `resolver.conf` is
//! for the servers.

mod keys;
mod tokens;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::access::{Account as Home, Role};

use super::file::{self, absent};
use super::jwt::now;
use super::{IdentityError, UserRequest};

/// Files by their paths in the folder.
type Files = BTreeMap<PathBuf, String>;

/// What was made; the rest was kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Made(pub Vec<PathBuf>);

/// The folder.
#[derive(Clone)]
pub struct Folder {
    dir: PathBuf,
    /// Where it is in memory, and in no file system.
    files: Option<Arc<Mutex<Files>>>,
}

impl Folder {
    /// The files in this folder.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), files: None }
    }

    /// These files, by their paths in the folder, and those that will be made: in memory alone.
    #[must_use]
    pub fn in_memory(files: BTreeMap<PathBuf, String>) -> Self {
        Self { dir: PathBuf::new(), files: Some(Arc::new(Mutex::new(files))) }
    }

    /// What a folder in memory holds; of another one: nothing.
    #[must_use]
    pub fn files(&self) -> BTreeMap<PathBuf, String> {
        let files = self.files.as_ref().map(|files| files.lock().unwrap_or_else(PoisonError::into_inner));
        files.map(|files| files.clone()).unwrap_or_default()
    }

    /// A file's text; `None` where there is no such file.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<String>, IdentityError> {
        match &self.files {
            Some(files) => Ok(files.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()),
            None => file::read(path),
        }
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), IdentityError> {
        let Some(files) = &self.files else { return file::write(path, text) };
        files.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), text.to_owned());
        Ok(())
    }

    fn make(&self, path: &Path, text: &str, made: &mut Made) -> Result<(), IdentityError> {
        self.write(path, text)?;
        made.0.push(path.to_owned());
        Ok(())
    }

    /// What the servers include in their configuration.
    #[must_use]
    pub fn resolver(&self) -> PathBuf {
        self.dir.join("resolver.conf")
    }

    /// The token of an account.
    #[must_use]
    pub fn account(&self, home: Home) -> PathBuf {
        self.dir.join(format!("{}.jwt", home.as_str()))
    }

    /// What a component connects with.
    #[must_use]
    pub fn component(&self, role: Role) -> PathBuf {
        self.dir.join(format!("creds/{role}.creds"))
    }

    /// What a user connects with.
    #[must_use]
    pub fn creds(&self, user: &UserRequest) -> PathBuf {
        if user.role.is_component() {
            return self.component(user.role);
        }
        let namespace = user.namespace.as_ref().map_or_else(String::new, |namespace| format!("{namespace}."));
        self.dir.join(format!("creds/{}.{namespace}{}.creds", user.role, user.name))
    }

    /// Makes the folder hold everything that a cluster needs: keys, tokens, a user for each component whose tokens
    /// last for a `life`, and the servers' configuration, by which they keep the accounts in `accounts`.
    ///
    /// # Errors
    /// When a file cannot be read or written, or holds another key than it should.
    pub fn ensure(&self, cluster: &str, life: Duration, accounts: &str) -> Result<Made, IdentityError> {
        let mut made = Made::default();
        let keys = self.keys(&mut made)?;
        let operator =
            self.token(&self.dir.join("operator.jwt"), &keys.operator_claims(), &keys.operator, &mut made)?;
        for home in Home::ALL {
            self.ensure_account(&keys, home, |_| (), &mut made)?;
        }
        let resolver = self.resolver_text(&keys, &operator, accounts)?;
        if !matches!(self.read(&self.resolver()), Ok(Some(text)) if text == resolver) {
            self.make(&self.resolver(), &resolver, &mut made)?;
        }
        for role in Role::ALL.into_iter().filter(|role| role.is_component()) {
            let (name, cluster) = (role.to_string(), cluster.to_owned());
            let user = UserRequest { role, name, cluster, namespace: None, life: Some(life) };
            self.ensure_user(&keys, &user, &mut made)?;
        }
        Ok(made)
    }

    /// Makes the folder hold credentials of a user. Those that last for another third of their life are kept.
    ///
    /// # Errors
    /// A name that would widen a subject, a folder without keys, and as [`Folder::ensure`].
    pub fn user(&self, user: &UserRequest) -> Result<Made, IdentityError> {
        let mut made = Made::default();
        self.ensure_user(&self.existing_keys()?, user, &mut made)?;
        Ok(made)
    }

    /// Writes credentials that may do everything in the account `ROADSTEAD`.
    ///
    /// # Errors
    /// As [`Folder::user`].
    pub fn unrestricted(&self, name: &str, life: Duration) -> Result<PathBuf, IdentityError> {
        let creds = self.existing_keys()?.unrestricted_user(name, life)?;
        let path = self.unrestricted_file(name);
        self.write(&path, &creds.text()?)?;
        Ok(path)
    }

    /// Where [`Folder::unrestricted`] writes.
    #[must_use]
    pub fn unrestricted_file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("creds/unrestricted.{name}.creds"))
    }

    /// Declares every token of a user void that was issued until now, and answers the new token of its account, which
    /// the servers have yet to hear of.
    ///
    /// # Errors
    /// As [`Folder::user`].
    pub fn revoke(&self, home: Home, user: &str) -> Result<String, IdentityError> {
        let (keys, mut made) = (self.existing_keys()?, Made::default());
        let revoke = |revocations: &mut BTreeMap<String, i64>| {
            revocations.insert(user.to_owned(), now());
        };
        self.ensure_account(&keys, home, revoke, &mut made)?;
        let operator =
            self.token(&self.dir.join("operator.jwt"), &keys.operator_claims(), &keys.operator, &mut made)?;
        let resolver = self.resolver_text(&keys, &operator, &self.accounts_dir()?)?;
        self.write(&self.resolver(), &resolver)?;
        self.account_token(home)
    }

    /// Where the servers keep the accounts, as [`Folder::ensure`] was told the last time; `accounts` before the first.
    ///
    /// # Errors
    /// When the servers' configuration cannot be read.
    pub fn accounts_dir(&self) -> Result<String, IdentityError> {
        let text = self.read(&self.resolver())?.unwrap_or_default();
        let dir = text.lines().find_map(|line| line.trim().strip_prefix("dir: "));
        Ok(dir.map_or("accounts", |dir| dir.trim_matches('"')).to_owned())
    }

    /// The token of an account, as it is in the folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn account_token(&self, home: Home) -> Result<String, IdentityError> {
        let path = self.account(home);
        self.read(&path)?.map(|text| text.trim().to_owned()).ok_or_else(|| absent(&path))
    }
}

impl std::fmt::Debug for Folder {
    /// Without what it holds: one in memory holds keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Folder").field("dir", &self.dir).finish_non_exhaustive()
    }
}
