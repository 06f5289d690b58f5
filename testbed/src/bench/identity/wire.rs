//! A client that says one thing and hears at once whether the server denies it: a library's client tells of a denial
//! some time later, or not at all.
//! <https://docs.nats.io/reference/reference-protocols/nats-protocol>

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use certs::nats::Creds;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// Longest wait for a line.
const PATIENCE: Duration = Duration::from_secs(10);
/// Our only subscription.
const SID: &str = "1";

/// One connection.
pub(super) struct Wire {
    stream: BufReader<TcpStream>,
}

/// What the server says to what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Allowed,
    Denied,
}

impl Wire {
    /// Connects with credentials, or with none.
    ///
    /// # Errors
    /// When the server does not let it in.
    pub(super) async fn connect(url: &str, creds: Option<&Creds>) -> Result<Self> {
        let stream = TcpStream::connect(url.trim_start_matches("nats://")).await?;
        let mut wire = Self { stream: BufReader::new(stream) };
        let info = wire.line().await?;
        let info: Value = serde_json::from_str(info.trim_start_matches("INFO ").trim())?;
        let mut connect = json!({"verbose": false, "pedantic": false, "headers": true, "no_responders": true,
            "lang": "rust", "version": "0", "protocol": 1, "name": "identity-matrix"});
        if let Some(creds) = creds {
            let nonce = info["nonce"].as_str().context("the server has no nonce to sign")?;
            connect["jwt"] = json!(creds.token);
            connect["sig"] = json!(BASE64_URL_SAFE_NO_PAD.encode(creds.sign(nonce.as_bytes())?));
        }
        let said = wire.say(&format!("CONNECT {connect}\r\n")).await?;
        ensure!(said.is_empty(), "the server says {said:?}");
        Ok(wire)
    }

    pub(super) async fn publish(&mut self, subject: &str) -> Result<Answer> {
        let payload = payload(subject);
        let said = self.say(&format!("PUB {subject} {}\r\n{payload}\r\n", payload.len())).await?;
        answer(&said, "Publish")
    }

    /// With a payload, and a subject for the answer.
    pub(super) async fn request(&mut self, subject: &str, reply: &str, payload: &str) -> Result<Answer> {
        answer(
            &self.say(&format!("PUB {subject} {reply} {}\r\n{payload}\r\n", payload.len())).await?,
            "Publish",
        )
    }

    pub(super) async fn subscribe(&mut self, subject: &str) -> Result<Answer> {
        let said = answer(&self.say(&format!("SUB {subject} {SID}\r\n")).await?, "Subscription")?;
        self.say(&format!("UNSUB {SID}\r\n")).await?;
        Ok(said)
    }

    /// Says it, and gathers what the server complains of before it answers a ping.
    async fn say(&mut self, what: &str) -> Result<Vec<String>> {
        self.stream.get_mut().write_all(format!("{what}PING\r\n").as_bytes()).await?;
        let mut errors = Vec::new();
        loop {
            let line = self.line().await?;
            let verb = line.split_whitespace().next().unwrap_or_default().to_owned();
            match verb.as_str() {
                "PONG" => return Ok(errors),
                "PING" => self.stream.get_mut().write_all(b"PONG\r\n").await?,
                "-ERR" => errors.push(line.trim_end().to_owned()),
                // What a subscription brings meanwhile.
                "MSG" | "HMSG" => self.skip(&line).await?,
                "INFO" | "+OK" => {}
                _ => bail!("the server says {line:?}"),
            }
        }
    }

    async fn skip(&mut self, line: &str) -> Result<()> {
        let length: usize = line.split_whitespace().next_back().context("no length")?.parse()?;
        let mut payload = vec![0; length + 2];
        tokio::time::timeout(PATIENCE, self.stream.read_exact(&mut payload)).await??;
        Ok(())
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.stream.read_line(&mut line)).await;
        ensure!(read.context("the server is silent")?? > 0, "the server closed the connection");
        Ok(line)
    }
}

/// What is published on a subject. The server answers, and deletes nothing, where it is asked to with a payload: what
/// somebody may delete is still needed by those who are tried after him.
pub(super) fn payload(subject: &str) -> &'static str {
    if subject.contains(".STREAM.DELETE.") { "x" } else { "" }
}

/// Any complaint but of a denied permission is an error.
fn answer(errors: &[String], what: &str) -> Result<Answer> {
    match errors {
        [] => Ok(Answer::Allowed),
        [error] if error.contains(&format!("Permissions Violation for {what}")) => Ok(Answer::Denied),
        other => bail!("the server says {other:?}"),
    }
}
