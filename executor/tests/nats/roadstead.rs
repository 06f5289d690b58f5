//! The parts of an executor on a nats-server and an API server of the test's own, and the wait for what they do.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::Context;
use contract::{Change, DeadLetter, Lane, Phase, Rule, Wake, subject};
use executor::{
    checks::Checks,
    consume::{Consumer, Finder, Worker},
    deployments::Deployments,
    event::{self, Events},
    follow::Follower,
    metrics::Metrics,
    policy::{Judge, Nudger},
    queue::{Publisher, View, Viewer},
    release::Releaser,
    slots::{Keeper, Room, Store},
    status::Reports,
    sweep::{Sweeper, Swept},
};
use ops::{
    BoxError,
    namespaces::{self, Namespaces},
    policies::Policies,
    readiness::Readiness,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    api::{ApiServer, NAMESPACE},
    server::Server,
};

/// Longest wait for anything: longer than the first pause of what was refused.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const CLUSTER: &str = "east";

/// An executor, an API server and a nats-server.
pub(crate) struct Roadstead {
    pub(crate) api: ApiServer,
    pub(crate) context: Context,
    stop: CancellationToken,
    parts: JoinSet<Result<(), BoxError>>,
    readiness: Readiness,
    slots: usize,
    /// How often a change may be refused.
    pub(crate) attempts: u32,
    view: View,
    /// The policies, as if an API server had told of them.
    pub(crate) policies: Policies,
    // Last: the others still talk to it when they are dropped.
    _server: Server,
}

impl Roadstead {
    /// Everything but the executor, which is started when the test wants it.
    pub(crate) async fn new(slots: usize) -> Self {
        let server = Server::start();
        let context = ops::streams::jetstream(&server.client().await);
        ops::streams::ensure(&context, 1).await.unwrap();
        Self {
            api: ApiServer::new(),
            context,
            stop: CancellationToken::new(),
            parts: JoinSet::new(),
            readiness: Readiness::default(),
            slots,
            attempts: 3,
            view: View::default(),
            policies: Policies::default(),
            _server: server,
        }
    }

    /// Starts an executor, or one more, and waits until it is ready.
    pub(crate) async fn start(&mut self) {
        let (client, stop) = (self.api.client(), self.stop.clone());
        let handles =
            ["the namespaces", "the rollouts", "the queue"].map(|part| self.readiness.wait_for(part));
        let [listed, rollouts, queue] = handles;
        let namespaces = Namespaces::new(vec![]);
        let mut told = namespaces.subscribe();
        self.parts.spawn(namespaces::follow(client.clone(), namespaces.clone(), listed, stop.clone()));
        told.changed().await.unwrap();
        let (metrics, context) = (Metrics::default(), self.context.clone());
        let store = Store::new(context.clone(), CLUSTER, 1);
        let timeout = Duration::from_mins(15);
        let room = Room { slots: self.slots, urgent: 0 };
        let (keeper, slots) = Keeper::new(store, room, timeout, metrics.clone());
        self.parts.spawn(keeper.run(stop.clone()));
        let vacancies = slots.vacancies();
        let deployments = Deployments::new(client);
        let (recorder, writer) = event::recorder(deployments.clone(), &metrics, "executor".into());
        self.parts.spawn(writer.run(stop.clone()));
        let reports = Reports::default();
        let judge = Judge {
            policies: self.policies.clone(),
            namespaces: namespaces.clone(),
            deployments: deployments.clone(),
            slots: slots.clone(),
            reports: reports.clone(),
        };
        let worker = Arc::new(Worker {
            releaser: Releaser { deployments, namespaces, swept: Swept::default(), slots, judge },
            events: Events::new(context.clone(), CLUSTER.into(), metrics.clone(), recorder),
            cluster: CLUSTER.into(),
            metrics,
            attempts: NonZeroU32::new(self.attempts).unwrap(),
        });
        self.view = View::default();
        let view = self.view.clone();
        let viewer = Viewer {
            view: view.clone(),
            client: worker.releaser.deployments.client().clone(),
            namespaces: worker.releaser.namespaces.clone(),
            context: context.clone(),
            cluster: CLUSTER.into(),
            metrics: worker.metrics.clone(),
        };
        self.parts.spawn(viewer.run(stop.clone()));
        let publisher = Publisher {
            view: view.clone(),
            context: context.clone(),
            cluster: CLUSTER.into(),
            replicas: 1,
            room,
            vacancies: vacancies.clone(),
            interval: Duration::from_millis(100),
        };
        self.parts.spawn(publisher.run(stop.clone()));
        let sweeper = Sweeper::new(Arc::clone(&worker), "roadstead", "swept".into());
        sweeper.recall().await;
        self.parts.spawn(sweeper.run(stop.clone()));
        let checks =
            Checks { client: worker.releaser.deployments.client().clone(), prometheus: Arc::default() };
        let follower = Follower {
            worker: Arc::clone(&worker),
            policies: self.policies.clone(),
            checks,
            reports,
            crash_loop: None,
        };
        self.parts.spawn(follower.run(rollouts, stop.clone()));
        self.parts.spawn(Nudger { view: view.clone(), worker: Arc::clone(&worker) }.run(stop.clone()));
        let interval = Duration::from_millis(200);
        self.parts
            .spawn(Finder { view: view.clone(), worker: Arc::clone(&worker), interval }.run(stop.clone()));
        self.parts.spawn(Consumer { context, replicas: 1, vacancies, worker, view }.run(queue, stop));
        eventually("the executor is ready", async || self.readiness.check()).await;
    }

    /// Tells the executor to stop and waits for its end.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.parts.join_next().await {
            ended.unwrap().unwrap();
        }
    }

    /// Holds a change and puts its message on the queue, as the webhook does.
    pub(crate) async fn submit(&self, name: &str, image: &str, lane: Lane) -> Change {
        self.submit_in(NAMESPACE, name, image, lane).await
    }

    /// As [`Roadstead::submit`], in another namespace.
    pub(crate) async fn submit_in(&self, namespace: &str, name: &str, image: &str, lane: Lane) -> Change {
        let (change, digest) = self.api.hold(namespace, name, image, lane.as_str());
        let change = Change {
            cluster: CLUSTER.into(),
            namespace: namespace.into(),
            name: name.into(),
            uid: format!("{name}-uid"),
            change,
            digest,
            lane,
            attempt: 1,
            generation: 1,
            requested_by: None,
            released: None,
            traceparent: None,
            truncated: false,
            deployment: None,
        };
        self.publish(&change).await;
        change
    }

    /// Puts a change on the queue.
    pub(crate) async fn publish(&self, change: &Change) {
        let subject = address(change.lane, &change.namespace, &change.name).encode().unwrap();
        ops::publish::publish(&self.context, subject, change).await.unwrap();
    }

    /// Waits until a second look at a change of the normal lane is scheduled that was refused so often.
    pub(crate) async fn scheduled(&self, name: &str, refusals: u32) -> Wake {
        let subject = address(Lane::Normal, NAMESPACE, name).schedule().unwrap();
        let stream = self.context.get_stream_no_info(contract::stream::WAKE).await.unwrap();
        eventually("a second look is scheduled", async || {
            let message = stream.get_last_raw_message_by_subject(&subject).await?;
            let wake: Wake = contract::envelope::open(&message.payload)?;
            if wake.refusals == refusals { Ok(wake) } else { Err(BoxError::from(format!("{wake:?}"))) }
        })
        .await
    }

    /// Brings a second look on before its time.
    pub(crate) async fn wake(&self, wake: &Wake) {
        // Without its id, which its schedule has taken.
        let message = contract::envelope::seal(wake, time::OffsetDateTime::now_utc()).unwrap();
        let subject = wake.address().wake().unwrap();
        self.context.publish(subject, message.into()).await.unwrap().await.unwrap();
    }

    /// Waits for the dead letter of a Deployment.
    pub(crate) async fn buried(&self, name: &str) -> DeadLetter {
        let subject = subject::dead(CLUSTER, NAMESPACE, name).unwrap();
        let dead = self.context.get_stream_no_info(contract::stream::DEAD).await.unwrap();
        eventually("there is a dead letter", async || {
            let message = dead.get_last_raw_message_by_subject(&subject).await?;
            Ok::<_, BoxError>(contract::envelope::open(&message.payload)?)
        })
        .await
    }

    /// Waits for an event.
    pub(crate) async fn told(&self, name: &str, phase: Phase) -> contract::ChangeEvent {
        let subject = subject::event(CLUSTER, NAMESPACE, name, phase).unwrap();
        let stream = self.context.get_stream_no_info(contract::stream::EVENTS).await.unwrap();
        eventually(&format!("{name} is {phase}"), async || {
            let message = stream.get_last_raw_message_by_subject(&subject).await?;
            Ok::<_, BoxError>(contract::envelope::open(&message.payload)?)
        })
        .await
    }

    /// Every event of a Deployment so far, in order.
    pub(crate) async fn story(&self, name: &str) -> Vec<Phase> {
        let stream = self.context.get_stream_no_info(contract::stream::EVENTS).await.unwrap();
        let mut told = Vec::new();
        for phase in Phase::ALL {
            let subject = subject::event(CLUSTER, NAMESPACE, name, phase).unwrap();
            let mut next = 1;
            while let Ok(message) =
                stream.raw_message_builder().sequence(next).next_by_subject(&subject).send().await
            {
                next = message.sequence + 1;
                told.push((message.sequence, phase));
            }
        }
        told.sort_unstable_by_key(|(sequence, _)| *sequence);
        told.into_iter().map(|(_, phase)| phase).collect()
    }

    /// Waits until it is known here that so many changes wait in a lane.
    pub(crate) async fn waiting(&self, lane: Lane, count: usize) {
        eventually("it is known what waits", async || {
            let (known, _) = self.view.with(|index| index.depth(lane));
            if known == count { Ok(()) } else { Err(format!("{known} wait")) }
        })
        .await;
    }

    /// How many changes are known here to wait for a rule.
    pub(crate) fn waiting_for(&self, rule: Rule) -> usize {
        let counts = self.view.with(|index| index.waiting_for_rules());
        counts.into_iter().find(|(known, _)| *known == rule).map_or(0, |(_, count)| count)
    }

    /// Waits until every message of a lane is settled.
    pub(crate) async fn settled(&self, lane: Lane) {
        let queue = contract::stream::consumer(CLUSTER, lane, subject::shard(NAMESPACE));
        let stream = self.context.get_stream_no_info(contract::stream::CHANGES).await.unwrap();
        eventually("every message is settled", async || {
            let info = stream.consumer_info(&queue).await.map_err(|error| error.to_string())?;
            let open = (info.num_pending, info.num_ack_pending);
            if open == (0, 0) { Ok(()) } else { Err(format!("{open:?} are open")) }
        })
        .await;
    }
}

/// Where a Deployment's changes stand.
pub(crate) fn address(lane: Lane, namespace: &str, name: &str) -> subject::ChangeSubject {
    subject::ChangeSubject { cluster: CLUSTER.into(), lane, namespace: namespace.into(), name: name.into() }
}

/// Waits until it is so; at the end of the patience the failure says what is missing.
pub(crate) async fn eventually<T, E: std::fmt::Display>(what: &str, so: impl AsyncFn() -> Result<T, E>) -> T {
    let begun = Instant::now();
    loop {
        match so().await {
            Ok(value) => return value,
            Err(why) => assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}: {why}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
