//! The keys of the folder: made when missing, never written over.

use std::path::PathBuf;
use std::time::Duration;

use contract::access::{Account as Home, Role};
use nkeys::{KeyPair, KeyPairType};

use super::super::file::absent;
use super::super::{IdentityError, Keys, Notary, claims::Account, decode};
use super::{Folder, Made};

impl Folder {
    /// The files that [`Folder::notary`] reads.
    #[must_use]
    pub fn notary_files(&self) -> [PathBuf; 4] {
        [
            self.role_key(Role::Namespace),
            self.role_key(Role::Callout),
            self.account(Home::Roadstead),
            self.account(Home::Callout),
        ]
    }

    /// The keys that the authorization callout needs, and no other.
    ///
    /// # Errors
    /// When one of its files cannot be read.
    pub fn notary(&self, cluster: &str, life: Duration) -> Result<Notary, IdentityError> {
        let id = |home| Ok::<_, IdentityError>(decode::<Account>(&self.account_token(home)?)?.sub);
        let key = |role| {
            let path = self.role_key(role);
            let seed = self.read(&path)?.ok_or_else(|| absent(&path))?;
            let wrong = |_| IdentityError::Key { path, kind: "account".to_owned() };
            KeyPair::from_seed(seed.trim()).map_err(wrong)
        };
        Ok(Notary {
            namespace: key(Role::Namespace)?,
            callout: key(Role::Callout)?,
            account: id(Home::Roadstead)?,
            callout_account: id(Home::Callout)?,
            cluster: cluster.to_owned(),
            life,
        })
    }

    pub(super) fn keys(&self, made: &mut Made) -> Result<Keys, IdentityError> {
        let mut key = |name: &str, kind| self.key(name, &kind, made);
        Ok(Keys {
            operator: key("operator", KeyPairType::Operator)?,
            operator_signing: key("operator-signing", KeyPairType::Operator)?,
            account: key(Home::Roadstead.as_str(), KeyPairType::Account)?,
            callout: key(Home::Callout.as_str(), KeyPairType::Account)?,
            system: key(Home::System.as_str(), KeyPairType::Account)?,
            callout_user: key("user-callout", KeyPairType::User)?,
            unrestricted: key("unrestricted", KeyPairType::Account)?,
            roles: Role::ALL
                .into_iter()
                .map(|role| Ok((role, key(&role_key(role), KeyPairType::Account)?)))
                .collect::<Result<_, IdentityError>>()?,
        })
    }

    pub(super) fn existing_keys(&self) -> Result<Keys, IdentityError> {
        let mut made = Made::default();
        // Made here they would belong to an operator that no server knows.
        let operator = self.key_file("operator");
        if self.read(&operator)?.is_none() {
            return Err(absent(&operator));
        }
        self.keys(&mut made)
    }

    fn role_key(&self, role: Role) -> PathBuf {
        self.key_file(&role_key(role))
    }

    fn key_file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("keys/{name}.nk"))
    }

    fn key(&self, name: &str, kind: &KeyPairType, made: &mut Made) -> Result<KeyPair, IdentityError> {
        let path = self.key_file(name);
        let wrong = || IdentityError::Key { path: path.clone(), kind: format!("{kind:?}").to_lowercase() };
        if let Some(seed) = self.read(&path)? {
            let key = KeyPair::from_seed(seed.trim()).map_err(|_| wrong())?;
            return if key.key_pair_type() == *kind { Ok(key) } else { Err(wrong()) };
        }
        let key = KeyPair::new(kind.clone());
        let seed = key.seed().map_err(|_| wrong())?;
        self.make(&path, &format!("{seed}\n"), made)?;
        Ok(key)
    }
}

fn role_key(role: Role) -> String {
    format!("role-{role}")
}
