//! The identities of one installation: an operator, the account of the servers, the account `ROADSTEAD`, and in each
//! account one signing key a role, whose template says what its users may (`contract::access`). A stolen user token
//! cannot be widened, and a role is revoked by taking its key out of the account.

use std::{collections::BTreeMap, time::Duration};

use contract::access::{Account as Home, Names, Role, is_label};
use nkeys::KeyPair;

use super::{
    Claims, Creds, IdentityError,
    claims::{
        Account, AccountLimits, Authorization, Operator, Permissions, Responses, Scope, SigningKey, Subjects,
        User, UserLimits,
    },
    encode,
};

/// Name of the signing key of those who may do everything.
const UNRESTRICTED: &str = "unrestricted";

/// How long a question may be answered, in nanoseconds.
const ANSWER: i64 = 10_000_000_000;

/// The keys of an installation. Not `Debug`: they are secrets.
pub struct Keys {
    /// Root of trust; signs the operator's token only.
    pub operator: KeyPair,
    /// Signs the accounts.
    pub operator_signing: KeyPair,
    /// Of the account `ROADSTEAD`.
    pub account: KeyPair,
    /// Of the account of the authorization callout.
    pub callout: KeyPair,
    /// Of the account of the servers.
    pub system: KeyPair,
    /// Of the callout's user: its account names it, so it outlives its tokens.
    pub callout_user: KeyPair,
    /// Signs users that may do everything in the account `ROADSTEAD`: to break glass, and for tests.
    pub unrestricted: KeyPair,
    /// Signs the users of each role.
    pub roles: BTreeMap<Role, KeyPair>,
}

impl Keys {
    /// New ones.
    #[must_use]
    pub fn generate() -> Self {
        Self {
            operator: KeyPair::new_operator(),
            operator_signing: KeyPair::new_operator(),
            account: KeyPair::new_account(),
            callout: KeyPair::new_account(),
            system: KeyPair::new_account(),
            callout_user: KeyPair::new_user(),
            unrestricted: KeyPair::new_account(),
            roles: Role::ALL.map(|role| (role, KeyPair::new_account())).into(),
        }
    }

    /// The key of an account.
    #[must_use]
    pub fn home(&self, home: Home) -> &KeyPair {
        match home {
            Home::Roadstead => &self.account,
            Home::Callout => &self.callout,
            Home::System => &self.system,
        }
    }

    /// What the operator's token has to say.
    #[must_use]
    pub fn operator_claims(&self) -> Claims<Operator> {
        let operator = Operator {
            signing_keys: vec![self.operator_signing.public_key()],
            system_account: Some(self.system.public_key()),
            strict_signing_key_usage: true,
        };
        Claims::new(&self.operator.public_key(), "roadstead", None, operator)
    }

    /// What an account's token has to say; `revocations` are the users whose tokens are void.
    #[must_use]
    pub fn account_claims(&self, home: Home, revocations: BTreeMap<String, i64>) -> Claims<Account> {
        let signing_keys = self.roles.iter().filter(|(role, _)| role.account() == home);
        let scope = |key: &KeyPair, role, permissions| {
            let template = UserLimits::only(permissions);
            SigningKey::Scoped(Box::new(Scope::new(key.public_key(), role, template)))
        };
        let signing_keys = signing_keys
            .map(|(role, key)| scope(key, role.as_str(), permissions(*role, &Names::TEMPLATE)))
            .chain(
                (home == Home::Roadstead)
                    .then(|| scope(&self.unrestricted, UNRESTRICTED, Permissions::default())),
            );
        let limits = AccountLimits::default();
        let limits = if home == Home::Roadstead { limits.with_streams() } else { limits };
        let authorization = (home == Home::Callout).then(|| Authorization {
            auth_users: vec![self.callout_user.public_key()],
            allowed_accounts: vec![self.account.public_key()],
            xkey: None,
        });
        let signing_keys = signing_keys.collect();
        let account = Account { limits, signing_keys, revocations, authorization, ..Account::default() };
        Claims::new(&self.home(home).public_key(), home.as_str(), None, account)
    }

    /// Credentials of a new user.
    ///
    /// # Errors
    /// A name that would widen the subjects of its role.
    pub fn user(&self, user: &UserRequest) -> Result<Creds, IdentityError> {
        let key = match user.role {
            Role::Callout => {
                let seed =
                    self.callout_user.seed().map_err(|_| IdentityError::Creds("its key has no seed"))?;
                KeyPair::from_seed(&seed).map_err(|_| IdentityError::Creds("its key is none"))?
            }
            _ => KeyPair::new_user(),
        };
        let claims = user_claims(user, &key.public_key(), self.home_of(user.role))?;
        let token = encode(claims, self.signing_key(user.role)?)?;
        Creds::new(token, key)
    }

    /// Credentials that may do everything in the account `ROADSTEAD`.
    ///
    /// # Errors
    /// When the key has no seed.
    pub fn unrestricted_user(&self, name: &str, life: Duration) -> Result<Creds, IdentityError> {
        let key = KeyPair::new_user();
        let user = User { issuer_account: Some(self.account.public_key()), ..User::default() };
        let token = encode(Claims::new(&key.public_key(), name, Some(life), user), &self.unrestricted)?;
        Creds::new(token, key)
    }

    /// Whether these credentials are what [`Keys::user`] would make now, and last for at least `rest`.
    #[must_use]
    pub fn are_good(&self, creds: &Creds, user: &UserRequest, rest: Duration) -> bool {
        let Claims { iss, name, exp, iat, nats, .. } = &creds.claims;
        let lasts = match (exp, user.life) {
            (Some(exp), Some(life)) => {
                // One that lives longer than is wanted now is not kept either.
                exp - super::jwt::now() >= seconds(rest) && exp - iat <= seconds(life)
            }
            (exp, life) => exp.is_none() && life.is_none(),
        };
        let signed = self.roles.get(&user.role).is_some_and(|key| key.public_key() == *iss);
        lasts
            && signed
            && *name == user.name
            && user.tags().is_ok_and(|tags| tags == nats.claims.tags)
            && nats.claims.issuer_account.as_ref() == Some(&self.home_of(user.role))
    }

    fn home_of(&self, role: Role) -> String {
        self.home(role.account()).public_key()
    }

    fn signing_key(&self, role: Role) -> Result<&KeyPair, IdentityError> {
        self.roles.get(&role).ok_or(IdentityError::Creds("its role has no key"))
    }
}

/// A user to be made.
#[derive(Clone, Debug)]
pub struct UserRequest {
    /// What it is.
    pub role: Role,
    /// Its name, a label of DNS.
    pub name: String,
    /// Name of the cluster.
    pub cluster: String,
    /// Its namespace, where its role has one.
    pub namespace: Option<String>,
    /// How long its token is valid; `None`: until it is revoked.
    pub life: Option<Duration>,
}

impl UserRequest {
    /// Where its answers arrive: clients need to be told.
    #[must_use]
    pub fn inbox_prefix(&self) -> String {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        self.role.inbox_prefix(&Names { cluster: &self.cluster, namespace, user: &self.name })
    }

    /// The server writes these into the subjects of the role without a look at them.
    fn tags(&self) -> Result<Vec<String>, IdentityError> {
        let label = |name: &str| {
            if is_label(name) { Ok(name.to_owned()) } else { Err(IdentityError::Name(name.to_owned())) }
        };
        label(&self.name)?;
        let mut tags = vec![format!("cluster:{}", label(&self.cluster)?)];
        match (&self.namespace, self.role) {
            (Some(namespace), Role::Namespace) => tags.push(format!("namespace:{}", label(namespace)?)),
            (None, Role::Namespace) => return Err(IdentityError::Name(String::new())),
            _ => {}
        }
        Ok(tags)
    }
}

/// What the token of a user with this key has to say.
pub(super) fn user_claims(
    user: &UserRequest,
    key: &str,
    account: String,
) -> Result<Claims<User>, IdentityError> {
    let claims = User { issuer_account: Some(account), tags: user.tags()?, ..User::default() };
    Ok(Claims::new(key, &user.name, user.life, claims))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// What a role may, as a token says it.
#[must_use]
pub fn permissions(role: Role, names: &Names<'_>) -> Permissions {
    let access = role.access(names);
    // An empty list would be every subject.
    let only = |allow: Vec<String>| {
        let deny = if allow.is_empty() { vec![">".to_owned()] } else { Vec::new() };
        Subjects { allow, deny }
    };
    // The server forbids everything else by itself, and would forbid the answer as well.
    let publish = if access.answers { Subjects::default() } else { only(access.publish) };
    let responses = access.answers.then_some(Responses { max: 1, ttl: ANSWER });
    Permissions { publish, subscribe: only(access.subscribe), responses }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nats::decode;

    fn user(name: &str, namespace: &str) -> UserRequest {
        UserRequest {
            role: Role::Namespace,
            name: name.into(),
            cluster: "east".into(),
            namespace: Some(namespace.into()),
            life: Some(Duration::from_hours(1)),
        }
    }

    #[test]
    fn a_name_that_would_widen_a_subject_gets_no_token() {
        let keys = Keys::generate();
        for name in ["*", ">", "a.b", "a\0b", "", "{{name()}}", "A"] {
            for request in [
                user(name, "shop"),
                user("jane", name),
                UserRequest { cluster: name.into(), ..user("jane", "shop") },
            ] {
                assert!(matches!(keys.user(&request), Err(IdentityError::Name(_))), "{name:?}");
            }
        }
        assert!(keys.user(&UserRequest { namespace: None, ..user("jane", "shop") }).is_err());
    }

    #[test]
    fn a_users_token_says_who_it_is_and_nothing_of_what_it_may() {
        let keys = Keys::generate();
        let creds = keys.user(&user("jane", "shop")).unwrap();
        let claims: Claims<User> = decode(&creds.token).unwrap();
        assert_eq!(claims.iss, keys.roles[&Role::Namespace].public_key());
        assert_eq!(claims.nats.claims.limits, UserLimits::default());
        assert_eq!(claims.nats.claims.tags, ["cluster:east", "namespace:shop"]);
        assert_eq!(claims.nats.claims.issuer_account, Some(keys.account.public_key()));
    }

    #[test]
    fn credentials_are_kept_while_they_are_what_is_wanted_and_last() {
        let (keys, wanted) = (Keys::generate(), user("jane", "shop"));
        let creds = keys.user(&wanted).unwrap();
        let rest = Duration::from_mins(20);
        assert!(keys.are_good(&creds, &wanted, rest));
        assert!(!keys.are_good(&creds, &wanted, Duration::from_hours(2)), "it ends too soon");
        assert!(
            !keys.are_good(&creds, &UserRequest { life: Some(rest), ..wanted.clone() }, rest),
            "it lives too long"
        );
        assert!(!keys.are_good(&creds, &user("jane", "pay"), rest));
        assert!(!keys.are_good(&creds, &UserRequest { role: Role::Operator, ..wanted.clone() }, rest));
        assert!(!Keys::generate().are_good(&creds, &wanted, rest));
        let endless = keys.user(&UserRequest { life: None, ..wanted.clone() }).unwrap();
        assert!(!keys.are_good(&endless, &wanted, rest));
    }
}
