//! Publishes what waits, namespace by namespace, when it changed and now and then; one executor does for all. What
//! fails here is tried again by the next round: it is a picture for people, and nothing waits for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_nats::jetstream::Context;
use contract::{
    ChangeEvent, Lane, Phase, Queue,
    envelope::open,
    queue::MAX_WAITING,
    stream::{QUEUE, QUEUE_AGE},
    subject,
};
use futures::{StreamExt as _, TryStreamExt as _, stream::select_all};
use ops::{BoxError, chain, streams};
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    forecast::{Forecast, Rollouts},
    picture::{Listed, Picture},
    role::Role,
    space::Name,
    view::View,
};
use crate::{
    live::now,
    slots::{Room, Vacancies},
};

/// At most this often is it looked at what changed, and something said as long as anything waits.
pub const INTERVAL: Duration = Duration::from_secs(2);

/// Longest pause, for a queue of which much is said each time.
const LONGEST: Duration = Duration::from_secs(20);

/// Changes that may be named in a second: what is said of a long queue must not become a load of its own.
const NAMED: u32 = 10_000;

/// A message is as much of a load as so many changes that are named in it: each is written to the disk.
const MESSAGE: u32 = 100;

/// Room for one change in a message, with the longest name and error, in bytes.
const ONE: usize = 2_048;

/// After so many intervals without a word of anybody who publishes another one begins.
const SILENCE: u32 = 3;

/// Publishes what waits.
pub struct Publisher {
    /// The view that is published.
    pub view: View,
    /// The queue.
    pub context: Context,
    /// Name of this cluster.
    pub cluster: String,
    /// Copies of a stream that is made now.
    pub replicas: usize,
    /// Rollouts that may be in flight.
    pub room: Room,
    /// The slots that are free.
    pub vacancies: watch::Receiver<Vacancies>,
    /// [`INTERVAL`], but for tests.
    pub interval: Duration,
}

/// What was said of a namespace last, by whoever.
#[derive(Clone, Copy)]
struct Said {
    mark: u64,
    at: Instant,
}

/// The state of the loop.
struct Saying {
    publisher: Publisher,
    role: Role,
    number: u64,
    said: BTreeMap<Name, Said>,
    rollouts: Arc<Mutex<Rollouts>>,
}

impl Publisher {
    /// Publishes until told to stop.
    pub async fn run(self, stop: CancellationToken) -> Result<(), BoxError> {
        let rollouts = Arc::<Mutex<Rollouts>>::default();
        let mut told = select_all(self.phases(&rollouts).await?).boxed();
        let mut queues = self.context.client().subscribe(subject::all_queues(&self.cluster)?).await?;
        let name = format!("{:016x}", fastrand::u64(..));
        // Executors that were started together do not begin together.
        let interval = self.interval;
        let role = Role::new(name, interval * SILENCE + interval.mul_f64(fastrand::f64()));
        let mut saying = Saying { publisher: self, role, number: 0, said: BTreeMap::new(), rollouts };
        let (mut tick, mut next) = (tokio::time::interval(interval), Instant::now());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(()) = told.next() => {}
                queue = queues.next() => {
                    let message = queue.ok_or("the connection to NATS is closed for good")?;
                    saying.heard(&message.payload);
                }
                _ = tick.tick() => if next <= Instant::now() {
                    let said = tokio::select! { said = saying.say() => said, () = stop.cancelled() => return Ok(()) };
                    let named = said.unwrap_or_else(|error| {
                        tracing::debug!(error = chain(&*error), "what waits is not published yet");
                        0
                    });
                    let pause = Duration::from_secs_f64(f64::from(named) / f64::from(NAMED));
                    next = Instant::now() + pause.min(LONGEST);
                },
            }
        }
    }

    /// What is told of rollouts by whichever executor.
    async fn phases(
        &self,
        rollouts: &Arc<Mutex<Rollouts>>,
    ) -> Result<Vec<futures::stream::BoxStream<'static, ()>>, BoxError> {
        let mut streams = Vec::new();
        for phase in [Phase::Released, Phase::Succeeded, Phase::Failed, Phase::Superseded, Phase::Cancelled] {
            let events = self.context.client().subscribe(subject::events_of(&self.cluster, phase)?).await?;
            let rollouts = Arc::clone(rollouts);
            let learned = events.map(move |message| {
                if let Ok(event) = open::<ChangeEvent>(&message.payload) {
                    lock(&rollouts).told(&event.change, event.phase, now());
                }
            });
            streams.push(learned.boxed());
        }
        Ok(streams)
    }
}

fn lock(rollouts: &Mutex<Rollouts>) -> std::sync::MutexGuard<'_, Rollouts> {
    rollouts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Saying {
    /// Somebody published.
    fn heard(&mut self, message: &[u8]) {
        let Ok(queue) = open::<Queue>(message) else { return };
        if queue.publisher == self.role.name() {
            return;
        }
        self.role.heard(&queue.publisher);
        let listed = Listed { waiting: queue.waiting, left_out: queue.left_out };
        self.remember(queue.namespace.as_str().into(), &listed);
    }

    /// A namespace where nothing waits is forgotten, once that was said.
    fn remember(&mut self, namespace: Name, listed: &Listed) {
        if listed.is_empty() {
            self.said.remove(&namespace);
        } else {
            self.said.insert(namespace, Said { mark: listed.mark(), at: Instant::now() });
        }
    }

    /// Says what there is to say, if it is for this one to do so; answers how much of a load it was, see [`NAMED`].
    async fn say(&mut self) -> Result<u32, BoxError> {
        let picture = Picture::of(Lane::ALL.map(|lane| self.publisher.view.with(|index| index.rows(lane))));
        let mut namespaces: BTreeSet<Name> = picture.namespaces().cloned().collect();
        namespaces.extend(self.said.keys().cloned());
        if !self.publisher.view.with(|index| index.is_complete()) {
            return Ok(0);
        }
        let was = self.role.is_publishing();
        if !self.role.publishes(!namespaces.is_empty(), Instant::now()) {
            return Ok(0);
        }
        if !was {
            self.recall(&mut namespaces).await?;
        }
        let (mut named, mut silent) = (0, true);
        let forecast = self.forecast();
        for namespace in &namespaces {
            let listed = self.listed(&picture, namespace, forecast);
            let said = self.said.get(namespace);
            if said.is_none_or(|said| said.mark != listed.mark() || said.at.elapsed() > QUEUE_AGE / 3) {
                named += self.publish(namespace, listed).await?;
                silent = false;
            }
        }
        // Who says nothing is taken for dead; and expected starts move.
        let oldest = self.said.iter().min_by_key(|(_, said)| said.at).filter(|_| silent);
        if let Some(namespace) = oldest.map(|(namespace, _)| Name::clone(namespace)) {
            let listed = self.listed(&picture, &namespace, forecast);
            named += self.publish(&namespace, listed).await?;
        }
        Ok(named)
    }

    fn listed(&self, picture: &Picture, namespace: &str, forecast: Forecast) -> Listed {
        let Publisher { view, context, .. } = &self.publisher;
        let most = MAX_WAITING.min(context.client().server_info().max_payload / ONE);
        view.with(|index| picture.listed(index, namespace, most, forecast, now()))
    }

    /// Whoever published before may have died before it said that something waits no more.
    async fn recall(&mut self, namespaces: &mut BTreeSet<Name>) -> Result<(), BoxError> {
        let all = subject::all_queues(&self.publisher.cluster)?;
        let recalled = async {
            let stream = self.publisher.context.get_stream_no_info(QUEUE).await?;
            Ok::<_, BoxError>(stream.info_with_subjects(all).await?.try_collect::<Vec<_>>().await?)
        };
        for (subject, _) in tokio::time::timeout(ops::nats::REQUEST, recalled).await?? {
            if let Some(namespace) = subject::queue_namespace(&subject) {
                namespaces.insert(namespace.as_str().into());
            }
        }
        Ok(())
    }

    async fn publish(&mut self, namespace: &Name, listed: Listed) -> Result<u32, BoxError> {
        let Publisher { context, cluster, replicas, .. } = &self.publisher;
        self.number += 1;
        let queue = Queue {
            cluster: cluster.clone(),
            namespace: namespace.to_string(),
            publisher: self.role.name().to_owned(),
            number: self.number,
            waiting: listed.waiting,
            left_out: listed.left_out,
        };
        let subject = subject::queue(cluster, namespace)?;
        if let Err(error) = ops::publish::publish(context, subject, &queue).await {
            // The stream may be lost; the next round finds one.
            tokio::time::timeout(ops::nats::REQUEST, streams::ensure(context, *replicas)).await??;
            return Err(error.into());
        }
        let listed = Listed { waiting: queue.waiting, left_out: queue.left_out };
        self.remember(Name::clone(namespace), &listed);
        Ok(MESSAGE + u32::try_from(listed.waiting.len()).unwrap_or_default())
    }

    fn forecast(&self) -> Forecast {
        Forecast {
            takes: lock(&self.rollouts).median(),
            room: self.publisher.room,
            free: *self.publisher.vacancies.borrow(),
        }
    }
}
