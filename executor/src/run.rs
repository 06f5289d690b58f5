//! The order of start-up and shutdown.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use anyhow::Context as _;
use contract::access::Role;
use kube::Client;
use ops::{
    BoxError, admin, kubernetes,
    namespaces::{self, Namespaces},
    nats,
    policies::{self, Policies},
    readiness::{Handle, Readiness},
    streams,
    tasks::Tasks,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    args::Args,
    checks::{Checks, Prometheus},
    consume::{Consumer, Finder, Worker},
    deployments::Deployments,
    event::{self, Events},
    follow::Follower,
    metrics::Metrics,
    policy::{Judge, Nudger},
    queue::{self, Publisher, View, Viewer},
    release::Releaser,
    slots::{Keeper, Room, Store},
    status::{Reporter, Reports},
    sweep::{Sweeper, Swept},
};

/// Longest wait for the last bytes to NATS.
const FLUSH: Duration = Duration::from_secs(2);

/// How often it is looked for changes that nothing brings on any more.
const FIND: Duration = Duration::from_secs(30);

/// How often it is looked whether the policies were listed.
const LISTED: Duration = Duration::from_millis(50);

/// The parts that have to be ready.
struct Waiting {
    namespaces: Handle,
    policies: Handle,
    rollouts: Handle,
    queue: Handle,
}

/// Runs the executor until it is told to stop.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let common = &args.common;
    ops::log::start(common.log_format, &common.log).context("--log is no filter")?;
    let mut registry = admin::registry(env!("CARGO_PKG_VERSION"));
    let metrics = Metrics::register(&mut registry);
    let readiness = Readiness::default();
    let mut tasks = Tasks::default();
    let stop = tasks.stop();
    let waiting = Waiting {
        namespaces: readiness.wait_for("the namespaces"),
        policies: readiness.wait_for("the policies"),
        rollouts: readiness.wait_for("the rollouts in flight"),
        queue: readiness.wait_for("the queue"),
    };
    let admin_listener = admin::bind(common.admin_listen).await?;
    tasks.spawn("admin endpoint", admin::serve(admin_listener, readiness.clone(), registry, stop.clone()));
    let client = kubernetes::client("roadstead-executor").await?;
    tasks.spawn("executor", execute(args, client, metrics, waiting, stop));
    Ok(tasks.run(&readiness).await?)
}

/// Connects, with patience, and runs the parts until told to stop. Then nothing more is pulled, what is in hand is
/// finished, and the slots are kept until nobody needs them any more.
async fn execute(
    args: Args,
    client: Client,
    metrics: Metrics,
    waiting: Waiting,
    stop: CancellationToken,
) -> Result<(), BoxError> {
    let common = &args.common;
    let prometheus =
        Prometheus::new(&args.prometheus, &args.prometheus_token_file, &args.prometheus_ca_file)?;
    let prometheus = Arc::new(prometheus);
    let stopped = stop.clone();
    let connected = async {
        let nats = nats::connect(&common.nats, Role::Executor, common.cluster.as_str()).await?;
        kubernetes::wait_for_api(&client).await;
        Ok::<_, nats::ConnectError>(nats)
    };
    let nats = tokio::select! { nats = connected => nats?, () = stopped.cancelled() => return Ok(()) };
    let mut parts = Parts::default();

    let namespaces = Namespaces::new(common.served());
    let mut listed = namespaces.subscribe();
    parts.add(
        "namespaces",
        namespaces::follow(client.clone(), namespaces.clone(), waiting.namespaces, stop.clone()),
    );
    // Before the first list it would look as if everything was opted out, and nothing in flight.
    tokio::select! { told = listed.changed() => told?, () = stopped.cancelled() => return parts.run(&stop).await }

    let Some(policies) = listed_policies(&mut parts, &client, &namespaces, &stop).await else {
        return parts.run(&stop).await;
    };
    drop(waiting.policies);

    let (context, cluster) = (streams::jetstream(&nats), common.cluster.as_str().to_owned());
    let store = Store::new(context.clone(), &cluster, common.nats.replicas);
    let room = Room::new(args.slots, args.urgent_slots);
    let (keeper, slots) = Keeper::new(store, room, args.slot_timeout, metrics.clone());
    parts.add("slots", keeper.run(stop.clone()));
    let vacancies = slots.vacancies();
    let deployments = Deployments::new(client);
    let (recorder, writer) = event::recorder(deployments.clone(), &metrics, instance());
    parts.add("Kubernetes Events", writer.run(stop.clone()));
    let reports = Reports::default();
    let judge = Judge {
        policies: policies.clone(),
        namespaces: namespaces.clone(),
        deployments: deployments.clone(),
        slots: slots.clone(),
        reports: reports.clone(),
    };
    let worker = Arc::new(Worker {
        releaser: Releaser { deployments, namespaces, swept: Swept::default(), slots, judge },
        events: Events::new(context.clone(), cluster.clone(), metrics.clone(), recorder),
        cluster,
        metrics,
        attempts: args.attempts,
    });
    let view = View::default();
    let viewer = Viewer {
        view: view.clone(),
        client: worker.releaser.deployments.client().clone(),
        namespaces: worker.releaser.namespaces.clone(),
        context: context.clone(),
        cluster: worker.cluster.clone(),
        metrics: worker.metrics.clone(),
    };
    parts.add("the view of the queue", viewer.run(stop.clone()));
    let publisher = Publisher {
        view: view.clone(),
        context: context.clone(),
        cluster: worker.cluster.clone(),
        replicas: common.nats.replicas,
        room,
        vacancies: vacancies.clone(),
        interval: queue::INTERVAL,
    };
    parts.add("the published queue", publisher.run(stop.clone()));
    let sweeper = Sweeper::new(Arc::clone(&worker), args.release_namespace.as_str(), args.swept);
    sweeper.recall().await;
    parts.add("sweep", sweeper.run(stop.clone()));
    let crash_loop = NonZeroU32::new(args.crash_loop_restarts);
    let waiting_for = view.clone();
    let reporter = Reporter {
        policies: policies.clone(),
        deployments: worker.releaser.deployments.clone(),
        reports: reports.clone(),
        waiting: Arc::new(move || {
            waiting_for.with(|index| index.is_complete().then(|| index.waiting_for_policies()))
        }),
        events: worker.events.clone(),
    };
    parts.add("the status of policies", reporter.run(stop.clone()));
    let checks = Checks { client: worker.releaser.deployments.client().clone(), prometheus };
    let follower = Follower { worker: Arc::clone(&worker), policies, checks, reports, crash_loop };
    parts.add("rollouts", follower.run(waiting.rollouts, stop.clone()));
    let nudger = Nudger { view: view.clone(), worker: Arc::clone(&worker) };
    parts.add("what waits for rules", nudger.run(stop.clone()));
    let finder = Finder { view: view.clone(), worker: Arc::clone(&worker), interval: FIND };
    parts.add("what nothing brings on", finder.run(stop.clone()));
    let consumer = Consumer { context, replicas: common.nats.replicas, vacancies, worker, view };
    parts.add("queue", consumer.run(waiting.queue, stop.clone()));

    let ended = parts.run(&stop).await;
    // What was said last is to arrive; nobody waits for a server that is gone.
    let _ = tokio::time::timeout(FLUSH, nats.flush()).await;
    ended
}

/// Follows the policies from their first list on: before it nobody knows what may not be let through. `None`: it was
/// told to stop before.
async fn listed_policies(
    parts: &mut Parts,
    client: &Client,
    namespaces: &Namespaces,
    stop: &CancellationToken,
) -> Option<Policies> {
    let (policies, read) = (Policies::default(), Readiness::default());
    let ready = read.wait_for("the policies");
    let follow = policies::follow(client.clone(), namespaces.clone(), policies.clone(), ready, stop.clone());
    parts.add("policies", follow);
    while read.check().is_err() {
        tokio::select! { () = tokio::time::sleep(LISTED) => {}, () = stop.cancelled() => return None }
    }
    Some(policies)
}

/// Name of this process in Kubernetes Events: that of its pod or host.
fn instance() -> String {
    let name = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty() && name.len() <= 63);
    name.unwrap_or_else(|| format!("roadstead-executor-{}", std::process::id()))
}

/// The parts of the executor, each a task.
#[derive(Default)]
struct Parts(JoinSet<(&'static str, Result<(), BoxError>)>);

impl Parts {
    fn add(&mut self, name: &'static str, part: impl Future<Output = Result<(), BoxError>> + Send + 'static) {
        self.0.spawn(async move { (name, part.await) });
    }

    /// Waits for all of them; one that ends before it was told to is an error.
    async fn run(mut self, stop: &CancellationToken) -> Result<(), BoxError> {
        while let Some(ended) = self.0.join_next().await {
            let (name, result) = ended?;
            result.map_err(|error| format!("{name}: {}", ops::chain(&*error)))?;
            if !stop.is_cancelled() {
                return Err(format!("{name} ended before it was told to").into());
            }
        }
        Ok(())
    }
}
