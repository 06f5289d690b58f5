//! The form of a NATS token: three parts, signed with an nkey, version 2.
//! <https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt>

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use nkeys::{KeyPair, KeyPairType};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha512_256};

/// The only algorithm that is accepted: a token does not choose how it is checked.
const ALGORITHM: &str = "ed25519-nkey";

/// The only version of the claims that is accepted.
const VERSION: u8 = 2;

/// What a token says beside who says it of whom.
pub trait Kind {
    /// `nats.type` of such a token.
    const TYPE: &'static str;
    /// What kind of key signs it.
    const ISSUER: KeyPairType;
    /// What kind of key it is about.
    const SUBJECT: KeyPairType;
}

/// One token, read. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims<K> {
    /// Id of the token: a digest of what it says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub jti: String,
    /// When it was issued.
    pub iat: i64,
    /// Public key that signed it.
    pub iss: String,
    /// Public key that it is about.
    pub sub: String,
    /// A name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Whom it is for, where it is for somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// After this it is void; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// Before this it is void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// What it says.
    pub nats: Body<K>,
}

/// What a token says, with the words that tell which kind it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Body<K> {
    /// The claims.
    #[serde(flatten)]
    pub claims: K,
    /// [`Kind::TYPE`]
    #[serde(rename = "type")]
    kind: String,
    version: u8,
}

#[derive(Serialize, Deserialize)]
struct Header {
    typ: String,
    alg: String,
}

/// Why a token means nothing.
#[derive(Debug, thiserror::Error)]
pub enum JwtError {
    /// Not three parts of base64, or not the JSON that is expected.
    #[error("not a NATS token: {0}")]
    Malformed(String),
    /// Another algorithm, version or kind.
    #[error("the token's {field} is {found:?}; {wanted:?} is accepted")]
    Unaccepted {
        /// What of it.
        field: &'static str,
        /// What it says.
        found: String,
        /// What it would have to say.
        wanted: String,
    },
    /// Signed by nobody that may.
    #[error("the token is not signed by the key that it names")]
    Signature,
    /// Its time is over, or has not come.
    #[error("the token is not valid {0}")]
    Time(&'static str),
    /// A key that cannot sign.
    #[error("the key cannot be used: {0}")]
    Key(String),
}

impl<K: Kind> Claims<K> {
    /// Claims about a key; `life`: how long they are valid, from now on.
    #[must_use]
    pub fn new(subject: &str, name: &str, life: Option<Duration>, claims: K) -> Self {
        let iat = now();
        let life = life.map(|life| i64::try_from(life.as_secs()).unwrap_or(i64::MAX));
        Self {
            jti: String::new(),
            iat,
            iss: String::new(),
            sub: subject.to_owned(),
            name: name.to_owned(),
            aud: None,
            exp: life.map(|life| iat.saturating_add(life)),
            nbf: None,
            nats: Body { claims, kind: K::TYPE.to_owned(), version: VERSION },
        }
    }
}

/// Signs claims.
///
/// # Errors
/// When the issuer or the subject is a key of another kind than such a token needs, or has no seed.
pub fn encode<K: Kind + Serialize>(mut claims: Claims<K>, issuer: &KeyPair) -> Result<String, JwtError> {
    claims.iss = issuer.public_key();
    check_key("iss", &claims.iss, &K::ISSUER)?;
    check_key("sub", &claims.sub, &K::SUBJECT)?;
    claims.jti = String::new();
    let unnamed = json(&claims)?;
    claims.jti = data_encoding::BASE32_NOPAD.encode(&Sha512_256::digest(unnamed));
    let header = json(&Header { typ: "JWT".to_owned(), alg: ALGORITHM.to_owned() })?;
    let base64 = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
    let signed = format!("{}.{}", base64(&header), base64(&json(&claims)?));
    let signature = issuer.sign(signed.as_bytes()).map_err(|error| JwtError::Key(error.to_string()))?;
    Ok(format!("{signed}.{}", base64(&signature)))
}

/// Reads a token and checks its form, its signature and its time. Whether its issuer may issue is for the caller to
/// say: the public key is in [`Claims::iss`].
///
/// # Errors
/// Whatever of it is not as it has to be.
pub fn decode<K: Kind + DeserializeOwned>(token: &str) -> Result<Claims<K>, JwtError> {
    let malformed = |what: &dyn std::fmt::Display| JwtError::Malformed(what.to_string());
    let (signed, signature) = token.rsplit_once('.').ok_or_else(|| malformed(&"it has no signature"))?;
    let (header, payload) = signed.split_once('.').ok_or_else(|| malformed(&"it has no claims"))?;
    let bytes = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|error| malformed(&error));
    let header: Header = serde_json::from_slice(&bytes(header)?).map_err(|error| malformed(&error))?;
    accept("alg", header.alg, ALGORITHM)?;
    // The kind first: claims of another kind would be malformed in a way that nobody understands.
    let payload = bytes(payload)?;
    let any: Claims<serde_json::Value> =
        serde_json::from_slice(&payload).map_err(|error| malformed(&error))?;
    accept("nats.type", any.nats.kind, K::TYPE)?;
    accept("nats.version", any.nats.version.to_string(), &VERSION.to_string())?;
    let claims: Claims<K> = serde_json::from_slice(&payload).map_err(|error| malformed(&error))?;
    check_key("sub", &claims.sub, &K::SUBJECT)?;
    let issuer = check_key("iss", &claims.iss, &K::ISSUER)?;
    issuer.verify(signed.as_bytes(), &bytes(signature)?).map_err(|_| JwtError::Signature)?;
    let now = now();
    if claims.exp.is_some_and(|exp| exp <= now) {
        return Err(JwtError::Time("any more"));
    }
    if claims.nbf.is_some_and(|nbf| nbf > now) {
        return Err(JwtError::Time("yet"));
    }
    Ok(claims)
}

fn check_key(field: &'static str, key: &str, wanted: &KeyPairType) -> Result<KeyPair, JwtError> {
    let pair = KeyPair::from_public_key(key)
        .map_err(|error| JwtError::Malformed(format!("{field} is no public key: {error}")))?;
    let kind = |kind: &KeyPairType| format!("{kind:?}");
    accept(field, kind(&pair.key_pair_type()), &kind(wanted))?;
    Ok(pair)
}

fn accept(field: &'static str, found: String, wanted: &str) -> Result<(), JwtError> {
    let same = found == wanted;
    if same { Ok(()) } else { Err(JwtError::Unaccepted { field, found, wanted: wanted.to_owned() }) }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, JwtError> {
    serde_json::to_vec(value).map_err(|error| JwtError::Malformed(error.to_string()))
}

pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nats::claims::{Account, User};

    fn signed(account: &KeyPair, life: Duration) -> String {
        let user = KeyPair::new_user().public_key();
        encode(Claims::new(&user, "web", Some(life), User::default()), account).unwrap()
    }

    #[test]
    fn a_token_reads_back_and_names_its_issuer() {
        let account = KeyPair::new_account();
        let read: Claims<User> = decode(&signed(&account, Duration::from_mins(1))).unwrap();
        assert_eq!((read.iss, read.name.as_str()), (account.public_key(), "web"));
    }

    #[test]
    fn whatever_is_changed_in_a_token_it_means_nothing_any_more() {
        let token = signed(&KeyPair::new_account(), Duration::from_mins(1));
        let parts: Vec<_> = token.split('.').collect();
        let payload = BASE64_URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        let forged = String::from_utf8(payload).unwrap().replace("\"web\"", "\"any\"");
        let forged = BASE64_URL_SAFE_NO_PAD.encode(forged);
        let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"none"}"#);
        for (what, token) in [
            ("claims", format!("{}.{forged}.{}", parts[0], parts[2])),
            ("algorithm", format!("{none}.{}.{}", parts[1], parts[2])),
            ("signature", format!("{}.{}.", parts[0], parts[1])),
            ("parts", parts[1].to_owned()),
            ("nothing", String::new()),
        ] {
            assert!(decode::<User>(&token).is_err(), "{what}");
        }
        assert!(matches!(decode::<Account>(&token), Err(JwtError::Unaccepted { field: "nats.type", .. })));
    }

    #[test]
    fn a_token_whose_time_is_over_is_refused() {
        let token = signed(&KeyPair::new_account(), Duration::ZERO);
        assert!(matches!(decode::<User>(&token), Err(JwtError::Time("any more"))));
    }

    #[test]
    fn only_the_right_kind_of_key_signs() {
        let claims = || Claims::new(&KeyPair::new_user().public_key(), "web", None, User::default());
        assert!(matches!(
            encode(claims(), &KeyPair::new_operator()),
            Err(JwtError::Unaccepted { field: "iss", .. })
        ));
        let about_an_account = Claims { sub: KeyPair::new_account().public_key(), ..claims() };
        assert!(matches!(
            encode(about_an_account, &KeyPair::new_account()),
            Err(JwtError::Unaccepted { field: "sub", .. })
        ));
    }
}
