//! What running servers are told, by the user `certs` of their own account: the accounts' tokens, and to read their
//! files again. A server that hears of an account closes the connections of whom it revokes.
//! <https://docs.nats.io/running-a-nats-service/configuration/securing_nats/jwt/resolver>

use std::time::{Duration, SystemTime};

use async_nats::{Client, ConnectOptions};
use contract::access::{Names, Role};
use futures::StreamExt as _;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use time::OffsetDateTime;

/// Longest wait for a connection, and for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long servers may take to answer that are not known to be there.
const LATE: Duration = Duration::from_secs(1);

/// How to reach the servers of a cluster.
pub struct Servers {
    /// Their URLs.
    pub urls: Vec<String>,
    /// Text of the credentials of [`Role::Certs`].
    pub creds: String,
    /// Authorities that their certificates are checked against, as PEM; without it TLS is not asked for.
    pub ca: Option<String>,
}

/// Why servers were not told.
#[derive(Debug, thiserror::Error)]
pub enum ServersError {
    /// The credentials.
    #[error("the credentials of certs cannot be used")]
    Creds(#[source] std::io::Error),
    /// The authorities.
    #[error("the authorities of the servers cannot be used: {0}")]
    Authorities(String),
    /// None lets us in.
    #[error("no NATS server lets us in; check the URL, the authority and that it runs")]
    Connect(#[source] async_nats::ConnectError),
    /// Nobody answers.
    #[error("no NATS server answers")]
    Silent,
    /// An answer that says no.
    #[error("the NATS server does not {0}: {1}")]
    Refused(&'static str, String),
    /// The connection.
    #[error("NATS")]
    Connection(#[from] async_nats::RequestError),
    /// The connection.
    #[error("NATS")]
    Publish(#[from] async_nats::PublishError),
    /// The connection.
    #[error("NATS")]
    Subscribe(#[from] async_nats::SubscribeError),
}

/// One server of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its id: another one after each start.
    pub id: String,
    /// When the certificates that it shows end, to clients and to other servers.
    pub certificates: Vec<OffsetDateTime>,
}

/// A connection to one of the servers, by which all are reached.
pub struct Line(Client);

impl Servers {
    /// Connects to one of them.
    ///
    /// # Errors
    /// When none lets us in.
    pub async fn connect(&self) -> Result<Line, ServersError> {
        let names = Names { cluster: "", namespace: "", user: "" };
        let mut options = ConnectOptions::with_credentials(&self.creds)
            .map_err(ServersError::Creds)?
            .name(format!("roadstead-{}", Role::Certs))
            .custom_inbox_prefix(Role::Certs.inbox_prefix(&names))
            .connection_timeout(PATIENCE)
            .request_timeout(Some(PATIENCE));
        if let Some(ca) = &self.ca {
            options = options.tls_client_config(trust(ca)?).require_tls(true);
        }
        let connect = tokio::time::timeout(3 * PATIENCE, options.connect(&self.urls)).await;
        Ok(Line(connect.map_err(|_| ServersError::Silent)?.map_err(ServersError::Connect)?))
    }
}

impl Line {
    /// Brings an account's token, and waits for a server's word that it is taken.
    ///
    /// # Errors
    /// When none takes it.
    pub async fn push(&self, token: &str) -> Result<(), ServersError> {
        let answer = self.0.request("$SYS.REQ.CLAIMS.UPDATE", token.to_owned().into()).await?;
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
        match answer["data"]["code"].as_i64() {
            Some(200) => Ok(()),
            _ => Err(ServersError::Refused("take the account", answer.to_string())),
        }
    }

    /// Every server that answers; those known to be there are waited for.
    ///
    /// # Errors
    /// When none does.
    pub async fn servers(&self, known: usize) -> Result<Vec<Server>, ServersError> {
        let inbox = self.0.new_inbox();
        let mut answers = self.0.subscribe(inbox.clone()).await?;
        self.0.publish_with_reply("$SYS.REQ.SERVER.PING.VARZ", inbox, "".into()).await?;
        let mut servers = Vec::new();
        while servers.len() < known.max(1) {
            let wait = if servers.is_empty() { PATIENCE } else { LATE };
            let Ok(Some(answer)) = tokio::time::timeout(wait, answers.next()).await else { break };
            let answer: Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
            servers.extend(server(&answer));
        }
        if servers.is_empty() { Err(ServersError::Silent) } else { Ok(servers) }
    }

    /// Has a server read its files again: its certificates, above all.
    ///
    /// # Errors
    /// When it does not.
    pub async fn reload(&self, server: &Server) -> Result<(), ServersError> {
        let answer = self.0.request(format!("$SYS.REQ.SERVER.{}.RELOAD", server.id), "".into()).await?;
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
        if answer["error"].is_null() {
            Ok(())
        } else {
            Err(ServersError::Refused("read its files again", answer["error"].to_string()))
        }
    }
}

fn server(answer: &Value) -> Option<Server> {
    let id = answer["server"]["id"].as_str()?.to_owned();
    let ends = [&answer["data"], &answer["data"]["cluster"]].map(|part| &part["tls_cert_not_after"]);
    let time = |end: &Value| Some(instant(humantime::parse_rfc3339(end.as_str()?).ok()?));
    Some(Server { id, certificates: ends.into_iter().filter_map(time).collect() })
}

fn instant(time: SystemTime) -> OffsetDateTime {
    time.into()
}

fn trust(ca: &str) -> Result<ClientConfig, ServersError> {
    let wrong = |error: &dyn std::fmt::Display| ServersError::Authorities(error.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_tells_when_its_certificates_end() {
        let answer = serde_json::json!({"server": {"id": "NA", "name": "x"}, "data": {
            "tls_cert_not_after": "2026-11-24T18:00:00Z", "cluster": {"tls_cert_not_after": "2026-11-25T18:00:00Z"},
        }});
        let ends: Vec<_> =
            server(&answer).unwrap().certificates.iter().map(|end| end.unix_timestamp()).collect();
        assert_eq!(ends, [1_795_543_200, 1_795_629_600]);
        let plain = serde_json::json!({"server": {"id": "NA"}, "data": {"cluster": {}}});
        assert!(server(&plain).unwrap().certificates.is_empty());
        assert_eq!(server(&serde_json::json!({})), None);
    }
}
