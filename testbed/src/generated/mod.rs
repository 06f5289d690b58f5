//! A generated API server: objects in memory behind real HTTP, answered at once. It stands in for a cluster that is
//! larger or faster than the real control plane on a laptop, where what is measured is the client. It knows every
//! kind by its path: lists by page, watches, JSON patches whose tests count, labels, metadata only.

mod answer;
mod path;
mod rollout;
mod selector;
mod serve;
mod store;
mod watch;
mod write;

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

pub use self::rollout::Rollouts;
use self::store::Store;
use crate::kubeconfig::Server;

/// Path of the Deployments of all namespaces.
pub const DEPLOYMENTS: &str = "/apis/apps/v1/deployments";
/// Path of the namespaces.
pub const NAMESPACES: &str = "/api/v1/namespaces";
/// Path of the ConfigMaps of all namespaces.
pub const CONFIG_MAPS: &str = "/api/v1/configmaps";

/// The server; it ends when it is dropped.
#[derive(Debug)]
pub struct GeneratedApi {
    url: String,
    store: Shared,
    accepting: JoinHandle<()>,
}

/// A gate that opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// `namespace/name` of the Deployment.
    pub deployment: String,
    /// When.
    pub at: Instant,
}

/// What the connections share.
#[derive(Clone, Debug)]
struct Shared(Arc<Mutex<Store>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GeneratedApi {
    /// Starts it, empty, on a free port of loopback.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(rollouts: Rollouts) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let store = Shared(Arc::new(Mutex::new(Store::new(rollouts))));
        let accepting = tokio::spawn(serve::accept(listener, store.clone()));
        Ok(Self { url, store, accepting })
    }

    /// How a client reaches it; any token is taken.
    #[must_use]
    pub fn server(&self) -> Server {
        Server { url: self.url.clone(), ca_pem: None }
    }

    /// Stores an object as it is, new or in place of the one of its name, and gives it a version. `kind` is the path
    /// of its kind in all namespaces.
    pub fn put(&self, kind: &str, object: Value) {
        self.store.lock().put(kind, object);
    }

    /// The object of that name, as it is stored.
    #[must_use]
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        self.store.lock().value(kind, namespace, name)
    }

    /// Every gate that opened, in order.
    #[must_use]
    pub fn opened(&self) -> Vec<Opened> {
        self.store.lock().opened.clone()
    }

    /// How many gates opened so far.
    #[must_use]
    pub fn count_opened(&self) -> usize {
        self.store.lock().opened.len()
    }

    /// Requests so far, and how many of each: `get deployments 200`, `list deployments metadata a=b 200`.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.store.lock().requests.clone()
    }

    /// Events that those who watch have not taken yet.
    #[must_use]
    pub fn untold(&self) -> usize {
        self.store.lock().watches.untold()
    }
}

impl Drop for GeneratedApi {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[cfg(test)]
mod tests;
