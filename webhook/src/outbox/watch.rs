//! The watch of held Deployments: metadata only, selected by label, so that its size follows the changes that
//! wait and not the Deployments in the cluster.

use std::{collections::BTreeSet, sync::Arc};

use contract::{Phase, key::PHASE_LABEL};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, ResourceExt as _,
    core::PartialObjectMeta,
    runtime::{WatchStreamExt as _, watcher},
};
use ops::{BoxError, chain, readiness::Handle};
use tokio_util::sync::CancellationToken;

use super::backlog::{Backlog, Key};

/// The held Deployments of one API.
pub struct Held {
    pub(super) api: Api<PartialObjectMeta<Deployment>>,
}

impl Held {
    /// Keeps the backlog true until told to stop. Drops `ready` after the first list.
    pub async fn run(
        self,
        backlog: Arc<Backlog>,
        ready: Arc<Handle>,
        stop: CancellationToken,
    ) -> Result<(), BoxError> {
        let Self { api } = self;
        let mut ready = Some(ready);
        let selected = watcher::Config::default().labels(&format!("{PHASE_LABEL}={}", Phase::Held));
        let mut events = watcher(api, selected).default_backoff().boxed();
        // What this watch told of: another watch may tell of other namespaces.
        let mut known = BTreeSet::<Key>::new();
        let mut listed = BTreeSet::<Key>::new();
        while let Some(event) =
            tokio::select! { event = events.next() => event, () = stop.cancelled() => None }
        {
            match event {
                Ok(watcher::Event::Init) => listed.clear(),
                Ok(watcher::Event::InitApply(object)) => {
                    listed.insert(key(&object));
                    backlog.add(key(&object));
                }
                Ok(watcher::Event::InitDone) => {
                    known.difference(&listed).for_each(|gone| backlog.forget(gone));
                    known = std::mem::take(&mut listed);
                    ready.take();
                }
                Ok(watcher::Event::Apply(object)) => {
                    known.insert(key(&object));
                    backlog.add(key(&object));
                }
                Ok(watcher::Event::Delete(object)) => {
                    known.remove(&key(&object));
                    backlog.forget(&key(&object));
                }
                Err(error) => {
                    tracing::warn!(error = chain(&error), "the watch of held Deployments was interrupted");
                }
            }
        }
        Ok(())
    }
}

fn key(object: &PartialObjectMeta<Deployment>) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}
