//! NATS tokens, compared with those of the reference implementation (`golden/main.go` wrote them).

#![allow(clippy::unwrap_used, reason = "a test")]

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use certs::nats::{
    Claims,
    callout::{Question, Verdict},
    claims::{Account, Operator, User},
    decode, encode,
    jwt::Kind,
};
use nkeys::{KeyPair, KeyPairType};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

#[derive(Deserialize)]
struct Vector {
    name: String,
    issuer: String,
    token: String,
}

fn payload(token: &str) -> Value {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let mut claims: Value = serde_json::from_slice(&payload).unwrap();
    // A digest of the text, and the order of a text's members is anybody's.
    assert_eq!(claims["jti"].take().as_str().unwrap().len(), 52);
    claims
}

fn compare<K: Kind + Serialize + DeserializeOwned>(vector: &Vector) {
    let Vector { name, issuer, token } = vector;
    let claims: Claims<K> = decode(token).unwrap();
    let ours = encode(claims, &KeyPair::from_seed(issuer).unwrap()).unwrap();
    assert_eq!(payload(&ours), payload(token), "{name}");
    assert!(decode::<K>(&ours).is_ok(), "{name}");
}

#[test]
fn tokens_of_the_reference_implementation_are_read_and_written_alike() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("golden/tokens.json")).unwrap();
    for vector in &vectors {
        match vector.name.as_str() {
            "operator" => compare::<Operator>(vector),
            "account" => compare::<Account>(vector),
            // A server says more than is read.
            "question" => {
                let question = decode::<Question>(&vector.token).unwrap().nats.claims;
                let issuer = KeyPair::from_seed(&vector.issuer).unwrap();
                assert_eq!(question.server_id.id, issuer.public_key());
                assert_eq!(question.connect_opts.auth_token.as_deref(), Some("a token of a ServiceAccount"));
                assert_eq!(
                    KeyPair::from_public_key(&question.user_nkey).unwrap().key_pair_type(),
                    KeyPairType::User
                );
            }
            "verdict" | "refusal" => compare::<Verdict>(vector),
            _ => compare::<User>(vector),
        }
    }
    assert_eq!(vectors.len(), 7);
}
