//! Which held Deployments are still to be looked at. It holds names only, each once, and forgets what is held no
//! more, so it is never larger than the number of held Deployments, however long NATS is away.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::jiff::Timestamp;
use tokio::sync::Notify;

/// Namespace and name of a Deployment.
pub type Key = (String, String);

/// The held Deployments, and those of them that are to be published.
#[derive(Default)]
pub struct Backlog {
    inner: Mutex<Inner>,
    added: Notify,
}

#[derive(Default)]
struct Inner {
    held: BTreeMap<Key, Held>,
    /// Those that are to be looked at, in the order in which they were added.
    queue: BTreeMap<u64, Key>,
    turns: u64,
}

/// What is known of a held Deployment.
struct Held {
    /// Since when it is known to wait.
    since: Timestamp,
    /// Its place in the queue.
    turn: Option<u64>,
}

impl Backlog {
    /// A Deployment is held: look at it.
    pub fn add(&self, key: Key) {
        self.inner().push(key);
        self.added.notify_one();
    }

    /// A Deployment is held no more.
    pub fn forget(&self, key: &Key) {
        let mut inner = self.inner();
        if let Some(Held { turn: Some(turn), .. }) = inner.held.remove(key) {
            inner.queue.remove(&turn);
        }
    }

    /// Looks at every held Deployment for which `wanted` says so again.
    pub fn again(&self, wanted: impl Fn(&Key) -> bool) {
        let mut inner = self.inner();
        let keys: Vec<Key> = inner.held.keys().filter(|key| wanted(key)).cloned().collect();
        for key in keys {
            inner.push(key);
        }
        drop(inner);
        self.added.notify_one();
    }

    /// The next one to look at; waits for one.
    pub async fn next(&self) -> Key {
        loop {
            let added = self.added.notified();
            let key = {
                let mut inner = self.inner();
                let key = inner.pop();
                if key.is_some() && !inner.queue.is_empty() {
                    // One notification wakes one worker: pass it on while there is more.
                    self.added.notify_one();
                }
                key
            };
            match key {
                Some(key) => return key,
                None => added.await,
            }
        }
    }

    /// How many Deployments that count are held, and since when the oldest of them.
    pub fn depth(&self, counts: impl Fn(&Key) -> bool) -> (usize, Option<Timestamp>) {
        let inner = self.inner();
        let counting = inner.held.iter().filter(|(key, _)| counts(key)).map(|(_, held)| held.since);
        counting.fold((0, None), |(count, oldest), since| {
            (count + 1, Some(oldest.map_or(since, |oldest: Timestamp| oldest.min(since))))
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn push(&mut self, key: Key) {
        let turn = self.turns;
        let held =
            self.held.entry(key.clone()).or_insert_with(|| Held { since: Timestamp::now(), turn: None });
        if held.turn.is_none() {
            held.turn = Some(turn);
            self.queue.insert(turn, key);
            self.turns += 1;
        }
    }

    fn pop(&mut self) -> Option<Key> {
        let (_, key) = self.queue.pop_first()?;
        if let Some(held) = self.held.get_mut(&key) {
            held.turn = None;
        }
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        ("shop".into(), name.into())
    }

    #[tokio::test]
    async fn each_waits_once_and_in_order() {
        let backlog = Backlog::default();
        for name in ["web", "api", "web"] {
            backlog.add(key(name));
        }
        assert_eq!(backlog.next().await, key("web"));
        assert_eq!(backlog.next().await, key("api"));
        assert!(tokio::time::timeout(std::time::Duration::from_millis(10), backlog.next()).await.is_err());
    }

    #[tokio::test]
    async fn what_is_still_held_is_looked_at_again() {
        let backlog = Backlog::default();
        for name in ["web", "api"] {
            backlog.add(key(name));
            backlog.next().await;
        }
        backlog.forget(&key("api"));
        assert_eq!(backlog.depth(|_| true).0, 1);
        backlog.again(|_| true);
        assert_eq!(backlog.next().await, key("web"));
    }

    #[tokio::test]
    async fn what_is_held_no_more_is_not_waited_for_nor_remembered() {
        let backlog = Backlog::default();
        for number in 0..1000 {
            let key = key(&number.to_string());
            backlog.add(key.clone());
            backlog.forget(&key);
        }
        assert_eq!(backlog.depth(|_| true), (0, None));
        assert!(backlog.inner().queue.is_empty());
        backlog.add(key("web"));
        assert_eq!(backlog.next().await, key("web"));
    }

    #[tokio::test]
    async fn every_worker_that_waits_is_woken_while_there_is_work() {
        let backlog = std::sync::Arc::new(Backlog::default());
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let backlog = std::sync::Arc::clone(&backlog);
                tokio::spawn(async move { backlog.next().await })
            })
            .collect();
        tokio::task::yield_now().await;
        for name in ["a", "b", "c"] {
            backlog.add(key(name));
        }
        for worker in workers {
            worker.await.unwrap();
        }
    }
}
