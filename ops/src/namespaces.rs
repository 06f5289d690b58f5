//! The namespaces that are opted in, as the API server tells of them: who is served, and in which lanes.

use std::{collections::BTreeMap, sync::Arc};

use contract::{
    Lane,
    key::{ENABLED_LABEL, LANE, URGENT},
};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, ResourceExt as _,
    core::PartialObjectMeta,
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{BoxError, chain, readiness::Handle};

/// One namespace that is opted in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptedIn {
    /// `metadata.uid`: a namespace deleted and made again is another one.
    pub uid: String,
    /// `metadata.labels`
    pub labels: Arc<BTreeMap<String, String>>,
    lane: Option<String>,
    urgent: Option<String>,
}

impl OptedIn {
    fn of(namespace: &PartialObjectMeta<Namespace>) -> Self {
        let annotation = |key: &str| namespace.annotations().get(key).cloned();
        Self {
            uid: namespace.uid().unwrap_or_default(),
            labels: Arc::new(namespace.labels().clone()),
            lane: annotation(LANE),
            urgent: annotation(URGENT),
        }
    }

    /// The lane of a change here; `asked` is the Deployment's own annotation, `policies` what the policies gave it.
    #[must_use]
    pub fn lane(&self, asked: Option<&str>, policies: Option<Lane>) -> Lane {
        Lane::resolve(asked, policies, self.lane.as_deref(), self.urgent.as_deref())
    }
}

/// Every namespace that is opted in and served, by name.
pub type Map = BTreeMap<String, OptedIn>;

/// A view of them that follows the API server.
#[derive(Clone)]
pub struct Namespaces {
    served: Arc<[String]>,
    map: Arc<watch::Sender<Map>>,
}

impl Namespaces {
    /// `served`: only these; empty: all.
    #[must_use]
    pub fn new(served: Vec<String>) -> Self {
        Self { served: served.into(), map: Arc::new(watch::Sender::new(Map::new())) }
    }

    /// The namespace of that name, if it is opted in and served.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<OptedIn> {
        self.map.borrow().get(name).cloned()
    }

    /// Every change of the map.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Map> {
        self.map.subscribe()
    }

    /// One API for all namespaces, or one for each that is served: with Roles only, a watch of all is forbidden.
    pub fn apis<K>(
        &self,
        client: &Client,
        all: impl Fn(Client) -> Api<K>,
        one: impl Fn(Client, &str) -> Api<K>,
    ) -> Vec<Api<K>> {
        if self.served.is_empty() {
            vec![all(client.clone())]
        } else {
            self.served.iter().map(|name| one(client.clone(), name)).collect()
        }
    }

    /// Whether a namespace, as it is now, is opted in and served.
    #[must_use]
    pub fn admits(&self, namespace: &PartialObjectMeta<Namespace>) -> bool {
        let opted_in = namespace.labels().get(ENABLED_LABEL).is_some_and(|value| value == "true");
        opted_in && self.serves(&namespace.name_any())
    }

    fn serves(&self, name: &str) -> bool {
        self.served.is_empty() || self.served.iter().any(|served| served == name)
    }
}

/// Keeps the map true until told to stop. Drops `ready` after the first list.
pub async fn follow(
    client: Client,
    namespaces: Namespaces,
    ready: Handle,
    stop: CancellationToken,
) -> Result<(), BoxError> {
    let mut ready = Some(ready);
    let selected = watcher::Config::default().labels(&format!("{ENABLED_LABEL}=true"));
    let mut events =
        watcher(Api::<PartialObjectMeta<Namespace>>::all(client), selected).default_backoff().boxed();
    let mut listed = Map::new();
    while let Some(event) = tokio::select! { event = events.next() => event, () = stop.cancelled() => None } {
        match event {
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::InitApply(namespace)) => {
                listed.insert(namespace.name_any(), OptedIn::of(&namespace));
            }
            Ok(watcher::Event::InitDone) => {
                let mut map = std::mem::take(&mut listed);
                map.retain(|name, _| namespaces.serves(name));
                // The first list counts as a change, also when it is empty: others wait for it.
                let is_first = ready.is_some();
                namespaces.map.send_if_modified(|known| std::mem::replace(known, map) != *known || is_first);
                ready.take();
            }
            Ok(watcher::Event::Apply(namespace)) if namespaces.serves(&namespace.name_any()) => {
                let opted_in = OptedIn::of(&namespace);
                namespaces.map.send_if_modified(|map| {
                    map.insert(namespace.name_any(), opted_in.clone()).as_ref() != Some(&opted_in)
                });
            }
            Ok(watcher::Event::Apply(_)) => {}
            Ok(watcher::Event::Delete(namespace)) => {
                namespaces.map.send_if_modified(|map| map.remove(&namespace.name_any()).is_some());
            }
            Err(error) => tracing::warn!(error = chain(&error), "the watch of namespaces was interrupted"),
        }
    }
    Ok(())
}
