//! Arguments that both workloads take. Every flag is also an environment variable; the chart sets them by a
//! ConfigMap.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use crate::log::Format;

/// Arguments of every workload.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Name of this cluster: a token in every subject, so one NATS can serve several clusters
    #[arg(long, env = "ROADSTEAD_CLUSTER", default_value = "default")]
    pub cluster: DnsLabel,
    /// Serve these namespaces only, separated by commas; none: every namespace that is opted in
    #[arg(long, env = "ROADSTEAD_NAMESPACES", value_delimiter = ',')]
    pub namespaces: Vec<OptionalDnsLabel>,
    /// Address of /livez, /readyz and /metrics
    #[arg(long, env = "ROADSTEAD_ADMIN_LISTEN", default_value = "0.0.0.0:9090")]
    pub admin_listen: SocketAddr,
    /// Log lines for people or for machines
    #[arg(long, env = "ROADSTEAD_LOG_FORMAT", default_value = "text")]
    pub log_format: Format,
    /// What is logged, for example `info` or `webhook=debug,info`
    #[arg(long, env = "ROADSTEAD_LOG", default_value = "info")]
    pub log: String,
    /// How to reach NATS
    #[command(flatten)]
    pub nats: Nats,
}

impl Common {
    /// The namespaces that are served; empty: every one that is opted in.
    #[must_use]
    pub fn served(&self) -> Vec<String> {
        self.namespaces.iter().filter_map(|label| label.0.clone()).collect()
    }
}

/// Where NATS is looked for by default.
const NATS_URL: &str = "nats://127.0.0.1:4222";

/// How to reach NATS.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Nats {
    /// URLs of the NATS servers, separated by commas
    #[arg(
        long = "nats-url",
        env = "ROADSTEAD_NATS_URL",
        default_value = NATS_URL,
        value_delimiter = ',',
        value_parser = server_url
    )]
    pub urls: Vec<String>,
    /// File with the user's JWT and key (`.creds`)
    #[arg(long = "nats-creds", env = "ROADSTEAD_NATS_CREDS")]
    pub creds: Option<PathBuf>,
    /// Name of the user, where NATS knows it by a password
    #[arg(long = "nats-user", env = "ROADSTEAD_NATS_USER", requires = "password", conflicts_with_all = ["creds", "token"])]
    pub user: Option<String>,
    /// File with the user's password
    #[arg(long = "nats-password-file", env = "ROADSTEAD_NATS_PASSWORD_FILE", requires = "user")]
    pub password: Option<PathBuf>,
    /// File with the token that NATS lets in
    #[arg(long = "nats-token-file", env = "ROADSTEAD_NATS_TOKEN_FILE", conflicts_with = "creds")]
    pub token: Option<PathBuf>,
    /// File with the certificate, and its chain, by which NATS knows the user (PEM)
    #[arg(long = "nats-cert", env = "ROADSTEAD_NATS_CERT", requires = "key")]
    pub cert: Option<PathBuf>,
    /// File with the private key of that certificate (PEM)
    #[arg(long = "nats-key", env = "ROADSTEAD_NATS_KEY", requires = "cert")]
    pub key: Option<PathBuf>,
    /// File with the certificate authorities that NATS' certificate is checked against
    #[arg(long = "nats-ca", env = "ROADSTEAD_NATS_CA")]
    pub ca: Option<PathBuf>,
    /// Whether to work with a NATS that lets in whoever asks: for development only
    #[arg(
        long = "nats-allow-anonymous",
        env = "ROADSTEAD_NATS_ALLOW_ANONYMOUS",
        default_value = "false",
        action = clap::ArgAction::Set
    )]
    pub allow_anonymous: bool,
    /// Copies of each stream that is created here: 1, or 3 on a cluster of servers
    #[arg(long = "nats-replicas", env = "ROADSTEAD_NATS_REPLICAS", default_value = "1")]
    pub replicas: usize,
}

impl Nats {
    /// Whether servers are named.
    #[must_use]
    pub fn has_url(&self) -> bool {
        self.urls != [NATS_URL]
    }

    /// Whether one of the ways in is given, or none is needed.
    #[must_use]
    pub fn has_way_in(&self) -> bool {
        let Self { creds, user, token, cert, allow_anonymous, .. } = self;
        creds.is_some() || user.is_some() || token.is_some() || cert.is_some() || *allow_anonymous
    }
}

/// A URL without credentials: those would stand in a ConfigMap, in an argument list and in every log line.
fn server_url(text: &str) -> Result<String, String> {
    if text.contains('@') {
        Err("a URL must not carry a user or password: put them into a file and name it by --nats-creds or \
             --nats-password-file"
            .into())
    } else {
        Ok(text.to_owned())
    }
}

/// A name as DNS and Kubernetes take it: 1 to 63 of a-z, 0-9 and `-`, beginning and ending alphanumeric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsLabel(String);

impl DnsLabel {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DnsLabel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if contract::access::is_label(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err("write 1 to 63 characters of a-z, 0-9 and -, beginning and ending with a letter or digit"
                .into())
        }
    }
}

/// A [`DnsLabel`], or nothing: an environment variable that is set to the empty text names no namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionalDnsLabel(Option<String>);

impl FromStr for OptionalDnsLabel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(Self(None)) } else { text.parse().map(|DnsLabel(name)| Self(Some(name))) }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Args {
        #[command(flatten)]
        common: Common,
    }

    #[test]
    fn no_namespaces_is_all_of_them() {
        for (text, served) in [("", vec![]), ("shop", vec!["shop"]), ("shop,pay", vec!["shop", "pay"])] {
            let args = Args::try_parse_from(["x", "--namespaces", text]).ok().unwrap();
            assert_eq!(args.common.served(), served, "{text:?}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let refused = Args::try_parse_from(["x", "--nats-url", "nats://a:4222,nats://joe:secret@b:4222"]);
        let message = refused.err().unwrap().to_string();
        assert!(message.contains("--nats-creds"), "{message}");
        let urls = Args::try_parse_from(["x", "--nats-url", "nats://a:4222,nats://b:4222"]).ok().unwrap();
        assert_eq!(urls.common.nats.urls, ["nats://a:4222", "nats://b:4222"]);
    }

    #[test]
    fn one_way_in_is_taken_and_a_password_needs_a_user() {
        let parse = |arguments: &[&str]| Args::try_parse_from([&["x"], arguments].concat());
        let user = ["--nats-user", "joe"];
        let password = ["--nats-password-file", "/p"];
        assert!(parse(&[user, password].concat()).is_ok() && parse(&["--nats-token-file", "/t"]).is_ok());
        for refused in [
            &user[..],
            &password[..],
            &["--nats-cert", "/c"],
            &["--nats-creds", "/c", "--nats-token-file", "/t"],
            &["--nats-creds", "/c", "--nats-user", "joe", "--nats-password-file", "/p"],
        ] {
            assert!(parse(refused).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn a_name_that_would_widen_a_subject_is_refused() {
        for text in ["east.1", "*", ">", "East", "-east", ""] {
            assert!(text.parse::<DnsLabel>().is_err(), "{text:?}");
        }
        assert!("east-1".parse::<DnsLabel>().is_ok());
    }
}
