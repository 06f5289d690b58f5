//! A Kubernetes API with more Deployments than a testbed could hold: every object is made up when it is asked for.
//! It answers what the webhook's outbox asks (lists in pages, watches, single reads) and nothing else.

mod objects;
mod serve;

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use hyper::body::Bytes;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};

use crate::kubeconfig::Server;

/// Events that wait for a watcher that does not read; then the sender waits, too.
const BUFFER: usize = 64;

/// How many Deployments there are.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// In the cluster.
    pub deployments: usize,
    /// Of them, those that are held: the first ones.
    pub held: usize,
}

/// A running API; it ends when it is dropped.
#[derive(Debug)]
pub struct GeneratedApi {
    url: String,
    cluster: Arc<Cluster>,
    accepting: JoinHandle<()>,
}

/// What there is to see.
#[derive(Debug)]
struct Cluster {
    size: Size,
    /// Changes of a Deployment after its first one, by its number.
    renewed: Mutex<BTreeMap<usize, u32>>,
    watchers: Mutex<Vec<mpsc::Sender<Bytes>>>,
    version: AtomicU64,
    reads: AtomicUsize,
    /// Lists and watches of Deployments that did not ask for metadata alone, or not by label.
    careless: AtomicUsize,
}

impl GeneratedApi {
    /// Listens on loopback.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(size: Size) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let cluster = Arc::new(Cluster {
            size,
            renewed: Mutex::default(),
            watchers: Mutex::default(),
            version: AtomicU64::new(1),
            reads: AtomicUsize::default(),
            careless: AtomicUsize::default(),
        });
        let accepting = tokio::spawn(serve::accept(listener, Arc::clone(&cluster)));
        Ok(Self { url, cluster, accepting })
    }

    /// How a client reaches it.
    #[must_use]
    pub fn server(&self) -> Server {
        Server { url: self.url.clone(), ca_pem: None }
    }

    /// How often a single Deployment was read.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.cluster.reads.load(Ordering::Relaxed)
    }

    /// How often Deployments were listed or watched in full, or all of them.
    #[must_use]
    pub fn careless(&self) -> usize {
        self.cluster.careless.load(Ordering::Relaxed)
    }

    /// How many watches of Deployments are open.
    #[must_use]
    pub fn watchers(&self) -> usize {
        self.cluster.watchers().iter().filter(|watcher| !watcher.is_closed()).count()
    }

    /// Tells every watcher that a held Deployment was modified; waits until each has room for it.
    pub async fn touch(&self, number: usize) {
        let event = self.cluster.modified(number);
        let watchers = self.cluster.watchers().clone();
        for watcher in watchers {
            // One that is gone relists when it comes back.
            let _ = watcher.send(event.clone()).await;
        }
    }

    /// A held Deployment gets a new change.
    pub async fn renew(&self, number: usize) {
        *self.cluster.renewed().entry(number).or_default() += 1;
        self.touch(number).await;
    }
}

impl Drop for GeneratedApi {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Cluster {
    fn watchers(&self) -> MutexGuard<'_, Vec<mpsc::Sender<Bytes>>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renewed(&self) -> MutexGuard<'_, BTreeMap<usize, u32>> {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new watcher; those that are gone are forgotten.
    fn watch(&self) -> mpsc::Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(BUFFER);
        let mut watchers = self.watchers();
        watchers.retain(|watcher| !watcher.is_closed());
        watchers.push(sender);
        receiver
    }

    fn modified(&self, number: usize) -> Bytes {
        self.version.fetch_add(1, Ordering::Relaxed);
        let event = serde_json::json!({ "type": "MODIFIED", "object": self.metadata_only(number) });
        (event.to_string() + "\n").into()
    }
}
