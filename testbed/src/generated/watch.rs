//! Watches: who wants to be told of what, and the last changes for those that come a little late.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hyper::body::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{
    answer::{Form, Refused},
    path::Asked,
    selector::Selector,
    store::{Place, Store, Stored},
};

/// Changes that are remembered; whoever is behind by more has to list again.
const REMEMBERED: usize = 10_000;

/// What happened to one object.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) kind: String,
    pub(super) place: Place,
    pub(super) old: Option<Stored>,
    pub(super) new: Option<Stored>,
}

/// The watches of every connection.
#[derive(Debug, Default)]
pub(super) struct Watches {
    watchers: Vec<Watcher>,
    changes: VecDeque<(u64, Change)>,
    /// The version up to which changes are forgotten.
    forgotten: u64,
}

#[derive(Debug)]
struct Watcher {
    asked: Asked,
    selector: Selector,
    form: Form,
    sender: UnboundedSender<Bytes>,
    untold: Arc<AtomicUsize>,
}

/// The events of one watch.
#[derive(Debug)]
pub(super) struct Events {
    receiver: UnboundedReceiver<Bytes>,
    untold: Arc<AtomicUsize>,
}

impl Events {
    /// The next one; `None` after the last.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        let event = self.receiver.recv().await?;
        self.untold.fetch_sub(1, Ordering::Relaxed);
        Some(event)
    }

    /// An error, and the end.
    pub(super) fn refused(refused: &Refused) -> Self {
        let (sender, receiver) = unbounded_channel();
        // The receiver is in hand.
        let _ = sender.send(line("ERROR", &refused.status()));
        Self { receiver, untold: Arc::new(AtomicUsize::new(1)) }
    }
}

impl Watches {
    /// Events that those who watch have not taken yet.
    pub(super) fn untold(&self) -> usize {
        let open = self.watchers.iter().filter(|watcher| !watcher.sender.is_closed());
        open.map(|watcher| watcher.untold.load(Ordering::Relaxed)).sum()
    }

    /// Tells of a change.
    pub(super) fn tell(&mut self, change: Change, version: u64) {
        self.watchers.retain(|watcher| watcher.tell(&change).is_some());
        self.changes.push_back((version, change));
        if self.changes.len() > REMEMBERED
            && let Some((version, _)) = self.changes.pop_front()
        {
            self.forgotten = version;
        }
    }
}

impl Store {
    /// Begins a watch: what is there first, or what changed since a version. `None`: that is too long ago.
    pub(super) fn watch(&mut self, asked: Asked, selector: Selector, form: Form) -> Option<Events> {
        let (sender, receiver) = unbounded_channel();
        let since = asked.parameter("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or(0);
        let untold = Arc::<AtomicUsize>::default();
        let watcher = Watcher { asked, selector, form, sender, untold: Arc::clone(&untold) };
        if since == 0 {
            for (place, stored) in self.selected(&watcher.asked, &watcher.selector, None) {
                let new = Some(stored.clone());
                let _ = watcher.tell(&Change {
                    kind: watcher.asked.kind.clone(),
                    place: place.clone(),
                    old: None,
                    new,
                });
            }
        } else if since < self.watches.forgotten {
            return None;
        }
        for (_, change) in self.watches.changes.iter().filter(|(version, _)| since > 0 && *version > since) {
            let _ = watcher.tell(change);
        }
        self.watches.watchers.push(watcher);
        Some(Events { receiver, untold })
    }
}

impl Watcher {
    /// Tells of a change, if it is one of what is watched; `None` where nobody listens any more.
    fn tell(&self, change: &Change) -> Option<()> {
        if self.sender.is_closed() {
            return None;
        }
        let (namespace, name) = &change.place;
        if self.asked.kind != change.kind
            || self.asked.namespace.as_ref().is_some_and(|only| only != namespace)
            || self.asked.name.as_ref().is_some_and(|only| only != name)
        {
            return Some(());
        }
        let selected =
            |stored: &Option<Stored>| stored.as_ref().is_some_and(|it| self.selector.selects(&it.labels));
        let word = match (selected(&change.old), selected(&change.new)) {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) => return Some(()),
        };
        let Some(stored) = change.new.as_ref().or(change.old.as_ref()) else { return Some(()) };
        self.untold.fetch_add(1, Ordering::Relaxed);
        self.sender.send(line(word, &self.form.of(&stored.body))).ok()
    }
}

/// One event of a watch.
pub(super) fn line(word: &str, object: &[u8]) -> Bytes {
    [b"{\"type\":\"", word.as_bytes(), b"\",\"object\":", object, b"}\n"].concat().into()
}
