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

/// One object of any kind, compiled.
#[derive(Clone)]
enum Compiled {
    Policy(Arc<Policy>),
    Freeze(Arc<Frost>),
}

/// A kind that is followed, of the whole cluster or of one namespace.
struct Kind<K> {
    kind: PolicyKind,
    compile: fn(&K) -> Compiled,
    policies: Policies,
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

impl Compiled {
    fn put(&self, set: &mut Set) {
        match self {
            Self::Policy(policy) => set.put(Arc::clone(policy)),
            Self::Freeze(frost) => set.put_freeze(Arc::clone(frost)),
        }
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
    let ready = Arc::new(ready);
    let mut follows = Vec::new();
    for api in namespaces.apis(&client, Api::all, Api::namespaced) {
        let compile: fn(&ReleasePolicy) -> Compiled = |object| Compiled::Policy(Arc::new(Policy::of(object)));
        let kind =
            Kind { kind: PolicyKind::ReleasePolicy, compile, policies: policies.clone(), stop: stop.clone() };
        follows.push(kind.follow(api, Arc::clone(&ready)).boxed());
    }
    for api in namespaces.apis(&client, Api::all, Api::namespaced) {
        let compile: fn(&Freeze) -> Compiled = |object| Compiled::Freeze(Arc::new(Frost::of(object)));
        let kind = Kind { kind: PolicyKind::Freeze, compile, policies: policies.clone(), stop: stop.clone() };
        follows.push(kind.follow(api, Arc::clone(&ready)).boxed());
    }
    let compile: fn(&ClusterReleasePolicy) -> Compiled =
        |object| Compiled::Policy(Arc::new(Policy::of_cluster(object)));
    let kind = Kind {
        kind: PolicyKind::ClusterReleasePolicy,
        compile,
        policies: policies.clone(),
        stop: stop.clone(),
    };
    follows.push(kind.follow(Api::all(client.clone()), Arc::clone(&ready)).boxed());
    let compile: fn(&ClusterFreeze) -> Compiled =
        |object| Compiled::Freeze(Arc::new(Frost::of_cluster(object)));
    let kind = Kind { kind: PolicyKind::ClusterFreeze, compile, policies, stop };
    follows.push(kind.follow(Api::all(client), ready).boxed());
    join_all(follows).await;
    Ok(())
}

impl<K> Kind<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    async fn follow(self, api: Api<K>, ready: Arc<Handle>) {
        let mut ready = Some(ready);
        let mut events = watcher(api, watcher::Config::default()).default_backoff().boxed();
        let (mut known, mut listed) = (HashSet::new(), HashSet::new());
        let mut told = false;
        while let Some(event) =
            tokio::select! { event = events.next() => event, () = self.stop.cancelled() => None }
        {
            match event {
                Ok(watcher::Event::Init) => listed.clear(),
                Ok(watcher::Event::InitApply(object)) => {
                    listed.insert(self.put(&object));
                }
                Ok(watcher::Event::InitDone) => {
                    let gone: Vec<_> = known.difference(&listed).cloned().collect();
                    self.policies.change(|set| gone.iter().for_each(|reference| set.remove(reference)));
                    known = std::mem::take(&mut listed);
                    told = false;
                    ready.take();
                }
                Ok(watcher::Event::Apply(object)) => {
                    known.insert(self.put(&object));
                }
                Ok(watcher::Event::Delete(object)) => {
                    let reference = self.reference(&object);
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
                        ready.take();
                        tokio::select! { () = tokio::time::sleep(ABSENT) => {}, () = self.stop.cancelled() => {} }
                    }
                }
            }
        }
    }

    fn put(&self, object: &K) -> PolicyRef {
        let compiled = (self.compile)(object);
        self.policies.change(|set| compiled.put(set));
        self.reference(object)
    }

    fn reference(&self, object: &K) -> PolicyRef {
        PolicyRef { kind: self.kind, namespace: object.namespace(), name: object.name_any() }
    }
}

/// Whether the API server does not know the kind.
fn is_absent(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) = error else {
        return false;
    };
    matches!(error, kube::Error::Api(status) if status.code == 404)
}
