//! Writes the Kubernetes Events: a few at a time and no more than so many a second, so that they take nothing from
//! what lets changes through. Nothing that fails here stops anybody.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use contract::{ChangeId, Phase};
use kube::{
    Api,
    api::{DynamicObject, PostParams},
};
use ops::{BoxError, chain};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    EventReason, images,
    kubernetes::{Note, Wish},
};
use crate::{
    deployments::{Deployments, within},
    error::{Failure, Remedy},
    live::Live,
    metrics::Metrics,
    outcome::Reason,
    replica_sets::{self, Fresh},
};

/// Pause between two Events: 50 a second.
const PACE: Duration = Duration::from_millis(20);

/// Events on their way at a time.
const AT_ONCE: usize = 8;

/// Pauses before an Event is tried again.
const AGAIN: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(3)];

/// Events and changes that are remembered, so that nothing is written or looked up twice by one process.
const REMEMBERED: usize = 8_192;

/// Writes what recorders hand over.
pub struct Writer {
    pub(super) wishes: mpsc::Receiver<Wish>,
    pub(super) deployments: Deployments,
    pub(super) metrics: Metrics,
    /// Name of this process in the Events.
    pub(super) instance: String,
}

/// What was written and looked up lately.
#[derive(Default)]
struct Memory {
    written: Recent<String, ()>,
    images: Recent<(String, ChangeId), String>,
}

/// The newest entries, up to a limit.
struct Recent<K, V> {
    entries: HashMap<K, V>,
    order: VecDeque<K>,
}

/// One writer at work.
#[derive(Clone)]
struct Pen {
    deployments: Deployments,
    metrics: Metrics,
    instance: Arc<str>,
    memory: Arc<Mutex<Memory>>,
}

impl Writer {
    /// Writes until told to stop; what is on its way then is finished, what waits is lost.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), BoxError> {
        let pen = Pen {
            deployments: self.deployments,
            metrics: self.metrics,
            instance: self.instance.into(),
            memory: Arc::default(),
        };
        let mut writes = JoinSet::new();
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(written) = writes.join_next() => written?,
                wish = self.wishes.recv(), if writes.len() < AT_ONCE => {
                    let Some(wish) = wish else { break };
                    if pen.is_written(&wish) {
                        continue;
                    }
                    tokio::select! { _ = pace.tick() => {}, () = stop.cancelled() => break }
                    let (pen, stop) = (pen.clone(), stop.clone());
                    writes.spawn(async move { pen.write(wish, &stop).await });
                }
            }
        }
        while let Some(written) = writes.join_next().await {
            written?;
        }
        Ok(())
    }
}

impl Pen {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_written(&self, wish: &Wish) -> bool {
        matches!(wish, Wish::Write(note) if self.memory().written.entries.contains_key(&note.event_name()))
    }

    async fn write(&self, wish: Wish, stop: &CancellationToken) {
        let mut again = AGAIN.into_iter();
        loop {
            let failure = match self.try_write(&wish).await {
                Ok(()) => return,
                Err(failure) => failure,
            };
            let passes = matches!(
                failure.remedy(),
                Remedy::Retry(Reason::Throttled | Reason::Unreachable | Reason::Failing)
            );
            let Some(pause) = again.next().filter(|_| passes && !stop.is_cancelled()) else {
                tracing::debug!(error = chain(&failure), "a Kubernetes Event is lost");
                self.metrics.kubernetes_event_lost();
                return;
            };
            tokio::select! { () = tokio::time::sleep(pause) => {}, () = stop.cancelled() => {} }
        }
    }

    async fn try_write(&self, wish: &Wish) -> Result<(), Failure> {
        let (namespace, name) = match wish {
            Wish::Write(note) => (&note.namespace, &note.name),
            Wish::Look { namespace, name } => (namespace, name),
        };
        let note = match wish {
            Wish::Write(note) if self.images_of(note).is_some() => note.clone(),
            wish => {
                let Some(object) = within(self.deployments.of(namespace).get_opt(name)).await? else {
                    return Ok(());
                };
                let live = Live::of(&object)?;
                let Some(note) = note_of(wish, &live) else { return Ok(()) };
                if live.state.change.as_ref() == Some(&note.change) && self.images_of(&note).is_none() {
                    self.look_up(&note, &live, &object).await?;
                }
                note
            }
        };
        let event = note.event(self.images_of(&note).as_deref(), &self.instance);
        let api = Api::namespaced(self.deployments.client().clone(), namespace);
        match within(api.create(&PostParams::default(), &event)).await {
            Ok(_) => self.metrics.kubernetes_event(note.reason),
            // Another replica was faster.
            Err(Failure::Api(kube::Error::Api(status))) if status.code == 409 => {}
            Err(failure) => return Err(failure),
        }
        self.memory().written.put(note.event_name(), ());
        Ok(())
    }

    fn images_of(&self, note: &Note) -> Option<String> {
        note.images.clone().or_else(|| self.memory().images.entries.get(&key(note)).cloned())
    }

    /// What ran before is the newest ReplicaSet of another template than the Deployment's.
    async fn look_up(&self, note: &Note, live: &Live, object: &DynamicObject) -> Result<(), Failure> {
        let revisions = replica_sets::of(self.deployments.client(), object, Fresh::Remembered).await?;
        let old = revisions.iter().find(|revision| revision.digest != live.digest);
        let text = images::changes(old.map(|old| &old.template), &object.data["spec"]["template"]);
        self.memory().images.put(key(note), text);
        Ok(())
    }
}

/// What is to be written, judged by the Deployment as it is: nothing about another of the same name, and that a
/// change waits or waited only where it is there.
fn note_of(wish: &Wish, live: &Live) -> Option<Note> {
    match wish {
        Wish::Write(note) if note.uid != live.uid => None,
        Wish::Write(note) if note.reason == EventReason::Held => {
            (live.state.change.as_ref() == Some(&note.change)).then(|| note.clone())
        }
        Wish::Write(note) => Some(note.clone()),
        Wish::Look { .. } => {
            let waits = live.state.is_closed() && live.state.phase == Some(Phase::Held);
            let about = super::Subject::of(live).filter(|_| waits)?;
            Some(super::held(&about))
        }
    }
}

fn key(note: &Note) -> (String, ChangeId) {
    (note.uid.clone(), note.change.clone())
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    fn put(&mut self, key: K, value: V) {
        if self.entries.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
    }
}
