//! The scene: a control plane of its own that writes everything down, NATS behind a wire that can be cut, and two
//! webhooks and two executors that can be hit.

use std::path::PathBuf;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;

use super::history::{History, Limits};
use super::record::Recorder;
use super::wire::Wire;
use super::{audit, check};
use crate::{PATIENCE, Part, Stack, eventually, served};

/// Slots, so few that most changes wait.
const SLOTS: u32 = 3;
/// And so many more that are reserved for urgent ones.
const URGENT_SLOTS: u32 = 1;

/// All that there is, except the processes of Roadstead itself.
pub struct Scene {
    /// What happened. First, so that it ends before what it watches.
    pub recorder: Recorder,
    /// Between executors and NATS.
    pub wire: Wire,
    /// Namespaces, NATS, control plane, proxy.
    pub stack: Stack,
    limits: Limits,
}

/// The processes of Roadstead.
pub struct Cast {
    /// Two of them, behind the balancer.
    pub webhooks: Vec<Part>,
    /// Two of them, behind the proxy and the wire.
    pub executors: Vec<Part>,
}

/// Which binaries the processes of Roadstead are.
#[derive(Clone, Debug, Default)]
pub struct Binaries {
    /// Folder of binaries with seeded bugs; `None`: those of this build.
    pub folder: Option<PathBuf>,
    /// The bug that is switched on in them.
    pub bug: Option<&'static str>,
}

impl Scene {
    /// Starts all of it but Roadstead.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn start(namespaces: usize) -> anyhow::Result<Self> {
        let wire = Wire::start().await?;
        let options = Stack::options()
            .recorded()
            .namespaces(namespaces)
            .namespace_annotation(contract::key::URGENT, "allowed")
            .slots(SLOTS)
            .urgent_slots(URGENT_SLOTS)
            .webhooks(2)
            .executors(2)
            .executor_through_proxy()
            .executor_env("ROADSTEAD_NATS_URL", wire.url())
            .without_webhook()
            .without_executor();
        let stack = options.start().await?;
        wire.lead_to(stack.nats.url())?;
        stack.nats.part.ready().await?;
        let etcd = stack.control_plane.etcd.readiness().context("etcd has an address")?.clone();
        let recorder = Recorder::start(etcd, stack.nats.url());
        let limits = limits(&stack).await?;
        Ok(Self { recorder, wire, stack, limits })
    }

    /// Starts Roadstead, and waits until a first change would be held and let through.
    ///
    /// # Errors
    /// When a process does not start.
    pub async fn enter(&self, binaries: &Binaries) -> anyhow::Result<Cast> {
        let stack = &self.stack;
        let webhooks: Vec<_> = stack.webhooks().map(|part| binaries.part(part)).collect();
        let executors = [&stack.executor].into_iter().chain(&stack.more_executors);
        let executors: Vec<_> = executors.map(|part| binaries.part(part)).collect();
        let cast = Cast { webhooks, executors };
        cast.parts().try_for_each(Part::spawn)?;
        futures::future::try_join_all(cast.parts().map(Part::ready)).await?;
        if binaries.bug.is_none() {
            for namespace in &stack.namespaces {
                served::held(&stack.client, namespace).await?;
            }
        }
        // With a bug nobody can say that all is served; that it is asked has to do.
        eventually("both webhooks are asked", PATIENCE, async || {
            let ready = stack.balancer()?.ready();
            anyhow::ensure!(ready == cast.webhooks.len(), "{ready} are ready");
            Ok(())
        })
        .await?;
        served::swept(&stack.client, &stack.release, &stack.fullname, &stack.namespaces).await?;
        Ok(cast)
    }

    /// All that was recorded so far; `quiet`: nothing is broken, nobody acts, and there was time enough.
    ///
    /// # Errors
    /// When the recorder cannot catch up.
    pub async fn history(&self, quiet: bool) -> anyhow::Result<History> {
        let recorded = self.recorder.recorded().await?;
        let mut writes = recorded.writes;
        let path = self.stack.control_plane.audit_path();
        let executor = self.limits.executor.clone();
        let by_revision = tokio::task::spawn_blocking(move || audit::writers(&path, &executor)).await??;
        for write in &mut writes {
            write.by = by_revision.get(&write.revision).cloned();
        }
        Ok(History { limits: self.limits.clone(), writes, told: recorded.told, lossy: recorded.lossy, quiet })
    }

    /// What is left of changes in the cluster now, one line each.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn left(&self) -> anyhow::Result<Vec<String>> {
        let mut left = Vec::new();
        for namespace in &self.stack.namespaces {
            let api = self.stack.api_in::<k8s_openapi::api::apps::v1::Deployment>(namespace);
            for deployment in api.list(&kube::api::ListParams::default()).await? {
                let name = deployment.metadata.name.clone().unwrap_or_default();
                let name = super::history::Name::new(namespace, &name);
                let seen = super::stored::deployment(name, &serde_json::to_value(&deployment)?)?;
                left.extend(check::left(&seen).map(|what| format!("{}: {what}", seen.name)));
            }
        }
        Ok(left)
    }
}

impl Cast {
    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.webhooks.iter().chain(&self.executors)
    }
}

impl Binaries {
    /// The same part, from these binaries.
    fn part(&self, like: &Part) -> Part {
        let mut spec = like.spec().clone();
        if let (Some(folder), Some(file)) = (&self.folder, spec.program.file_name()) {
            spec.program = folder.join(file);
        }
        if let Some(bug) = self.bug {
            spec.env.push((super::seeded::VARIABLE.to_owned(), bug.to_owned()));
        }
        Part::new(spec, like.readiness().cloned(), crate::process::Lifetime::Ours)
    }
}

/// What the executors were told to keep to, as they were told it.
async fn limits(stack: &Stack) -> anyhow::Result<Limits> {
    let settings = Api::<ConfigMap>::namespaced(stack.client.clone(), &stack.release);
    let settings = settings.get(&format!("{}-settings", stack.fullname)).await?.data.unwrap_or_default();
    let number = |key: &str| settings.get(key).and_then(|text| text.parse().ok());
    Ok(Limits {
        slots: number("ROADSTEAD_SLOTS").context("the settings name no slots")?,
        urgent_slots: number("ROADSTEAD_URGENT_SLOTS").context("the settings name no urgent slots")?,
        slot_timeout: 15 * 60 * 1000,
        executor: format!("system:serviceaccount:{}:{}-executor", stack.release, stack.fullname),
    })
}
