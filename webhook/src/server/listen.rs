//! Accepts connections. Each wait has a limit and the number of connections has one, so that slow or idle
//! clients cost a bounded amount and never the others.

use std::{convert::Infallible, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures::FutureExt as _;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use ops::{BoxError, readiness::Readiness};
use rustls::ServerConfig;
use tokio::{
    io::BufReader,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use super::{
    limits::Limits,
    seats::{Seat, Seats},
};
use crate::metrics::Metrics;

/// Bytes of the longest TLS record: 16 KiB of content and what encryption adds.
const RECORD: usize = 16 * 1024 + 256;

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
    limits: Limits,
    readiness: Readiness,
}

impl Listener {
    /// Takes the address.
    pub async fn bind(address: SocketAddr, metrics: Metrics) -> Result<Self, BindError> {
        let tcp = TcpListener::bind(address).await.map_err(|source| BindError { address, source })?;
        Ok(Self { tcp, metrics, limits: Limits::default(), readiness: Readiness::default() })
    }

    /// The same, which sends its clients elsewhere as soon as the process is told to stop: each answer then closes
    /// its connection. Those that are idle at the end are closed while a client may be about to use them, and the API
    /// server does not send a review a second time.
    #[must_use]
    pub fn leaving_with(self, readiness: Readiness) -> Self {
        Self { readiness, ..self }
    }

    /// The same with other limits.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        Self { limits, ..self }
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
        let server = Server {
            acceptor: TlsAcceptor::from(tls),
            router,
            limits: self.limits,
            metrics: self.metrics,
            readiness: self.readiness,
        };
        let seats = Seats::new(self.limits.connections);
        let graceful = Arc::new(GracefulShutdown::new());
        loop {
            let accepted = tokio::select! {
                accepted = self.tcp.accept() => accepted,
                () = stop.cancelled() => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: others are served meanwhile.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let seat = tokio::select! {
                seat = seats.take() => seat?,
                () = stop.cancelled() => break,
            };
            let (server, watcher) = (server.clone(), graceful.watcher());
            tokio::spawn(async move {
                server.metrics.connections.inc();
                tokio::select! {
                    () = server.connection(stream, &seat, watcher) => {}
                    () = seat.given_up() => server.metrics.rejected("crowded"),
                }
                server.metrics.connections.dec();
            });
        }
        drop(self.tcp);
        let Some(graceful) = Arc::into_inner(graceful) else { return Ok(()) };
        if tokio::time::timeout(self.limits.drain, graceful.shutdown()).await.is_err() {
            tracing::warn!("connections were still open when the webhook stopped");
        }
        Ok(())
    }
}

/// What each connection is served with.
#[derive(Clone)]
struct Server {
    acceptor: TlsAcceptor,
    router: Router,
    limits: Limits,
    metrics: Metrics,
    readiness: Readiness,
}

impl Server {
    async fn connection(&self, stream: TcpStream, seat: &Arc<Seat>, watcher: Watcher) {
        // Answers are small and wanted at once; a socket that is closed already is told of below.
        let _ = stream.set_nodelay(true);
        // A client that does not read would keep the connection for ever: the kernel gives it up.
        let most = u32::try_from(self.limits.write.as_millis()).unwrap_or(u32::MAX);
        let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, most);
        // rustls reads 4 KiB at a time; a review is asked of the kernel as one TLS record.
        let stream = BufReader::with_capacity(RECORD, stream);
        let handshake = tokio::time::timeout(self.limits.handshake, self.acceptor.accept(stream));
        let Ok(Ok(stream)) = handshake.await else {
            self.metrics.rejected("handshake");
            return;
        };
        let service = TowerToHyperService::new(tower::service_fn(
            |mut request: hyper::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(Arc::clone(seat));
                let (mut router, metrics) = (self.router.clone(), &self.metrics);
                async move {
                    let answer = AssertUnwindSafe(router.call(request)).catch_unwind().await;
                    let mut answer = answer.map_or_else(
                        |_| panicked(metrics),
                        |answer| answer.unwrap_or_else(|never| match never {}),
                    );
                    if self.readiness.is_stopping() {
                        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                    }
                    Ok::<_, Infallible>(answer)
                }
            },
        ));
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(64 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(served).await {
            tracing::debug!(error = ops::chain(&error), "a connection ended early");
        }
    }
}

/// A panic costs the one request.
fn panicked(metrics: &Metrics) -> Response {
    metrics.panicked();
    (StatusCode::INTERNAL_SERVER_ERROR, "the review failed").into_response()
}
