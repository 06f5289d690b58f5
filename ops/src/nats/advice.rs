//! What to look at when a server does not let us in.

use std::error::Error;

use async_nats::ConnectErrorKind;
use rustls::CertificateError as Bad;

/// One sentence about a failure to connect.
#[must_use]
pub fn on(error: &async_nats::ConnectError) -> &'static str {
    match (certificate(error), error.kind()) {
        (Some(Bad::Expired | Bad::ExpiredContext { .. }), _) => "its certificate has expired: renew it",
        (Some(Bad::NotValidYet | Bad::NotValidYetContext { .. }), _) => {
            "its certificate is not valid yet: compare the clocks"
        }
        (Some(Bad::NotValidForName | Bad::NotValidForNameContext { .. }), _) => {
            "its certificate is for another name than --nats-url says"
        }
        (Some(Bad::UnknownIssuer), _) => "its certificate is not signed by an authority in --nats-ca",
        (Some(_), _) | (None, ConnectErrorKind::Tls) => "its certificate is not good",
        (None, ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication) => {
            "it does not accept the credentials: they are wrong, expired or revoked"
        }
        _ => "check --nats-url, the credentials, and that the server runs",
    }
}

/// What is wrong with the server's certificate, wherever in the error that is said.
fn certificate<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Bad> {
    let mut next = Some(error);
    while let Some(error) = next {
        // An error of I/O that carries another one is not its own source.
        let carried = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let found = carried.and_then(|carried| carried.downcast_ref()).or_else(|| error.downcast_ref());
        if let Some(rustls::Error::InvalidCertificate(bad)) = found {
            return Some(bad);
        }
        next = error.source();
    }
    None
}
