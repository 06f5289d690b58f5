//! The folder of an installation's identities. What is there and good is kept; what is missing, ends soon or does not
//! fit is made anew, each file written whole or not at all. Keys are never written over.
//!
//! `keys/` is what everything hangs on, and belongs off-line; `creds/` is what users connect with; `resolver.conf` is
//! for the servers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::access::{Account as Home, Role};
use nkeys::{KeyPair, KeyPairType};
use serde::{Serialize, de::DeserializeOwned};

use super::file::{absent, read, write};
use super::jwt::{Kind, now};
use super::{Claims, Creds, IdentityError, Keys, Notary, UserRequest, claims::Account, decode, encode};

/// What was made; the rest was kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Made(pub Vec<PathBuf>);

/// The folder.
#[derive(Clone, Debug)]
pub struct Folder {
    dir: PathBuf,
}

impl Folder {
    /// The files in this folder.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
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
            token(&self.dir.join("operator.jwt"), &keys.operator_claims(), &keys.operator, &mut made)?;
        for home in Home::ALL {
            self.ensure_account(&keys, home, |_| (), &mut made)?;
        }
        let resolver = self.resolver_text(&keys, &operator, accounts)?;
        if !matches!(read(&self.resolver()), Ok(Some(text)) if text == resolver) {
            made.write(&self.resolver(), &resolver)?;
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
        write(&path, &creds.text()?)?;
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
            token(&self.dir.join("operator.jwt"), &keys.operator_claims(), &keys.operator, &mut made)?;
        let resolver = self.resolver_text(&keys, &operator, &self.accounts_dir()?)?;
        write(&self.resolver(), &resolver)?;
        self.account_token(home)
    }

    /// Where the servers keep the accounts, as [`Folder::ensure`] was told the last time; `accounts` before the first.
    ///
    /// # Errors
    /// When the servers' configuration cannot be read.
    pub fn accounts_dir(&self) -> Result<String, IdentityError> {
        let text = read(&self.resolver())?.unwrap_or_default();
        let dir = text.lines().find_map(|line| line.trim().strip_prefix("dir: "));
        Ok(dir.map_or("accounts", |dir| dir.trim_matches('"')).to_owned())
    }

    /// The token of an account, as it is in the folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn account_token(&self, home: Home) -> Result<String, IdentityError> {
        let path = self.account(home);
        read(&path)?.map(|text| text.trim().to_owned()).ok_or_else(|| absent(&path))
    }

    fn ensure_user(&self, keys: &Keys, user: &UserRequest, made: &mut Made) -> Result<(), IdentityError> {
        let path = self.creds(user);
        let rest = user.life.unwrap_or_default() / 3;
        let revoked = self.revocations(user.role.account())?;
        let kept = read(&path)?.and_then(|text| Creds::parse(&text).ok()).filter(|creds| {
            let until = revoked.get(&creds.claims.sub).copied().unwrap_or(i64::MIN);
            creds.claims.iat > until && keys.are_good(creds, user, rest)
        });
        if kept.is_none() {
            made.write(&path, &keys.user(user)?.text()?)?;
        }
        Ok(())
    }

    fn revocations(&self, home: Home) -> Result<BTreeMap<String, i64>, IdentityError> {
        let Some(text) = read(&self.account(home))? else { return Ok(BTreeMap::new()) };
        // A token that cannot be read must not be written over: what it revoked would be valid again.
        let claims: Claims<Account> = decode(text.trim())?;
        Ok(claims.nats.claims.revocations)
    }

    fn ensure_account(
        &self,
        keys: &Keys,
        home: Home,
        revoke: impl FnOnce(&mut BTreeMap<String, i64>),
        made: &mut Made,
    ) -> Result<String, IdentityError> {
        let mut revocations = self.revocations(home)?;
        revoke(&mut revocations);
        let claims = keys.account_claims(home, revocations);
        token(&self.account(home), &claims, &keys.operator_signing, made)
    }

    fn resolver_text(&self, keys: &Keys, operator: &str, accounts: &str) -> Result<String, IdentityError> {
        let mut preload = String::new();
        for home in Home::ALL {
            // Writing to a String cannot fail.
            let _ = writeln!(preload, "  {}: {}", keys.home(home).public_key(), self.account_token(home)?);
        }
        Ok(format!(
            "# Who signs accounts, and the accounts that the servers begin with. Public; made by roadstead-certs.\n\
             operator: {operator}\nsystem_account: {}\n\
             resolver {{\n  type: full\n  dir: {accounts:?}\n  allow_delete: false\n  interval: \"2m\"\n}}\n\
             resolver_preload {{\n{preload}}}\n",
            keys.system.public_key()
        ))
    }

    fn keys(&self, made: &mut Made) -> Result<Keys, IdentityError> {
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
            let seed = read(&path)?.ok_or_else(|| absent(&path))?;
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

    fn existing_keys(&self) -> Result<Keys, IdentityError> {
        let mut made = Made::default();
        // Made here they would belong to an operator that no server knows.
        let operator = self.key_file("operator");
        if !operator.is_file() {
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
        if let Some(seed) = read(&path)? {
            let key = KeyPair::from_seed(seed.trim()).map_err(|_| wrong())?;
            return if key.key_pair_type() == *kind { Ok(key) } else { Err(wrong()) };
        }
        let key = KeyPair::new(kind.clone());
        let seed = key.seed().map_err(|_| wrong())?;
        made.write(&path, &format!("{seed}\n"))?;
        Ok(key)
    }
}

fn role_key(role: Role) -> String {
    format!("role-{role}")
}

impl Made {
    fn write(&mut self, path: &Path, text: &str) -> Result<(), IdentityError> {
        write(path, text)?;
        self.0.push(path.to_owned());
        Ok(())
    }
}

/// Keeps a token that says what it has to.
fn token<K>(
    path: &Path,
    claims: &Claims<K>,
    issuer: &KeyPair,
    made: &mut Made,
) -> Result<String, IdentityError>
where
    K: Kind + Serialize + DeserializeOwned + Clone + PartialEq,
{
    let kept = read(path)?.map(|text| text.trim().to_owned()).filter(|text| {
        let same = |kept: &Claims<K>| kept.sub == claims.sub && kept.nats == claims.nats;
        decode::<K>(text).is_ok_and(|kept| kept.iss == issuer.public_key() && same(&kept))
    });
    if let Some(kept) = kept {
        return Ok(kept);
    }
    let token = encode(claims.clone(), issuer)?;
    made.write(path, &format!("{token}\n"))?;
    Ok(token)
}
