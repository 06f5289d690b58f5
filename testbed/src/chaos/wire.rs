//! The wire between the executors and NATS: it carries bytes both ways and can be cut, also in the middle of an
//! acknowledgement.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How an acknowledgement begins in the protocol of JetStream.
const ACK: &[u8] = b"+ACK";

/// When the wire is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// All connections, now.
    Now,
    /// The next connection that carries an acknowledgement, before it is carried.
    BeforeAck,
    /// The same, after it was carried: its answer is lost.
    AfterAck,
}

/// A running wire; it ends when it is dropped.
#[derive(Debug)]
pub struct Wire {
    url: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    server: Mutex<Option<SocketAddr>>,
    armed: Mutex<Option<Cut>>,
    /// Counts the cuts of all connections.
    cuts: watch::Sender<u64>,
}

impl Wire {
    /// A wire that leads nowhere yet.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("nats://{}", listener.local_addr()?);
        let cuts = watch::Sender::new(0);
        let shared = Arc::new(Shared { server: Mutex::default(), armed: Mutex::default(), cuts });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { url, shared, accepting })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Leads it to this server, `nats://ADDRESS:PORT`.
    ///
    /// # Errors
    /// When that is no such URL.
    pub fn lead_to(&self, url: &str) -> anyhow::Result<()> {
        let address = url.trim_start_matches("nats://").parse()?;
        *lock(&self.shared.server) = Some(address);
        Ok(())
    }

    /// Cuts it once.
    pub fn cut(&self, cut: Cut) {
        if cut == Cut::Now {
            self.shared.cuts.send_modify(|cuts| *cuts += 1);
        } else {
            *lock(&self.shared.armed) = Some(cut);
        }
    }

    /// Calls off a cut that did not come.
    pub fn calm(&self) {
        lock(&self.shared.armed).take();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let Some(server) = *lock(&shared.server) else { return };
            // A server that is away closes the client's connection, as it would itself.
            let Ok(server) = TcpStream::connect(server).await else { return };
            let _ = client.set_nodelay(true).and(server.set_nodelay(true));
            let mut cuts = shared.cuts.subscribe();
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::select! {
                () = ask(from_client, to_server, &shared) => {}
                () = answer(from_server, to_client) => {}
                _ = cuts.changed() => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Carries what the client says, until it is cut or done.
async fn ask(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length) = from.read(&mut buffer).await {
        let said = &buffer[..length];
        if length == 0 {
            return;
        }
        let cut = if said.windows(ACK.len()).any(|window| window == ACK) {
            lock(&shared.armed).take()
        } else {
            None
        };
        if cut == Some(Cut::BeforeAck) || to.write_all(said).await.is_err() || cut.is_some() {
            return;
        }
    }
}

async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // Either end hears of whatever goes wrong by its connection's end.
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each byte with itself, and a wire to it.
    async fn echo() -> Wire {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let wire = Wire::start().await.unwrap();
        wire.lead_to(&format!("nats://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mut from, mut to) = stream.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from, &mut to).await });
            }
        });
        wire
    }

    async fn say(stream: &mut TcpStream, text: &str) -> Option<String> {
        stream.write_all(text.as_bytes()).await.ok()?;
        let mut heard = vec![0; text.len()];
        stream.read_exact(&mut heard).await.ok()?;
        String::from_utf8(heard).ok()
    }

    #[tokio::test]
    async fn a_wire_is_cut_at_the_next_acknowledgement_and_once() {
        let wire = echo().await;
        let connect = async || TcpStream::connect(wire.url().trim_start_matches("nats://")).await.unwrap();
        let mut one = connect().await;
        assert_eq!(say(&mut one, "hello").await.as_deref(), Some("hello"));
        wire.cut(Cut::BeforeAck);
        assert_eq!(say(&mut one, "PUB").await.as_deref(), Some("PUB"));
        assert_eq!(say(&mut one, "+ACK").await, None);
        let mut two = connect().await;
        assert_eq!(say(&mut two, "+ACK").await.as_deref(), Some("+ACK"));
        wire.cut(Cut::Now);
        assert_eq!(say(&mut two, "hello").await, None);
    }
}
