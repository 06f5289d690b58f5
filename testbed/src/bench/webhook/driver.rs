//! The API server's side: reviews over TLS, one at a time on each connection, as cheaply as can be.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use certs::tls::Files;
use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::server::Server;

/// New connections at a time.
const OPENING: usize = 8;

/// Sends reviews to one server.
pub(super) struct Driver {
    address: SocketAddr,
    tls: TlsConnector,
}

/// One open connection.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    answer: Vec<u8>,
}

impl Driver {
    /// For this server, whose certificate is in the folder.
    pub(super) fn new(server: &Server, folder: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(Files::new(folder).ca_cert())?)?;
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots)
                .with_no_client_auth();
        // The API server keeps no tickets either: a new connection is a whole handshake.
        config.resumption = Resumption::disabled();
        Ok(Self { address: server.address, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Opens so many connections.
    pub(super) async fn connect(&self, connections: usize) -> Result<Vec<Connection>> {
        stream::iter(0..connections).map(|_| self.open()).buffer_unordered(OPENING).try_collect().await
    }

    async fn open(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(ServerName::try_from("localhost")?, stream).await?;
        Ok(Connection { stream, answer: Vec::new() })
    }

    /// Sends `reviews` over the connections, each busy all the time; gives how long each review took.
    pub(super) async fn drive(
        &self,
        connections: &mut [Connection],
        body: &[u8],
        reviews: usize,
    ) -> Result<Vec<Duration>> {
        let request = request(body);
        let sent = AtomicUsize::new(0);
        let busy = connections.iter_mut().map(|connection| connection.busy(&request, &sent, reviews));
        Ok(try_join_all(busy).await?.concat())
    }

    /// Sends each review on a connection of its own.
    pub(super) async fn fresh(&self, body: &[u8], reviews: usize) -> Result<()> {
        let request = request(body);
        stream::iter(0..reviews).map(|_| self.once(&request)).buffer_unordered(OPENING).try_collect().await
    }

    async fn once(&self, request: &[u8]) -> Result<()> {
        self.open().await?.exchange(request).await
    }
}

impl Connection {
    /// Sends one review after another until `reviews` are sent on all connections together.
    async fn busy(&mut self, request: &[u8], sent: &AtomicUsize, reviews: usize) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        while sent.fetch_add(1, Ordering::Relaxed) < reviews {
            let begun = Instant::now();
            self.exchange(request).await?;
            times.push(begun.elapsed());
        }
        Ok(times)
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.answer.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "the server closed the connection");
            if let Some(length) = length(&self.answer)?
                && self.answer.len() >= length
            {
                return Ok(());
            }
        }
    }
}

fn request(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /hold?timeout=5s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: kube-apiserver-admission\r\n\
         Accept: application/json, */*\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Length of head and body once the head is there.
fn length(answer: &[u8]) -> Result<Option<usize>> {
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&answer[..head])?;
    ensure!(text.starts_with("HTTP/1.1 200 "), "the server answered {text}");
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    Ok(Some(head + 4 + length.context("an answer without length")?.parse::<usize>()?))
}
