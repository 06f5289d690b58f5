//! Asks Prometheus, over HTTP: `GET /api/v1/query`, at endpoints that the administrator named. Redirects are not
//! followed, and what comes back is bounded. A query is rare: each has a connection of its own.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::{
    Request, Uri,
    header::{ACCEPT, AUTHORIZATION, HeaderValue, USER_AGENT},
};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use ops::BoxError;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use policy::resource::PromQlCheck;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs::default_provider};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

use super::{Endpoint, Named, Standing, answer};

/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Longest answer, in bytes: it is to be a few numbers.
const LARGEST: usize = 1024 * 1024;

/// The endpoints, by name.
#[derive(Clone, Debug, Default)]
pub struct Prometheus(BTreeMap<String, Endpoint>);

/// What the administrator wrote is not consistent.
#[derive(Debug, thiserror::Error)]
pub enum Inconsistent {
    /// Two addresses for one name.
    #[error("endpoint {0} of Prometheus is named twice")]
    Twice(String),
    /// A file for a name without an address.
    #[error("endpoint {0} of Prometheus has a file and no address: add --prometheus {0}=URL")]
    Unknown(String),
}

impl Prometheus {
    /// The endpoints of these addresses, with these files.
    ///
    /// # Errors
    /// A name that is there twice, and a file for an endpoint that is not there.
    pub fn new(
        addresses: &[Named<Uri>],
        tokens: &[Named<std::path::PathBuf>],
        authorities: &[Named<std::path::PathBuf>],
    ) -> Result<Self, Inconsistent> {
        let mut endpoints = BTreeMap::new();
        for Named { name, value } in addresses {
            let endpoint = Endpoint { url: value.clone(), token: None, authorities: None };
            if endpoints.insert(name.clone(), endpoint).is_some() {
                return Err(Inconsistent::Twice(name.clone()));
            }
        }
        for Named { name, value } in tokens {
            of(&mut endpoints, name)?.token = Some(value.clone());
        }
        for Named { name, value } in authorities {
            of(&mut endpoints, name)?.authorities = Some(value.clone());
        }
        Ok(Self(endpoints))
    }

    /// Asks once.
    pub(super) async fn ask(&self, check: &PromQlCheck, namespace: &str, deployment: &str) -> Standing {
        let Some(endpoint) = self.0.get(&check.endpoint) else {
            return Standing::Failed(self.unknown(&check.endpoint));
        };
        let query = check.query.replace("$namespace", namespace).replace("$deployment", deployment);
        match tokio::time::timeout(ANSWER, endpoint.get(&query)).await {
            Ok(Ok((code, body))) => answer::standing(code, &body),
            Ok(Err(error)) => {
                Standing::NotYet(format!("Prometheus cannot be asked: {}", ops::chain(&*error)))
            }
            Err(_) => Standing::NotYet(format!("Prometheus did not answer within {} s", ANSWER.as_secs())),
        }
    }

    fn unknown(&self, name: &str) -> String {
        let names: Vec<_> = self.0.keys().map(String::as_str).collect();
        let names = if names.is_empty() {
            "there is none".to_owned()
        } else {
            format!("there are: {}", names.join(", "))
        };
        format!("the administrator allows no Prometheus endpoint {name:?} ({names})")
    }
}

fn of<'a>(
    endpoints: &'a mut BTreeMap<String, Endpoint>,
    name: &str,
) -> Result<&'a mut Endpoint, Inconsistent> {
    endpoints.get_mut(name).ok_or_else(|| Inconsistent::Unknown(name.to_owned()))
}

impl Endpoint {
    async fn get(&self, query: &str) -> Result<(u16, Bytes), BoxError> {
        let query = utf8_percent_encode(query, NON_ALPHANUMERIC);
        let base = self.url.to_string();
        let base = base.trim_end_matches('/');
        let timeout = ANSWER.as_secs() - 1;
        let mut request = Request::get(format!("{base}/api/v1/query?query={query}&timeout={timeout}s"))
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("roadstead-executor/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())?;
        if let Some(file) = &self.token {
            let token = tokio::fs::read_to_string(file).await.map_err(|error| about(file, &error))?;
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(self.tls().await?).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new()).build(connector.build());
        let answer = client.request(request).await?;
        let code = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                format!("it answers with more than {LARGEST} bytes").into()
            } else {
                error
            }
        })?;
        Ok((code, body.to_bytes()))
    }

    async fn tls(&self) -> Result<ClientConfig, BoxError> {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?;
        let mut roots = RootCertStore::empty();
        match &self.authorities {
            Some(file) => {
                let pem = tokio::fs::read(file).await.map_err(|error| about(file, &error))?;
                for certificate in CertificateDer::pem_slice_iter(&pem) {
                    roots.add(certificate?)?;
                }
                if roots.is_empty() {
                    return Err(format!("{} holds no certificate", file.display()).into());
                }
            }
            None if self.url.scheme_str() == Some("https") => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
            None => {}
        }
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

fn about(file: &Path, error: &std::io::Error) -> BoxError {
    format!("{} cannot be read: {error}", file.display()).into()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// A server that answers one request with that; what it was asked.
    async fn serve(answer: String) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/prefix", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
            while !request.ends_with(b"\r\n\r\n") {
                let read = stream.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..read]);
            }
            // Whoever reads no further than it likes hangs up.
            let _ = stream.write_all(answer.as_bytes()).await;
            String::from_utf8(request).unwrap()
        });
        (url, asked)
    }

    fn http(status: &str, more: &str, body: &str) -> String {
        format!(
            "HTTP/1.1 {status}\r\n{more}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    }

    fn success(value: &str) -> String {
        let body =
            format!(r#"{{"status":"success","data":{{"resultType":"scalar","result":[1.5,"{value}"]}}}}"#);
        http("200 OK", "content-type: application/json\r\n", &body)
    }

    async fn ask(url: &str, tokens: &[Named<std::path::PathBuf>], query: &str) -> Standing {
        let addresses = [Named { name: "main".to_owned(), value: url.parse().unwrap() }];
        let check = PromQlCheck { endpoint: "main".into(), query: query.into() };
        Prometheus::new(&addresses, tokens, &[]).unwrap().ask(&check, "shop", "web").await
    }

    #[tokio::test]
    async fn the_query_arrives_as_it_was_written_with_the_names_and_the_token() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "s3cret").unwrap();
        let (url, asked) = serve(success("1")).await;
        let token = Named { name: "main".to_owned(), value: file.path().to_owned() };
        let query = r#"sum(rate(errors{ns="$namespace",app="$deployment"}[5m])) < bool 0.1 & x+y"#;
        assert_eq!(ask(&url, &[token], query).await, Standing::Passed);
        let asked = asked.await.unwrap();
        let line = asked.lines().next().unwrap();
        let sent = line.strip_prefix("GET /prefix/api/v1/query?query=").unwrap();
        let (sent, rest) = sent.split_once('&').unwrap();
        let sent = percent_encoding::percent_decode_str(sent).decode_utf8().unwrap();
        assert_eq!(sent, query.replace("$namespace", "shop").replace("$deployment", "web"));
        assert_eq!(rest, "timeout=9s HTTP/1.1");
        assert!(asked.to_lowercase().contains("authorization: bearer s3cret"), "{asked}");
    }

    #[tokio::test]
    async fn what_goes_wrong_on_the_way_is_told_and_may_heal() {
        let large = http("200 OK", "", &" ".repeat(LARGEST + 1));
        let redirect = http("302 Found", "location: http://169.254.169.254/\r\n", "");
        for (what, answer, says) in [
            ("too large", large, "more than 1048576 bytes"),
            ("a redirect", redirect, "status 302"),
            ("no HTTP", "hello".to_owned(), "cannot be asked"),
        ] {
            let (url, _asked) = serve(answer).await;
            let standing = ask(&url, &[], "up").await;
            let Standing::NotYet(said) = standing else { panic!("{what}: {standing:?}") };
            assert!(said.contains(says), "{what}: {said}");
        }
        let missing = Named { name: "main".to_owned(), value: "missing".into() };
        let Standing::NotYet(said) = ask("http://127.0.0.1:9", &[missing], "up").await else { panic!() };
        assert!(said.contains("missing cannot be read"), "{said}");
    }

    #[tokio::test]
    async fn only_what_the_administrator_named_is_asked() {
        let check = PromQlCheck { endpoint: "http://evil".into(), query: "up".into() };
        let Standing::Failed(said) = Prometheus::default().ask(&check, "shop", "web").await else { panic!() };
        assert!(said.contains("there is none"), "{said}");
    }

    #[test]
    fn names_that_do_not_fit_together_are_refused() {
        let url = || Named { name: "a".to_owned(), value: Uri::from_static("http://a") };
        let file = Named { name: "b".to_owned(), value: "file".into() };
        assert!(Prometheus::new(&[url(), url()], &[], &[]).is_err());
        assert!(Prometheus::new(&[url()], &[file], &[]).is_err());
    }
}
