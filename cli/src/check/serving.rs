//! The certificate that the webhook shows: whether the `caBundle` of each configuration verifies it as the API server
//! would, and until when. A handshake says so, and no Secret is read for it; to a Service it goes by a port-forward.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::{api::admissionregistration::v1::WebhookClientConfig, jiff::Timestamp};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Duration, timeout},
};
use tokio_rustls::TlsConnector;
use x509_parser::parse_x509_certificate;

use super::{Look, admission::Configurations, finding::Finding};
use crate::{
    age::age,
    failure::innermost,
    moment::second,
    nats::{Pods, authorities, tls_client},
};

/// Port that the chart's webhook listens on.
const PORT: u16 = 8443;
/// How long it may take to show its certificate.
const ANSWER: Duration = Duration::from_secs(10);
/// Name of the check.
const CHECK: &str = "certificate";

/// Seconds since 1970 between which a certificate is valid.
type Validity = (i64, i64);

/// Why there is no certificate to judge.
enum Trouble {
    /// Nobody was asked.
    Unasked(String),
    /// It is not good.
    Bad(String),
}

/// Shakes hands once for each address and authority.
pub async fn look(look: &Look, configurations: &Configurations) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for webhook in configurations.webhooks() {
        let bundle = webhook.client.ca_bundle.clone().map(|bundle| bundle.0).unwrap_or_default();
        let Some((host, port)) = address(&webhook.client) else { continue };
        if seen.insert((host.clone(), port, bundle.clone())) {
            findings.push(judge(
                &host,
                shake(look, &webhook.client, (&host, port), &bundle).await,
                Timestamp::now(),
            ));
        }
    }
    findings
}

/// Host and port that the API server connects to, as it checks the name.
fn address(client: &WebhookClientConfig) -> Option<(String, u16)> {
    if let Some(service) = &client.service {
        return Some((format!("{}.{}.svc", service.name, service.namespace), 443));
    }
    let rest = client.url.as_deref()?.strip_prefix("https://")?;
    let authority = rest.split('/').next()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, 443),
    };
    Some((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port))
}

async fn shake(
    look: &Look,
    client: &WebhookClientConfig,
    (host, port): (&str, u16),
    bundle: &[u8],
) -> Result<Validity, Trouble> {
    if bundle.is_empty() {
        return Err(Trouble::Bad("the caBundle is empty".to_owned()));
    }
    let roots =
        authorities(bundle).map_err(|error| Trouble::Bad(format!("the caBundle is not good: {error}")))?;
    let config = tls_client(roots, None).map_err(Trouble::Bad)?;
    let name =
        ServerName::try_from(host.to_owned()).map_err(|error| Trouble::Bad(format!("{host}: {error}")))?;
    let connector = TlsConnector::from(Arc::new(config));
    let validity = async {
        if client.service.is_some() {
            let pods = Pods::of(look.client.clone(), &look.release, "webhook");
            let wire = pods.connect(PORT).await.map_err(Trouble::Unasked)?;
            return handshake(connector, name, wire).await;
        }
        let wire = TcpStream::connect((host, port)).await;
        let wire =
            wire.map_err(|error| Trouble::Unasked(format!("cannot reach {host}:{port} from here: {error}")))?;
        handshake(connector, name, wire).await
    };
    timeout(ANSWER, validity)
        .await
        .unwrap_or_else(|_| Err(Trouble::Unasked(format!("{host} does not answer"))))
}

async fn handshake(
    connector: TlsConnector,
    name: ServerName<'static>,
    wire: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<Validity, Trouble> {
    let shaken = connector.connect(name, wire).await.map_err(|error| Trouble::Bad(innermost(&error)))?;
    let certificates = shaken.get_ref().1.peer_certificates().unwrap_or_default();
    let leaf = certificates.first().and_then(|leaf| Some(parse_x509_certificate(leaf).ok()?.1));
    let validity = leaf.map(|leaf| {
        let validity = leaf.validity();
        (validity.not_before.timestamp(), validity.not_after.timestamp())
    });
    validity.ok_or_else(|| Trouble::Bad("what it shows is no certificate".to_owned()))
}

fn judge(host: &str, shaken: Result<Validity, Trouble>, now: Timestamp) -> Finding {
    let (begin, end) = match shaken {
        Ok(validity) => validity,
        Err(Trouble::Unasked(why)) => {
            let fix = "have somebody look who may reach it; it is in the log of the webhook and in its metrics as well";
            return Finding::skipped(CHECK, format!("of {host}: {why}"), Some(fix.to_owned()));
        }
        Err(Trouble::Bad(why)) => {
            return Finding::fail(
                CHECK,
                format!("the API server does not trust the webhook at {host}: {why}"),
                "see who keeps certificate and caBundle: docs/certificates.md, docs/runbooks/rotation-failing.md",
            );
        }
    };
    let until = Timestamp::from_second(end).unwrap_or(now);
    let said = format!("of {host}: verified by the caBundle, until {} ({})", second(until), age(now, until));
    // Whoever rotates does so when a third of its life is left.
    if (end - now.as_second()) * 4 < end - begin {
        let fix = "it was not renewed in time: docs/runbooks/certificate-expires.md";
        return Finding::warn(CHECK, said, fix);
    }
    Finding::ok(CHECK, said)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::finding::Status;

    #[test]
    fn the_address_is_that_of_the_api_server() {
        for (client, expected) in [
            (json!({"service": {"name": "r-webhook", "namespace": "r"}}), Some(("r-webhook.r.svc", 443))),
            (json!({"url": "https://127.0.0.1:4443/hold"}), Some(("127.0.0.1", 4443))),
            (json!({"url": "https://hooks.example/hold"}), Some(("hooks.example", 443))),
            (json!({"url": "https://[::1]:4443/hold"}), Some(("::1", 4443))),
            (json!({"url": "https://[::1]/hold"}), Some(("::1", 443))),
            (json!({"url": "http://x"}), None),
            (json!({}), None),
        ] {
            let client: WebhookClientConfig = serde_json::from_value(client).unwrap();
            let found = address(&client);
            assert_eq!(found.as_ref().map(|(host, port)| (host.as_str(), *port)), expected, "{client:?}");
        }
    }

    #[test]
    fn a_certificate_that_was_not_renewed_is_told_of() {
        let now = Timestamp::from_second(1_000).unwrap();
        assert_eq!(judge("h", Ok((900, 1_200)), now).status, Status::Ok);
        assert_eq!(judge("h", Ok((0, 1_010)), now).status, Status::Warn);
        assert_eq!(judge("h", Err(Trouble::Bad("unknown issuer".into())), now).status, Status::Fail);
        assert_eq!(judge("h", Err(Trouble::Unasked("away".into())), now).status, Status::Skipped);
    }
}
