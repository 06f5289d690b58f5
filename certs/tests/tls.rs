//! The certificates as a TLS peer sees them, and the files as an operator sees them.

#![allow(clippy::unwrap_used, reason = "in a test an error is a failure")]

use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use certs::tls::{Authority, Files, Kept, Leaf, LeafRequest, TlsError, Usage};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;

const HOUR: Duration = Duration::from_hours(1);

fn request() -> LeafRequest {
    LeafRequest {
        common_name: "roadstead-webhook".into(),
        organizations: vec!["roadstead".into()],
        dns_names: vec!["roadstead-webhook.roadstead.svc".into()],
        ips: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        usage: Usage::Server,
        life: HOUR,
    }
}

fn authority() -> Authority {
    Authority::generate("test authority", 2 * HOUR).unwrap()
}

fn roots(authority: &Authority) -> Arc<rustls::RootCertStore> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.cert_pem().as_bytes()).unwrap()).unwrap();
    Arc::new(roots)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// What a TLS client that trusts `authority` says to this server.
fn verify(authority: &Authority, leaf: &Leaf, name: &str, at: UnixTime) -> Result<(), rustls::Error> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots(authority), provider()).build().unwrap();
    let cert = CertificateDer::from_pem_slice(leaf.cert_pem.as_bytes()).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier.verify_server_cert(&cert, &[], &name, &[], at).map(drop)
}

#[test]
fn a_client_that_trusts_the_authority_accepts_the_leaf_under_each_of_its_names() {
    let authority = authority();
    let leaf = authority.issue(&request()).unwrap();
    verify(&authority, &leaf, "roadstead-webhook.roadstead.svc", UnixTime::now()).unwrap();
    verify(&authority, &leaf, "127.0.0.1", UnixTime::now()).unwrap();
    verify(&authority, &leaf, "elsewhere", UnixTime::now()).unwrap_err();
}

#[test]
fn another_authority_of_the_same_name_is_not_trusted() {
    let leaf = authority().issue(&request()).unwrap();
    verify(&authority(), &leaf, "127.0.0.1", UnixTime::now()).unwrap_err();
}

#[test]
fn a_leaf_ends_with_its_life_and_never_after_its_authority() {
    let authority = authority();
    let leaf = authority.issue(&LeafRequest { life: 100 * HOUR, ..request() }).unwrap();
    let after = |time: Duration| UnixTime::since_unix_epoch(now() + time);
    verify(&authority, &leaf, "127.0.0.1", after(HOUR + HOUR / 2)).unwrap();
    verify(&authority, &leaf, "127.0.0.1", after(3 * HOUR)).unwrap_err();
    let short = authority.issue(&request()).unwrap();
    verify(&authority, &short, "127.0.0.1", after(HOUR + HOUR / 2)).unwrap_err();
}

#[test]
fn a_client_leaf_proves_a_client_and_is_no_server() {
    let authority = authority();
    let leaf = authority
        .issue(&LeafRequest { usage: Usage::Client, dns_names: vec![], ips: vec![], ..request() })
        .unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots(&authority), provider()).build().unwrap();
    let cert = CertificateDer::from_pem_slice(leaf.cert_pem.as_bytes()).unwrap();
    verifier.verify_client_cert(&cert, &[], UnixTime::now()).unwrap();
    verify(&authority, &leaf, "127.0.0.1", UnixTime::now()).unwrap_err();
}

#[test]
fn an_authority_read_back_from_its_pem_signs_leaves_of_the_same_chain() {
    let first = authority();
    let again = Authority::from_pem(first.cert_pem(), first.key_pem()).unwrap();
    let leaf = again.issue(&request()).unwrap();
    verify(&first, &leaf, "127.0.0.1", UnixTime::now()).unwrap();
}

#[test]
fn bad_requests_are_refused_with_what_is_wrong() {
    let authority = authority();
    let refusal = |request: LeafRequest| authority.issue(&request).unwrap_err().to_string();
    for name in ["a..b", "", "-a", "a_b", "*.*.a", &"a".repeat(64)] {
        let said = refusal(LeafRequest { dns_names: vec![name.to_owned()], ..request() });
        assert!(said.contains("is no DNS name"), "{name}: {said}");
    }
    let said = refusal(LeafRequest { dns_names: vec![], ips: vec![], ..request() });
    assert!(said.contains("at least one DNS name or IP address"), "{said}");
    let said = refusal(LeafRequest { life: Duration::ZERO, ..request() });
    assert!(said.contains("life"), "{said}");
    let said = refusal(LeafRequest { life: Duration::MAX, ..request() });
    assert!(said.contains("life"), "{said}");
    let said = refusal(LeafRequest { common_name: String::new(), ..request() });
    assert!(said.contains("common name"), "{said}");
}

#[test]
fn pem_that_is_no_authority_is_refused() {
    let authority = authority();
    let leaf = authority.issue(&request()).unwrap();
    let refused = |cert: &str, key: &str| Authority::from_pem(cert, key).unwrap_err();
    assert!(matches!(refused(&leaf.cert_pem, &leaf.key_pem), TlsError::NotAnAuthority));
    assert!(matches!(refused(authority.cert_pem(), &leaf.key_pem), TlsError::Mismatch));
    assert!(matches!(refused("nothing", authority.key_pem()), TlsError::Certificate(_)));
    assert!(matches!(refused(authority.cert_pem(), "nothing"), TlsError::Key(_)));
}

#[test]
fn files_that_are_good_are_kept_and_keys_are_for_the_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::new(dir.path());
    assert!(matches!(files.ensure("ca", 2 * HOUR, &request()).unwrap(), Kept::Nothing(_)));
    let before = std::fs::read(files.cert()).unwrap();
    assert!(matches!(files.ensure("ca", 2 * HOUR, &request()).unwrap(), Kept::Everything));
    assert_eq!(before, std::fs::read(files.cert()).unwrap());
    for key in [files.key(), files.ca_key()] {
        assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_new_name_or_a_broken_leaf_costs_only_the_leaf() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::new(dir.path());
    files.ensure("ca", 2 * HOUR, &request()).unwrap();
    let authority = std::fs::read(files.ca_cert()).unwrap();
    let renamed = LeafRequest { dns_names: vec!["other".into()], ..request() };
    assert!(matches!(
        files.ensure("ca", 2 * HOUR, &renamed).unwrap(),
        Kept::Authority(TlsError::LacksName(name)) if name == "other"
    ));
    std::fs::write(files.cert(), "").unwrap();
    assert!(matches!(
        files.ensure("ca", 2 * HOUR, &renamed).unwrap(),
        Kept::Authority(TlsError::Certificate(_))
    ));
    assert_eq!(authority, std::fs::read(files.ca_cert()).unwrap());
}

#[test]
fn a_bad_request_leaves_existing_files_alone() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::new(dir.path());
    files.ensure("ca", 2 * HOUR, &request()).unwrap();
    let before = std::fs::read(files.cert()).unwrap();
    files.ensure("ca", 2 * HOUR, &LeafRequest { dns_names: vec!["a b".into()], ..request() }).unwrap_err();
    assert_eq!(before, std::fs::read(files.cert()).unwrap());
}

fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap()
}
