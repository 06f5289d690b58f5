//! Listens while the story is told: two watches at the API server and two subscriptions at NATS, all writing
//! into one history with the time of each arrival.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use contract::{Change, ChangeEvent, envelope};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::history::History;
use crate::Stack;

/// The longest wait of the story: a killed executor's messages come back after their ack wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);

/// A history that grows while this lives.
pub(super) struct Recorder {
    history: Arc<Mutex<History>>,
    changed: watch::Receiver<()>,
    _listeners: JoinSet<()>,
}

/// Where a listener writes.
#[derive(Clone)]
struct Pen {
    history: Arc<Mutex<History>>,
    changed: Arc<watch::Sender<()>>,
}

impl Pen {
    fn write(&self, write: impl FnOnce(&mut History, Instant)) {
        write(&mut self.history.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        self.changed.send_replace(());
    }
}

impl Recorder {
    /// Listens to the first namespace of the stack and to everything on its NATS.
    pub(super) async fn start(stack: &Stack) -> anyhow::Result<Self> {
        let (sender, changed) = watch::channel(());
        let history = Arc::new(Mutex::new(History::default()));
        let pen = Pen { history: Arc::clone(&history), changed: Arc::new(sender) };
        let mut listeners = JoinSet::new();
        let nats = stack.nats_client().await?;
        let mut queue = nats.subscribe("roadstead.change.>").await?;
        let mut events = nats.subscribe("roadstead.event.>").await?;
        nats.flush().await.context("nats-server does not answer")?;
        let writes = pen.clone();
        listeners.spawn(async move {
            // Dropped with the last subscription, the connection would close.
            let _connection = nats;
            loop {
                tokio::select! {
                    Some(message) = queue.next() => {
                        let Ok(change) = envelope::open::<Change>(&message.payload) else { continue };
                        writes.write(|history, at| history.queued(at, &message.subject, &change));
                    }
                    Some(message) = events.next() => {
                        let Ok(event) = envelope::open::<ChangeEvent>(&message.payload) else { continue };
                        writes.write(|history, at| history.event(at, &event));
                    }
                    else => break,
                }
            }
        });
        let watch = |config| watcher::Config { timeout: Some(290), ..config };
        let deployments = watcher::watcher(stack.api::<Deployment>(), watch(watcher::Config::default()));
        let writes = pen.clone();
        listeners.spawn(async move {
            let mut objects = std::pin::pin!(deployments.default_backoff().applied_objects());
            while let Ok(Some(object)) = objects.try_next().await {
                writes.write(|history, at| history.deployment(at, &object));
            }
        });
        let replica_sets = watcher::watcher(stack.api::<ReplicaSet>(), watch(watcher::Config::default()));
        listeners.spawn(async move {
            let mut objects = std::pin::pin!(replica_sets.default_backoff().applied_objects());
            while let Ok(Some(object)) = objects.try_next().await {
                pen.write(|history, at| history.replica_set(at, &object));
            }
        });
        Ok(Self { history, changed, _listeners: listeners })
    }

    /// What the history says now.
    pub(super) fn read<T>(&self, look: impl FnOnce(&History) -> T) -> T {
        look(&self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until the history says so.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&History) -> Option<T>,
    ) -> anyhow::Result<T> {
        let mut changed = self.changed.clone();
        let found = async {
            loop {
                changed.mark_unchanged();
                if let Some(found) = self.read(&mut look) {
                    return Ok(found);
                }
                changed.changed().await.context("nobody listens any more")?;
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.with_context(|| format!("not within {PATIENCE:?}: {what}"))?
    }
}
