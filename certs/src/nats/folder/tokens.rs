//! The tokens of the folder, and the servers' configuration that is made of them: kept while they say what they have to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use contract::access::Account as Home;
use nkeys::KeyPair;
use serde::{Serialize, de::DeserializeOwned};

use super::super::jwt::Kind;
use super::super::{Claims, Creds, IdentityError, Keys, UserRequest, claims::Account, decode, encode};
use super::{Folder, Made};

impl Folder {
    pub(super) fn ensure_user(
        &self,
        keys: &Keys,
        user: &UserRequest,
        made: &mut Made,
    ) -> Result<(), IdentityError> {
        let path = self.creds(user);
        let rest = user.life.unwrap_or_default() / 3;
        let revoked = self.revocations(user.role.account())?;
        let kept = self.read(&path)?.and_then(|text| Creds::parse(&text).ok()).filter(|creds| {
            let until = revoked.get(&creds.claims.sub).copied().unwrap_or(i64::MIN);
            creds.claims.iat > until && keys.are_good(creds, user, rest)
        });
        if kept.is_none() {
            self.make(&path, &keys.user(user)?.text()?, made)?;
        }
        Ok(())
    }

    fn revocations(&self, home: Home) -> Result<BTreeMap<String, i64>, IdentityError> {
        let Some(text) = self.read(&self.account(home))? else { return Ok(BTreeMap::new()) };
        // A token that cannot be read must not be written over: what it revoked would be valid again.
        let claims: Claims<Account> = decode(text.trim())?;
        Ok(claims.nats.claims.revocations)
    }

    pub(super) fn ensure_account(
        &self,
        keys: &Keys,
        home: Home,
        revoke: impl FnOnce(&mut BTreeMap<String, i64>),
        made: &mut Made,
    ) -> Result<String, IdentityError> {
        let mut revocations = self.revocations(home)?;
        revoke(&mut revocations);
        let claims = keys.account_claims(home, revocations);
        self.token(&self.account(home), &claims, &keys.operator_signing, made)
    }

    pub(super) fn resolver_text(
        &self,
        keys: &Keys,
        operator: &str,
        accounts: &str,
    ) -> Result<String, IdentityError> {
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

    /// Keeps a token that says what it has to.
    pub(super) fn token<K>(
        &self,
        path: &Path,
        claims: &Claims<K>,
        issuer: &KeyPair,
        made: &mut Made,
    ) -> Result<String, IdentityError>
    where
        K: Kind + Serialize + DeserializeOwned + Clone + PartialEq,
    {
        let kept = self.read(path)?.map(|text| text.trim().to_owned()).filter(|text| {
            let same = |kept: &Claims<K>| kept.sub == claims.sub && kept.nats == claims.nats;
            decode::<K>(text).is_ok_and(|kept| kept.iss == issuer.public_key() && same(&kept))
        });
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let token = encode(claims.clone(), issuer)?;
        self.make(path, &format!("{token}\n"), made)?;
        Ok(token)
    }
}
