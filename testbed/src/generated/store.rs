//! The objects, each as the bytes that are sent, and what is told of their changes.

use std::{collections::BTreeMap, ops::Bound, time::Instant};

use contract::Gate;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::{
    DEPLOYMENTS, Opened, Rollouts,
    path::Asked,
    rollout::gate,
    selector::{Labels, Selector, labels},
    watch::{Change, Watches},
};

/// Namespace and name.
pub(super) type Place = (String, String);

/// A stored object.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) body: Bytes,
    pub(super) labels: Labels,
    /// The gate of a Deployment.
    gate: Option<Gate>,
}

/// Everything that is stored.
#[derive(Debug)]
pub(super) struct Store {
    version: u64,
    kinds: BTreeMap<String, BTreeMap<Place, Stored>>,
    rollouts: Rollouts,
    pub(super) watches: Watches,
    pub(super) opened: Vec<Opened>,
    pub(super) requests: BTreeMap<String, u64>,
}

/// A page of a list.
pub(super) struct Page {
    pub(super) version: u64,
    pub(super) bodies: Vec<Bytes>,
    /// Where the next one begins.
    pub(super) next: Option<String>,
}

impl Store {
    pub(super) fn new(rollouts: Rollouts) -> Self {
        Self {
            version: 1,
            kinds: BTreeMap::new(),
            rollouts,
            watches: Watches::default(),
            opened: Vec::new(),
            requests: BTreeMap::new(),
        }
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn object(&self, kind: &str, place: &Place) -> Option<&Stored> {
        self.kinds.get(kind)?.get(place)
    }

    pub(super) fn value(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let stored = self.object(kind, &(namespace.to_owned(), name.to_owned()))?;
        serde_json::from_slice(&stored.body).ok()
    }

    /// Every object of a kind that is asked for, in order of namespace and name.
    pub(super) fn selected<'a>(
        &'a self,
        asked: &'a Asked,
        selector: &'a Selector,
        after: Option<Place>,
    ) -> impl Iterator<Item = (&'a Place, &'a Stored)> {
        let first = (asked.namespace.clone().unwrap_or_default(), String::new());
        let begin = after.map_or(Bound::Included(first), Bound::Excluded);
        let objects = self.kinds.get(&asked.kind).map(|objects| objects.range((begin, Bound::Unbounded)));
        objects
            .into_iter()
            .flatten()
            .take_while(|((namespace, _), _)| asked.namespace.as_ref().is_none_or(|only| only == namespace))
            .filter(|(_, stored)| selector.selects(&stored.labels))
    }

    /// A page of at most `limit` objects; `token` is where the page before ended.
    pub(super) fn page(&self, asked: &Asked, selector: &Selector, limit: usize, token: Option<&str>) -> Page {
        let token = token.and_then(|token| {
            let mut parts = token.splitn(3, '/');
            let version = parts.next()?.parse().ok()?;
            Some((version, (parts.next()?.to_owned(), parts.next()?.to_owned())))
        });
        // All pages speak of the version of the first: a watch from there tells what changed meanwhile.
        let (version, after) = token.map_or((self.version, None), |(version, after)| (version, Some(after)));
        let mut found = self.selected(asked, selector, after).peekable();
        let (mut bodies, mut last) = (Vec::new(), None);
        while bodies.len() < limit
            && let Some((place, stored)) = found.next()
        {
            bodies.push(stored.body.clone());
            last = Some(place);
        }
        let next = last.filter(|_| found.peek().is_some());
        let next = next.map(|(namespace, name)| format!("{version}/{namespace}/{name}"));
        Page { version, bodies, next }
    }

    /// Stores an object; gives what is stored then.
    pub(super) fn put(&mut self, kind: &str, mut object: Value) -> Stored {
        self.version += 1;
        if kind == DEPLOYMENTS {
            self.rollouts.play(&mut object);
        }
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = json!(self.version.to_string());
        let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
        let place = (text("namespace"), text("name"));
        let stored =
            Stored { labels: labels(&object), body: Bytes::from(object.to_string()), gate: gate(&object) };
        let old = self.kinds.entry(kind.to_owned()).or_default().insert(place.clone(), stored.clone());
        let was = old.as_ref().and_then(|old| old.gate);
        if (was, stored.gate) == (Some(Gate::Closed), Some(Gate::Open)) {
            let (namespace, name) = &place;
            self.opened.push(Opened { deployment: format!("{namespace}/{name}"), at: Instant::now() });
        }
        self.watches
            .tell(Change { kind: kind.to_owned(), place, old, new: Some(stored.clone()) }, self.version);
        stored
    }

    pub(super) fn remove(&mut self, kind: &str, place: &Place) -> Option<Stored> {
        let old = self.kinds.get_mut(kind)?.remove(place)?;
        self.version += 1;
        let change =
            Change { kind: kind.to_owned(), place: place.clone(), old: Some(old.clone()), new: None };
        self.watches.tell(change, self.version);
        Some(old)
    }
}
