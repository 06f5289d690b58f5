//! NATS over TLS, with an authority of one's own.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Result;
use certs::tls::{Authority, LeafRequest, Pair, Usage};
use tempfile::TempDir;
use testbed::{PATIENCE, eventually};

use crate::server::{Server, says};

const HOUR: Duration = Duration::from_hours(1);
const TLS: &str = "tls { cert_file: \"<folder>/server.crt\", key_file: \"<folder>/server.key\" }\n\
                   authorization { token: \"t\" }\n";

fn leaf(name: &str, usage: Usage, ips: Vec<Ipv4Addr>, life: Duration) -> LeafRequest {
    LeafRequest {
        common_name: name.into(),
        organizations: vec![],
        dns_names: if usage == Usage::Server && ips.is_empty() { vec!["nats.test".into()] } else { vec![] },
        ips: ips.into_iter().map(Into::into).collect(),
        usage,
        life,
    }
}

/// Writes a certificate of an authority, and the authority as `ca.crt`.
fn write(folder: &TempDir, name: &str, authority: &Authority, request: &LeafRequest) -> Result<()> {
    let leaf = authority.issue(request)?;
    std::fs::write(folder.path().join("ca.crt"), authority.cert_pem())?;
    std::fs::write(folder.path().join(format!("{name}.crt")), &leaf.cert_pem)?;
    std::fs::write(folder.path().join(format!("{name}.key")), &leaf.key_pem)?;
    Ok(())
}

/// What an executor says that trusts `ca.crt`.
async fn said(server: &Server, what: &str) -> Result<()> {
    std::fs::write(server.file("token"), "t")?;
    let (token, ca) = (server.file("token"), server.file("ca.crt"));
    let executor = server.executor(&[("ROADSTEAD_NATS_TOKEN_FILE", &token), ("ROADSTEAD_NATS_CA", &ca)])?;
    says(&executor, what).await
}

fn server_leaf() -> LeafRequest {
    leaf("nats", Usage::Server, vec![Ipv4Addr::LOCALHOST], HOUR)
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_named() -> Result<()> {
    let authority = Authority::generate("private", HOUR)?;
    let server =
        Server::configured(TLS, |folder| write(folder, "server", &authority, &server_leaf())).await?;
    said(&server, "connected to NATS").await
}

#[tokio::test]
async fn another_authority_is_refused_by_name() -> Result<()> {
    let authority = Authority::generate("private", HOUR)?;
    let server =
        Server::configured(TLS, |folder| write(folder, "server", &authority, &server_leaf())).await?;
    std::fs::write(server.file("ca.crt"), Authority::generate("other", HOUR)?.cert_pem())?;
    said(&server, "not signed by an authority in --nats-ca").await
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_by_name() -> Result<()> {
    let authority = Authority::generate("private", HOUR)?;
    let other = leaf("nats", Usage::Server, vec![], HOUR);
    let server = Server::configured(TLS, |folder| write(folder, "server", &authority, &other)).await?;
    said(&server, "for another name than --nats-url says").await
}

#[tokio::test]
async fn an_expired_certificate_is_refused_by_name() -> Result<()> {
    let authority = Authority::generate("private", HOUR)?;
    let short = LeafRequest { life: Duration::from_secs(1), ..server_leaf() };
    let server = Server::configured(TLS, |folder| write(folder, "server", &authority, &short)).await?;
    let (cert, key) = (server.file("server.crt"), server.file("server.key"));
    let pair = Pair::parse(&std::fs::read_to_string(cert)?, &std::fs::read_to_string(key)?)?;
    eventually("its time is over", PATIENCE, async || {
        // To the second, as the client compares.
        let over = pair.not_after() + Duration::from_secs(1);
        anyhow::ensure!(over < time::OffsetDateTime::now_utc(), "{over}");
        Ok(())
    })
    .await?;
    said(&server, "has expired").await
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_an_authority_is_named() -> Result<()> {
    let authority = Authority::generate("private", HOUR)?;
    let plain = "authorization { token: \"t\" }\n";
    let server =
        Server::configured(plain, |folder| write(folder, "server", &authority, &server_leaf())).await?;
    said(&server, "cannot connect to NATS").await
}

#[tokio::test]
async fn a_clients_certificate_is_a_user() -> Result<()> {
    let mapped = "tls { cert_file: \"<folder>/server.crt\", key_file: \"<folder>/server.key\", \
                  ca_file: \"<folder>/ca.crt\", verify_and_map: true }\n\
                  authorization { users: [ { user: \"CN=roadstead-executor\" } ] }\n";
    let authority = Authority::generate("private", HOUR)?;
    let server = Server::configured(mapped, |folder| {
        write(folder, "executor", &authority, &leaf("roadstead-executor", Usage::Client, vec![], HOUR))?;
        write(folder, "somebody", &authority, &leaf("somebody", Usage::Client, vec![], HOUR))?;
        write(folder, "server", &authority, &server_leaf())
    })
    .await?;
    let ca = server.file("ca.crt");
    for (name, what) in
        [("executor", "connected to NATS"), ("somebody", "it does not accept the credentials")]
    {
        let (cert, key) = (server.file(&format!("{name}.crt")), server.file(&format!("{name}.key")));
        let settings =
            [("ROADSTEAD_NATS_CA", &*ca), ("ROADSTEAD_NATS_CERT", &cert), ("ROADSTEAD_NATS_KEY", &key)];
        let executor = server.executor(&settings)?;
        says(&executor, what).await?;
        executor.kill()?;
    }
    Ok(())
}
