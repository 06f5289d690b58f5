//! The executor as a process, a real nats-server and a generated API, and what each of them costs.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Result, ensure};
use async_nats::jetstream;
use contract::stream::EVENTS;
use tempfile::TempDir;

use super::backlog::{Backlog, CLUSTER, SWEPT};
use crate::{
    Nats, PATIENCE, Part,
    endpoint::Endpoint,
    eventually,
    folder::{RunFolder, binaries_folder},
    generated::{GeneratedApi, Rollouts},
    kubeconfig::{self, User},
    ports::free_port,
    process::{Lifetime, Spec},
    tools::Tools,
    usage,
};

/// A file system in memory, on every Linux.
const MEMORY: &str = "/dev/shm";

/// What the executor is measured in.
pub struct Rig {
    /// The cluster.
    pub api: GeneratedApi,
    /// The queue.
    pub nats: Nats,
    /// What is measured; not started yet.
    pub executor: Part,
    folder: RunFolder,
    _memory: Option<TempDir>,
}

/// Where nats-server keeps its streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// On the disk, each message synced.
    Disk,
    /// In a file system in memory, where a sync costs nothing: what is measured is not the disk.
    Memory,
}

/// Processor time used so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    pub(super) executor: Duration,
    pub(super) nats: Duration,
    /// This process: the generated API.
    pub(super) api: Duration,
}

impl Rig {
    /// Everything but the executor runs, and the backlog waits.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn start(backlog: Backlog, rollouts: Rollouts, slots: usize, store: Store) -> Result<Self> {
        let folder = RunFolder::create()?;
        let api = GeneratedApi::start(rollouts).await?;
        backlog.generate(&api)?;
        let memory = (store == Store::Memory).then(|| tempfile::tempdir_in(MEMORY)).transpose()?;
        let place = memory.as_ref().map_or(folder.path(), TempDir::path);
        let nats = Nats::new(&Tools::locate_in_background().await?, place, Lifetime::Ours)?;
        nats.start().await?;
        backlog.publish(nats.url()).await?;
        let executor = executor(&api, &nats, folder.path(), slots)?;
        Ok(Self { api, nats, executor, folder, _memory: memory })
    }

    /// Waits until so many gates are open.
    ///
    /// # Errors
    /// When they are not in time, or the executor ends.
    pub async fn opened(&self, wanted: usize, patience: Duration) -> Result<()> {
        eventually("the changes are released", patience, async || {
            let opened = self.api.count_opened();
            ensure!(opened >= wanted, "{opened} of {wanted}");
            Ok(())
        })
        .await
        .inspect_err(|_| self.folder.keep())
    }

    /// How many messages each phase has on the stream of events.
    ///
    /// # Errors
    /// When NATS does not tell.
    pub async fn events(&self) -> Result<BTreeMap<String, u64>> {
        let context = jetstream::new(async_nats::connect(self.nats.url()).await?);
        let stream = context.get_stream(EVENTS).await?;
        let mut subjects = stream.info_with_subjects("roadstead.event.>").await?;
        let mut count = BTreeMap::new();
        while let Some(subject) = futures::TryStreamExt::try_next(&mut subjects).await? {
            let phase = subject.0.rsplit('.').next().unwrap_or_default().to_owned();
            *count.entry(phase).or_default() += u64::try_from(subject.1)?;
        }
        Ok(count)
    }

    /// Waits until the stream of events has so many of a phase.
    ///
    /// # Errors
    /// When it has not in time.
    pub async fn told(&self, phase: &str, wanted: usize) -> Result<()> {
        eventually(&format!("{wanted} {phase} events"), PATIENCE, async || {
            let events = self.events().await?;
            ensure!(events.get(phase) == Some(&u64::try_from(wanted)?), "{events:?}");
            Ok(())
        })
        .await
        .inspect_err(|_| self.folder.keep())
    }

    pub(super) fn spent(&self) -> Result<Spent> {
        Ok(Spent {
            executor: self.executor.cpu()?,
            nats: self.nats.part.cpu()?,
            api: usage::cpu(std::process::id())?,
        })
    }
}

fn executor(api: &GeneratedApi, nats: &Nats, folder: &Path, slots: usize) -> Result<Part> {
    let admin = free_port()?;
    let kubeconfig = folder.join("executor.kubeconfig");
    let user = User { name: "executor".to_owned(), token: "any".to_owned() };
    kubeconfig::write(&kubeconfig, &api.server(), &[user], SWEPT.0)?;
    let env = [
        ("KUBECONFIG", kubeconfig.display().to_string()),
        ("ROADSTEAD_CLUSTER", CLUSTER.to_owned()),
        ("ROADSTEAD_NATS_URL", nats.url().to_owned()),
        ("ROADSTEAD_NATS_ALLOW_ANONYMOUS", "true".to_owned()),
        ("ROADSTEAD_ADMIN_LISTEN", format!("127.0.0.1:{admin}")),
        ("ROADSTEAD_SLOTS", slots.to_string()),
        ("ROADSTEAD_NAMESPACE", SWEPT.0.to_owned()),
        ("ROADSTEAD_SWEPT", SWEPT.1.to_owned()),
        // One line a release would measure the log.
        ("ROADSTEAD_LOG", std::env::var("ROADSTEAD_LOG").unwrap_or_else(|_| "warn".to_owned())),
    ];
    let spec = Spec {
        name: "executor".to_owned(),
        program: binaries_folder()?.join("roadstead-executor"),
        args: vec![],
        env: env.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        log: folder.join("executor.log"),
    };
    Ok(Part::new(spec, Some(Endpoint::http(admin, "/readyz")), Lifetime::Ours))
}
