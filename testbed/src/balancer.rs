//! A TCP balancer that follows readiness, as a Service does: a new connection goes to a replica that said at the
//! last look that it is ready; one that is open stays where it is, however unready its replica becomes. It is late
//! by one look, as endpoints are.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::endpoint::Endpoint;

/// How often each replica is asked; it learns of a change so late at the most.
pub const PERIOD: Duration = Duration::from_millis(200);

/// One replica behind the balancer.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Where it serves.
    pub address: SocketAddr,
    /// Where it says whether it is ready.
    pub readiness: Endpoint,
}

/// A running balancer; it ends, with every connection over it, when it is dropped.
#[derive(Debug)]
pub struct Balancer {
    backends: Arc<[Backend]>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Backend {
    replica: Replica,
    ready: AtomicBool,
    connections: AtomicUsize,
}

impl Balancer {
    /// Listens on this port of loopback and asks each replica once a `period`. Nothing is ready before the first
    /// answer.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start(
        port: u16,
        replicas: impl IntoIterator<Item = Replica>,
        period: Duration,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.with_context(|| format!("the balancer cannot listen on port {port}"))?;
        let backend =
            |replica| Backend { replica, ready: AtomicBool::default(), connections: AtomicUsize::default() };
        let backends: Arc<[Backend]> = replicas.into_iter().map(backend).collect();
        let mut tasks = JoinSet::new();
        // Each is asked by a task of its own: one that is frozen does not delay what is known of the others.
        for number in 0..backends.len() {
            tasks.spawn(watch(Arc::clone(&backends), number, period));
        }
        tasks.spawn(accept(listener, Arc::clone(&backends)));
        Ok(Self { backends, _tasks: tasks })
    }

    /// How many replicas get new connections now.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.backends.iter().filter(|backend| backend.ready.load(Ordering::Relaxed)).count()
    }

    /// How many connections each replica was given so far.
    #[must_use]
    pub fn connections(&self) -> Vec<usize> {
        self.backends.iter().map(|backend| backend.connections.load(Ordering::Relaxed)).collect()
    }
}

async fn watch(backends: Arc<[Backend]>, number: usize, period: Duration) {
    let Backend { replica, ready, .. } = &backends[number];
    let mut looks = tokio::time::interval(period);
    loop {
        looks.tick().await;
        let is_ready = replica.readiness.get(&replica.readiness.ready).await.is_ok();
        ready.store(is_ready, Ordering::Relaxed);
    }
}

async fn accept(listener: TcpListener, backends: Arc<[Backend]>) {
    let mut connections = JoinSet::new();
    let mut turn = 0_usize;
    while let Ok((client, _)) = listener.accept().await {
        turn = turn.wrapping_add(1);
        let ready: Vec<_> = backends.iter().filter(|b| b.ready.load(Ordering::Relaxed)).collect();
        // With nobody ready the connection is closed, as a Service without endpoints refuses it.
        let Some(backend) = ready.get(turn % ready.len().max(1)) else { continue };
        backend.connections.fetch_add(1, Ordering::Relaxed);
        connections.spawn(carry(client, backend.replica.address));
        while connections.try_join_next().is_some() {}
    }
}

/// Carries bytes both ways until both ends are done. A replica that does not take the connection is not tried again:
/// the client meets what it would meet at a Service that is late.
async fn carry(mut client: TcpStream, address: SocketAddr) {
    let Ok(mut server) = TcpStream::connect(address).await else { return };
    // Both ends hear of whatever goes wrong by their connection's end.
    let _ = client.set_nodelay(true).and(server.set_nodelay(true));
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::{PATIENCE, eventually, ports::free_port};

    /// A server that greets each connection with one letter and then echoes, and a switch for its readiness.
    async fn replica(letter: u8) -> (Replica, Arc<AtomicBool>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    stream.write_all(&[letter]).await.unwrap();
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        let admin = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let readiness = Endpoint::http(admin.local_addr().unwrap().port(), "/readyz");
        let is_ready = Arc::new(AtomicBool::new(true));
        let switch = Arc::clone(&is_ready);
        let answer = move || {
            let code = if is_ready.load(Ordering::Relaxed) { 200 } else { 503 };
            std::future::ready(axum::http::StatusCode::from_u16(code).unwrap())
        };
        let router = axum::Router::new().route("/readyz", axum::routing::get(answer));
        tokio::spawn(async move { axum::serve(admin, router).await });
        (Replica { address, readiness }, switch)
    }

    async fn connect(port: u16) -> (u8, TcpStream) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        (stream.read_u8().await.unwrap_or_default(), stream)
    }

    #[tokio::test]
    async fn new_connections_go_to_who_is_ready_and_open_ones_stay() {
        let ((a, a_ready), (b, _)) = (replica(b'a').await, replica(b'b').await);
        let port = free_port().unwrap();
        let balancer = Balancer::start(port, [a, b], Duration::from_millis(20)).await.unwrap();
        let known = async |count: usize| {
            eventually("the balancer knows", PATIENCE, async || {
                anyhow::ensure!(balancer.ready() == count);
                Ok(())
            })
            .await
            .unwrap();
        };
        assert_eq!(connect(port).await.0, 0, "nobody was asked yet");
        known(2).await;
        let (first, second) = (connect(port).await, connect(port).await);
        assert_eq!(first.0 + second.0, b'a' + b'b', "they take turns");
        let mut old = if first.0 == b'a' { first.1 } else { second.1 };
        a_ready.store(false, Ordering::Relaxed);
        known(1).await;
        for _ in 0..4 {
            assert_eq!(connect(port).await.0, b'b');
        }
        old.write_u8(7).await.unwrap();
        assert_eq!(old.read_u8().await.unwrap(), 7, "what is open stays");
        drop(balancer);
        assert!(old.read_u8().await.is_err());
    }
}
