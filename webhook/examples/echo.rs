//! The yardstick of `make bench-webhook`: axum over TLS that sends each body back. Same TLS settings, allocator
//! and HTTP library as the webhook; nothing is parsed, counted or limited. `echo ADDRESS CERTIFICATE KEY`

use std::path::Path;

use anyhow::Context as _;
use axum::{Router, body::Bytes, routing::post};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use ops::readiness::Readiness;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use webhook::{metrics::Metrics, server::Certificates};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, certificate, key] = arguments.as_slice() else {
        anyhow::bail!("usage: echo ADDRESS CERTIFICATE KEY");
    };
    let metrics = Metrics::register(&mut Registry::default());
    let certificates =
        Certificates::load(Path::new(certificate), Path::new(key), metrics, &Readiness::default());
    let acceptor = TlsAcceptor::from(certificates.server_config()?);
    let router = Router::new().route("/hold", post(|body: Bytes| async { body }));
    let listener = TcpListener::bind(address).await.context(address.clone())?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            let stream = TokioIo::new(acceptor.accept(stream).await?);
            http1::Builder::new().serve_connection(stream, TowerToHyperService::new(router)).await?;
            anyhow::Ok(())
        });
    }
}
