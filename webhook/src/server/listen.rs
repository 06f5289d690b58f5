//! Accepts connections. Each wait has a limit and the number of connections has one, so that slow or idle
//! clients cost a bounded amount and never the others.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use ops::BoxError;
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{AcquireError, Semaphore},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use crate::metrics::Metrics;

/// Connections at the same time: an API server keeps 25 idle ones and opens more under load.
const CONNECTIONS: usize = 2048;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long the head of a request may take, counted from the end of the previous one: also the keep-alive limit.
/// The API server closes its idle connections after 90 s; were we first, a review could meet a closing one.
const HEAD: Duration = Duration::from_mins(2);
/// How long open connections may take to finish at the end.
const DRAIN: Duration = Duration::from_secs(15);

/// Why the address cannot be taken.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (--listen); choose a free address")]
pub struct BindError {
    address: SocketAddr,
    #[source]
    source: std::io::Error,
}

/// The bound server.
pub struct Listener {
    tcp: TcpListener,
    metrics: Metrics,
}

impl Listener {
    /// Takes the address.
    pub async fn bind(address: SocketAddr, metrics: Metrics) -> Result<Self, BindError> {
        let tcp = TcpListener::bind(address).await.map_err(|source| BindError { address, source })?;
        Ok(Self { tcp, metrics })
    }

    /// The address that was taken.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until told to stop, then lets what is open finish.
    pub async fn serve(
        self,
        tls: Arc<ServerConfig>,
        router: Router,
        stop: CancellationToken,
    ) -> Result<(), BoxError> {
        let acceptor = TlsAcceptor::from(tls);
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        let graceful = Arc::new(GracefulShutdown::new());
        loop {
            let next = async {
                let slot = Arc::clone(&slots).acquire_owned().await?;
                Ok::<_, AcquireError>((slot, self.tcp.accept().await))
            };
            let (slot, stream) = match tokio::select! { next = next => next?, () = stop.cancelled() => break }
            {
                (slot, Ok((stream, _))) => (slot, stream),
                (_, Err(error)) => {
                    // Out of file descriptors, most likely: others are served meanwhile.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (acceptor, router, metrics) = (acceptor.clone(), router.clone(), self.metrics.clone());
            let watcher = graceful.watcher();
            tokio::spawn(async move {
                metrics.connections.inc();
                connection(stream, acceptor, router, watcher, &metrics).await;
                metrics.connections.dec();
                drop(slot);
            });
        }
        drop(self.tcp);
        let Some(graceful) = Arc::into_inner(graceful) else { return Ok(()) };
        if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
            tracing::warn!("connections were still open when the webhook stopped");
        }
        Ok(())
    }
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
    metrics: &Metrics,
) {
    // Answers are small and wanted at once; a socket that is closed already is told of below.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else {
        metrics.rejected("handshake");
        return;
    };
    let service = TowerToHyperService::new(tower::service_fn(
        move |request: hyper::Request<hyper::body::Incoming>| {
            let mut router = router.clone();
            async move { Ok::<_, Infallible>(router.call(request).await.unwrap_or_else(|never| match never {})) }
        },
    ));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(served).await {
        tracing::debug!(error = ops::chain(&error), "a connection ended early");
    }
}
