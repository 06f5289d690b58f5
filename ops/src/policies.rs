//! The policies and freezes, as the API server tells of them: read and compiled once, for whoever asks.

use std::{collections::HashSet, fmt::Debug, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use contract::{PolicyKind, PolicyRef};
use futures::{FutureExt as _, StreamExt as _, future::join_all};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher},
};
use policy::{
    resource::{ClusterFreeze, ClusterReleasePolicy, Freeze, ReleasePolicy},
    set::{Frost, Policy, Set},
};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{BoxError, chain, namespaces::Namespaces, readiness::Handle};

/// How long a kind that the API server does not know is left alone: its definition was not installed.
const ABSENT: Duration = Duration::from_secs(30);

/// A view of them that follows the API server.
#[derive(Clone, Default)]
pub struct Policies {
    set: Arc<ArcSwap<Set>>,
    changed: Arc<watch::Sender<u64>>,
}

/// What is done with an object of a kind.
type Put<K> = fn(&mut Set, &K);

/// A kind that is followed, of the whole cluster or of one namespace.
struct Watched<K> {
    kind: PolicyKind,
    put: Put<K>,
    policies: Policies,
    ready: Option<Arc<Handle>>,
    stop: CancellationToken,
}

impl Policies {
    /// Everything there is now. One load serves one decision.
    #[must_use]
    pub fn load(&self) -> Arc<Set> {
        self.set.load_full()
    }

    /// Counts changes.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Replaces everything, as for a test or a bench without an API server.
    pub fn replace(&self, set: Set) {
        self.set.store(Arc::new(set));
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn change(&self, change: impl Fn(&mut Set)) {
        self.set.rcu(|set| {
            let mut set = Set::clone(set);
            change(&mut set);
            set
        });
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Keeps the view true until told to stop. Drops `ready` after the first list of every kind; a kind that the API server
/// does not know counts as listed, and is asked for again.
///
/// # Errors
/// None; it ends when it is told to.
pub async fn follow(
    client: Client,
    namespaces: Namespaces,
    policies: Policies,
    ready: Handle,
    stop: CancellationToken,
) -> Result<(), BoxError> {
    let ready = Some(Arc::new(ready));
    let mut follows = Vec::new();
    for api in namespaces.apis(&client, Api::all, Api::namespaced) {
        let (policies, ready, stop) = (policies.clone(), ready.clone(), stop.clone());
        let put: Put<ReleasePolicy> = |set, object| {
            let known = known(set, PolicyKind::ReleasePolicy, object);
            let known = known.and_then(|known| known.renewed(&object.metadata, object.status.as_ref()));
            set.put(Arc::new(known.unwrap_or_else(|| Policy::of(object))));
        };
        follows.push(
            Watched { kind: PolicyKind::ReleasePolicy, put, policies, ready, stop }.follow(api).boxed(),
        );
    }
    for api in namespaces.apis(&client, Api::all, Api::namespaced) {
        let (policies, ready, stop) = (policies.clone(), ready.clone(), stop.clone());
        let put: Put<Freeze> = |set, object| set.put_freeze(Arc::new(Frost::of(object)));
        follows.push(Watched { kind: PolicyKind::Freeze, put, policies, ready, stop }.follow(api).boxed());
    }
    let put: Put<ClusterReleasePolicy> = |set, object| {
        let known = known(set, PolicyKind::ClusterReleasePolicy, object);
        let known = known.and_then(|known| known.renewed(&object.metadata, object.status.as_ref()));
        set.put(Arc::new(known.unwrap_or_else(|| Policy::of_cluster(object))));
    };
    let of_cluster = Watched {
        kind: PolicyKind::ClusterReleasePolicy,
        put,
        policies: policies.clone(),
        ready: ready.clone(),
        stop: stop.clone(),
    };
    follows.push(of_cluster.follow(Api::all(client.clone())).boxed());
    let put: Put<ClusterFreeze> = |set, object| set.put_freeze(Arc::new(Frost::of_cluster(object)));
    let of_cluster = Watched { kind: PolicyKind::ClusterFreeze, put, policies, ready, stop };
    follows.push(of_cluster.follow(Api::all(client)).boxed());
    join_all(follows).await;
    Ok(())
}

/// The policy as it was read before.
fn known<'a, K: Resource>(set: &'a Set, kind: PolicyKind, object: &K) -> Option<&'a Arc<Policy>> {
    set.policy(&reference(kind, object))
}

fn reference<K: Resource>(kind: PolicyKind, object: &K) -> PolicyRef {
    PolicyRef { kind, namespace: object.namespace(), name: object.name_any() }
}

impl<K> Watched<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    async fn follow(mut self, api: Api<K>) {
        let mut events = watcher(api, watcher::Config::default()).default_backoff().boxed();
        let (mut known, mut listed) = (HashSet::new(), HashSet::new());
        let mut told = false;
        while let Some(event) =
            tokio::select! { event = events.next() => event, () = self.stop.cancelled() => None }
        {
            match event {
                Ok(watcher::Event::Init) => listed.clear(),
                Ok(watcher::Event::InitApply(object)) => {
                    listed.insert(self.learn(&object));
                }
                Ok(watcher::Event::InitDone) => {
                    let gone: Vec<_> = known.difference(&listed).cloned().collect();
                    self.policies.change(|set| gone.iter().for_each(|reference| set.remove(reference)));
                    known = std::mem::take(&mut listed);
                    told = false;
                    self.ready.take();
                }
                Ok(watcher::Event::Apply(object)) => {
                    known.insert(self.learn(&object));
                }
                Ok(watcher::Event::Delete(object)) => {
                    let reference = reference(self.kind, &object);
                    self.policies.change(|set| set.remove(&reference));
                    known.remove(&reference);
                }
                Err(error) => {
                    let absent = is_absent(&error);
                    if !std::mem::replace(&mut told, true) {
                        let kind = self.kind.as_str();
                        let hint = if absent { "; its definition is not installed" } else { "" };
                        tracing::warn!(kind, error = chain(&error), "the policies are not read{hint}");
                    }
                    if absent {
                        self.ready.take();
                        tokio::select! { () = tokio::time::sleep(ABSENT) => {}, () = self.stop.cancelled() => {} }
                    }
                }
            }
        }
    }

    fn learn(&self, object: &K) -> PolicyRef {
        self.policies.change(|set| (self.put)(set, object));
        reference(self.kind, object)
    }
}

/// Whether the API server does not know the kind.
fn is_absent(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) = error else {
        return false;
    };
    matches!(error, kube::Error::Api(status) if status.code == 404)
}
