//! The outbox: turns each held Deployment into one message on the queue. The held object in etcd is the record;
//! whatever NATS lost is published again from it.

mod backlog;
mod publish;
mod refill;
mod watch;

use std::{sync::Arc, time::Duration};

use contract::access::Role;
use kube::Client;
use ops::{BoxError, args, namespaces::Namespaces, readiness::Handle};
use tokio::{sync::watch::channel, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::{backlog::Backlog, publish::Publisher};
use crate::metrics::Metrics;

/// Changes that are published at the same time.
const WORKERS: usize = 8;

/// How often what waits is counted: with each event it would cost the square of what waits.
const COUNT: Duration = Duration::from_secs(1);

/// What the outbox needs.
pub struct Outbox {
    /// To watch and read Deployments.
    pub client: Client,
    /// Who is opted in, and the lanes.
    pub namespaces: Namespaces,
    /// Name of this cluster.
    pub cluster: String,
    /// How to reach NATS.
    pub nats: args::Nats,
    /// Counters.
    pub metrics: Metrics,
}

impl Outbox {
    /// Runs until told to stop; drops `ready` after the first list of held Deployments. Without NATS it goes on
    /// watching: changes wait, and are published when it is back.
    pub async fn run(self, ready: Handle, stop: CancellationToken) -> Result<(), BoxError> {
        let backlog = Arc::new(Backlog::default());
        let mut tasks = JoinSet::<Result<(), BoxError>>::new();
        let apis = self.namespaces.apis(&self.client, kube::Api::all, kube::Api::namespaced);
        let ready = Arc::new(ready);
        for api in apis {
            let held = watch::Held { api };
            tasks.spawn(held.run(Arc::clone(&backlog), Arc::clone(&ready), stop.clone()));
        }
        drop(ready);
        let (namespaces, metrics) = (self.namespaces.clone(), self.metrics.clone());
        tasks.spawn(count(Arc::clone(&backlog), namespaces, metrics, stop.clone()));
        tasks.spawn(self.publish(backlog, stop.clone()));
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn publish(self, backlog: Arc<Backlog>, stop: CancellationToken) -> Result<(), BoxError> {
        let client = tokio::select! {
            client = ops::nats::connect(&self.nats, Role::Webhook, &self.cluster) => client?,
            () = stop.cancelled() => return Ok(()),
        };
        let context = ops::streams::jetstream(&client);
        let publisher = Arc::new(Publisher {
            client: self.client,
            namespaces: self.namespaces.clone(),
            cluster: self.cluster,
            context: context.clone(),
            metrics: self.metrics,
        });
        let mut tasks = JoinSet::<Result<(), BoxError>>::new();
        let (usable, is_usable) = channel(false);
        let refill =
            refill::Refill { context, replicas: self.nats.replicas, namespaces: self.namespaces, usable };
        tasks.spawn(refill.run(Arc::clone(&backlog), stop.clone()));
        for _ in 0..WORKERS {
            let (publisher, backlog) = (Arc::clone(&publisher), Arc::clone(&backlog));
            tasks.spawn(publish::work(publisher, backlog, is_usable.clone(), stop.clone()));
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

/// Keeps the metrics of what waits true until told to stop.
async fn count(
    backlog: Arc<Backlog>,
    namespaces: Namespaces,
    metrics: Metrics,
    stop: CancellationToken,
) -> Result<(), BoxError> {
    let mut period = tokio::time::interval(COUNT);
    while tokio::select! { _ = period.tick() => true, () = stop.cancelled() => false } {
        // Anybody may write our label where we do not look: that is no change of ours.
        metrics.held(backlog.depth(|(namespace, _)| namespaces.get(namespace).is_some()));
    }
    Ok(())
}
