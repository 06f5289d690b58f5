//! The Prometheus endpoints that the administrator allows, by name: policies know the names only.

use std::{path::PathBuf, str::FromStr};

use hyper::Uri;

/// Something with a name: `main=http://prometheus.monitoring:9090`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<T> {
    /// Its name.
    pub name: String,
    /// What it is.
    pub value: T,
}

/// Why a text is no such thing.
#[derive(Debug, thiserror::Error)]
pub enum NotNamed {
    /// There is no name.
    #[error("write NAME=VALUE, the name in lower-case letters, digits and hyphens")]
    Name,
    /// The address is none.
    #[error("{0:?} is no address: write http://HOST:PORT or https://HOST:PORT, with a path if need be")]
    Url(String),
}

/// A Prometheus, or what speaks as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where its API begins: what comes before `/api/v1/query`.
    pub url: Uri,
    /// File with the token that it wants; read for each query.
    pub token: Option<PathBuf>,
    /// File with the authorities that its certificate may be signed by, PEM; read for each query. `None`: those of the
    /// system.
    pub authorities: Option<PathBuf>,
}

/// Splits at the first `=`.
fn named(text: &str) -> Result<(String, &str), NotNamed> {
    let (name, value) = text.trim().split_once('=').ok_or(NotNamed::Name)?;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = !name.is_empty() && name.len() <= 63 && name.bytes().all(fits);
    if is_name && !value.is_empty() { Ok((name.to_owned(), value)) } else { Err(NotNamed::Name) }
}

impl FromStr for Named<Uri> {
    type Err = NotNamed;

    fn from_str(text: &str) -> Result<Self, NotNamed> {
        let (name, value) = named(text)?;
        let uri: Option<Uri> = value.trim_end_matches('/').parse().ok();
        let fits = |uri: &Uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some()
                && uri.query().is_none()
        };
        let value = uri.filter(fits).ok_or_else(|| NotNamed::Url(value.to_owned()))?;
        Ok(Self { name, value })
    }
}

impl FromStr for Named<PathBuf> {
    type Err = NotNamed;

    fn from_str(text: &str) -> Result<Self, NotNamed> {
        let (name, value) = named(text)?;
        Ok(Self { name, value: value.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_name_and_an_address() {
        let read = |text: &str| text.parse::<Named<Uri>>().map(|named| (named.name, named.value.to_string()));
        for (text, name, url) in [
            ("main=http://prometheus:9090", "main", "http://prometheus:9090/"),
            ("eu-1=https://mimir.example.com/prometheus/", "eu-1", "https://mimir.example.com/prometheus"),
        ] {
            assert_eq!(read(text).unwrap(), (name.to_owned(), url.to_owned()));
        }
        for text in
            ["http://x:9090", "=http://x", "Main=http://x", "main=", "main=prometheus:9090", "main=ftp://x"]
        {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read("main=http://x/?a=b").is_err(), "the query is ours to write");
        assert_eq!("main=/a=b".parse::<Named<PathBuf>>().unwrap().value, PathBuf::from("/a=b"));
    }
}
