//! The sweep: when a namespace is opted in, every Deployment there gets to know what runs; when it is opted out,
//! every gate there opens. Until a namespace is swept nothing is let through in it.

mod plan;
mod record;

use std::{sync::Arc, time::Duration};

use contract::Phase;
use futures::{StreamExt as _, TryStreamExt as _};
use json_patch::Patch;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, core::PartialObjectMeta};
use ops::{
    BoxError, chain,
    namespaces::{Map, Namespaces},
};
use tokio_util::sync::CancellationToken;

pub use self::record::Swept;
use self::record::{Memory, Record};
use crate::{
    consume::Worker,
    deployments::{Deployments, within},
    error::{Failure, Remedy},
    event::Subject,
    live::Live,
};

/// Deployments that are written at the same time.
const AT_ONCE: usize = 8;

/// Times that one Deployment is read again because it changed in between.
const ROUNDS: usize = 20;

/// How often the record is compared with the namespaces though nothing was told.
const COMPARE: Duration = Duration::from_secs(30);

/// Pauses between two tries: doubled from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Sweeps namespaces.
pub struct Sweeper {
    client: Client,
    namespaces: Namespaces,
    deployments: Deployments,
    swept: Swept,
    memory: Memory,
    worker: Arc<Worker>,
}

impl Sweeper {
    /// Remembers in the ConfigMap of that name.
    #[must_use]
    pub fn new(worker: Arc<Worker>, release_namespace: &str, config_map: String) -> Self {
        let deployments = worker.releaser.deployments.clone();
        let client = deployments.client().clone();
        let memory = Memory::new(client.clone(), release_namespace, config_map);
        let (namespaces, swept) = (worker.releaser.namespaces.clone(), worker.releaser.swept.clone());
        Self { client, namespaces, deployments, swept, memory, worker }
    }

    /// Recalls which namespaces are swept, so that nothing has to wait for the first comparison. What fails here is
    /// told of there.
    pub async fn recall(&self) {
        if let Ok(record) = self.memory.read().await {
            self.swept.change(|swept| *swept = record);
        }
    }

    /// Sweeps until told to stop. The namespaces have to be listed by then: an empty view would look as if everything
    /// was opted out.
    pub async fn run(self, stop: CancellationToken) -> Result<(), BoxError> {
        let mut changed = self.namespaces.subscribe();
        let mut pause = PAUSE.0;
        loop {
            let map = changed.borrow_and_update().clone();
            let well = tokio::select! {
                well = self.compare(&map, &stop) => well,
                () = stop.cancelled() => return Ok(()),
            };
            let wait = if well { COMPARE } else { pause };
            pause = if well { PAUSE.0 } else { (pause * 2).min(PAUSE.1) };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                told = changed.changed() => told?,
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Sweeps what is to be swept; says whether all of it was.
    async fn compare(&self, map: &Map, stop: &CancellationToken) -> bool {
        let record = match self.memory.read().await {
            Ok(record) => record,
            Err(failure) => {
                tracing::warn!(
                    error = chain(&failure),
                    "cannot read which namespaces are swept, nothing is let through in new ones; check --swept, \
                     --release-namespace and the executor's Role"
                );
                return false;
            }
        };
        self.swept.change(|swept| *swept = still(&record, map));
        let mut well = true;
        for (namespace, opted_in) in map {
            if record.get(namespace) != Some(&opted_in.uid) {
                let swept = self.opt_in(namespace, &opted_in.uid).await;
                well &= told(namespace, "opted in", &swept);
            }
        }
        for namespace in record.keys().filter(|namespace| !map.contains_key(*namespace)) {
            let opened = self.opt_out(namespace, &record[namespace], stop).await;
            well &= told(namespace, "opted out", &opened);
        }
        well
    }

    async fn opt_in(&self, namespace: &str, uid: &str) -> Result<(), Failure> {
        if self.write_all(namespace, Way::In(uid), &|_| ()).await? {
            self.memory.write(namespace, Some(uid)).await?;
            self.swept.change(|swept| drop(swept.insert(namespace.to_owned(), uid.to_owned())));
        }
        Ok(())
    }

    async fn opt_out(&self, namespace: &str, uid: &str, stop: &CancellationToken) -> Result<(), Failure> {
        let out = Way::Out(uid);
        match self.live(namespace).await? {
            // One that is gone, or another of its name, has nothing of what was swept.
            Some(found) if found.metadata.uid.as_deref() == Some(uid) => {
                let (sender, mut opened) = tokio::sync::mpsc::unbounded_channel();
                let all = self.write_all(namespace, out, &|live| drop(sender.send(live.clone()))).await;
                drop(sender);
                while let Some(live) = opened.recv().await.filter(|_| !stop.is_cancelled()) {
                    if let Some(about) = Subject::of(&live).filter(|_| live.state.is_closed()) {
                        let message = "let through: its namespace was opted out";
                        self.worker.events.tell_surely(&about, Phase::Released, message, stop).await;
                    }
                }
                if !all? {
                    return Ok(());
                }
            }
            _ => {}
        }
        self.memory.write(namespace, None).await
    }

    /// A namespace as it is now.
    async fn live(&self, namespace: &str) -> Result<Option<PartialObjectMeta<Namespace>>, Failure> {
        within(Api::<PartialObjectMeta<Namespace>>::all(self.client.clone()).get_opt(namespace)).await
    }

    /// Whether a sweep is still wanted. This process may have slept while the namespace was labelled again, another
    /// replica swept it, and changes were held in it. Asked after Deployments are read and before they are written:
    /// what changes later, their generation tells.
    async fn stands(&self, namespace: &str, way: Way<'_>) -> Result<bool, Failure> {
        match way {
            Way::In(uid) => Ok(self.memory.read().await?.get(namespace).map(String::as_str) != Some(uid)),
            Way::Out(uid) => {
                let found = self.live(namespace).await?;
                let same = found.filter(|found| found.metadata.uid.as_deref() == Some(uid));
                Ok(same.is_some_and(|found| !self.namespaces.admits(&found)))
            }
        }
    }

    /// Sweeps every Deployment of a namespace; `written` is told what each was before. Says whether all of it was
    /// done: not where the sweep is wanted no more.
    async fn write_all(
        &self,
        namespace: &str,
        way: Way<'_>,
        written: &(impl Fn(&Live) + Sync),
    ) -> Result<bool, Failure> {
        let mut from = None;
        loop {
            let (page, next) = self.deployments.page(namespace, from.as_deref()).await?;
            if !self.stands(namespace, way).await? {
                return Ok(false);
            }
            let writes = page.into_iter().map(|live| self.write(live, way, written));
            let all = futures::stream::iter(writes).buffer_unordered(AT_ONCE);
            if !all.try_fold(true, |all, one| async move { Ok(all && one) }).await? {
                return Ok(false);
            }
            if next.is_none() {
                return Ok(true);
            }
            from = next;
        }
    }

    async fn write(
        &self,
        mut live: Live,
        way: Way<'_>,
        written: &(impl Fn(&Live) + Sync),
    ) -> Result<bool, Failure> {
        let mut last = None;
        for _ in 0..ROUNDS {
            let Some(patch) = way.plan(&live) else { return Ok(true) };
            match self.deployments.patch(&live, patch).await {
                Ok(_) => {
                    written(&live);
                    return Ok(true);
                }
                Err(failure) if matches!(failure.remedy(), Remedy::Gone | Remedy::ReadAgain) => {
                    last = Some(failure);
                }
                Err(failure) => return Err(failure),
            }
            match self.deployments.get(&live.namespace, &live.name).await? {
                Some(again) => live = again,
                None => return Ok(true),
            }
            if !self.stands(&live.namespace, way).await? {
                return Ok(false);
            }
        }
        last.map_or(Ok(true), Err)
    }
}

/// Which sweep it is, of the namespace of that uid.
#[derive(Clone, Copy)]
enum Way<'a> {
    /// The namespace was opted in.
    In(&'a str),
    /// The namespace was opted out.
    Out(&'a str),
}

impl Way<'_> {
    fn plan(self, live: &Live) -> Option<Patch> {
        match self {
            Self::In(_) => plan::opted_in(live),
            Self::Out(_) => plan::opted_out(live),
        }
    }
}

/// The record without the namespaces that are to be swept anew.
fn still(record: &Record, map: &Map) -> Record {
    let same = |(namespace, uid): &(&String, &String)| {
        map.get(*namespace).is_some_and(|opted_in| opted_in.uid == **uid)
    };
    record.iter().filter(same).map(|(namespace, uid)| (namespace.clone(), uid.clone())).collect()
}

fn told(namespace: &str, what: &str, swept: &Result<(), Failure>) -> bool {
    match swept {
        Ok(()) => tracing::info!(namespace, "{what} and swept"),
        Err(failure) => {
            tracing::warn!(namespace, error = chain(failure), "{what}, but not swept yet; trying again");
        }
    }
    swept.is_ok()
}
