use std::time::Duration;

use super::*;
use crate::nats::Made;
use crate::secrets::{data, empty};
use crate::tls::Authority;

const LIFE: Duration = Duration::from_hours(24);

fn installation(hosts: &[&str]) -> Installation {
    Installation {
        namespace: "ns".into(),
        prefix: "r".into(),
        cluster: "east".into(),
        urls: vec!["nats://r-nats:4222".into()],
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        accounts: "/accounts".into(),
        config: "/etc/nats".into(),
    }
}

fn stored(keyring: &Keyring) -> Secret {
    Secret { data: Some(data(keyring.texts().unwrap())), ..empty("Opaque") }
}

/// Everything made, but for the certificate.
fn keyring() -> Keyring {
    let mut keyring = Keyring::read(None).unwrap();
    keyring.folder.ensure("east", LIFE, "/accounts").unwrap();
    keyring.authorities.signing = Some(Authority::generate("test", LIFE).unwrap());
    keyring
}

fn with_certificate() -> Keyring {
    let mut keyring = keyring();
    let request = installation(&[]).certificate(LIFE);
    keyring.leaf = keyring.authorities.signing.as_ref().map(|signing| signing.issue(&request).unwrap());
    keyring
}

#[test]
fn what_is_stored_reads_back_and_nothing_of_it_is_made_anew() {
    let keyring = with_certificate();
    let secret = stored(&keyring);
    let valid = |key: &String| key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    assert!(secret.data.as_ref().unwrap().keys().all(valid), "a key that a Secret cannot have");
    let read = Keyring::read(Some(&secret)).unwrap();
    assert_eq!(read.folder.ensure("east", LIFE, "/accounts").unwrap(), Made::default());
    assert_eq!(read.texts().unwrap(), keyring.texts().unwrap());
}

#[test]
fn no_key_leaves_but_those_of_the_callout() {
    let keyring = with_certificate();
    let derived = keyring.derived(&installation(&["a", "b", "c"])).unwrap();
    let all: String = derived.values().flat_map(Texts::values).map(String::as_str).collect();
    let mut left = Vec::new();
    for (path, text) in keyring.folder.files().into_iter().filter(|(path, _)| path.starts_with("keys")) {
        if all.contains(text.trim()) {
            left.push(path);
        }
    }
    // The callout's user lasts, and its key is in what it connects with.
    assert_eq!(
        left,
        ["role-callout.nk", "role-namespace.nk", "user-callout.nk"].map(|key| Path::new("keys").join(key))
    );
    assert!(!all.contains(keyring.authorities.signing.as_ref().unwrap().key_pem().lines().nth(1).unwrap()));
    for (part, texts) in &derived {
        assert_eq!(texts.contains_key(KEY), *part == SERVER, "{part}");
        assert_eq!(texts.values().any(|text| text.contains(&keyring.password)), *part == SERVER, "{part}");
        assert_eq!(texts[CA], keyring.authorities.bundle(), "{part}");
    }
}

#[test]
fn servers_get_nothing_before_there_is_a_certificate() {
    assert!(!keyring().derived(&installation(&[])).unwrap().contains_key(SERVER));
    let derived = with_certificate().derived(&installation(&["r-nats-0.r-nats.ns.svc"])).unwrap();
    let keys: Vec<_> = derived[SERVER].keys().map(String::as_str).collect();
    assert_eq!(keys, ["ca.crt", "cluster.conf", "resolver.conf", "tls.conf", "tls.crt", "tls.key"]);
    assert!(!derived[SERVER]["cluster.conf"].contains("cluster {"), "one server has no cluster");
}

#[test]
fn a_text_that_is_none_is_told_of_and_not_written_over() {
    let mut secret = stored(&keyring());
    let key = "keys.operator.nk".to_owned();
    secret.data.as_mut().unwrap().insert(key.clone(), k8s_openapi::ByteString(vec![0xff]));
    assert!(matches!(Keyring::read(Some(&secret)), Err(Failure::NoText(named)) if named == key));
    secret.data.as_mut().unwrap().insert(key, k8s_openapi::ByteString(b"nothing".to_vec()));
    let read = Keyring::read(Some(&secret)).unwrap();
    assert!(read.folder.ensure("east", LIFE, "/accounts").is_err());
}
