//! Keeps the index true: the watches of held Deployments tell who waits, the stream where each stands. A watch sees
//! metadata only, so that it costs what waits and not what is in the cluster.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::jetstream::Context;
use contract::{
    Lane, Phase, State, Wake,
    envelope::open,
    key::{LANE, PHASE_LABEL},
    stream::{CHANGES, WAKE},
    subject::{self, ChangeSubject},
};
use futures::{StreamExt as _, stream::select_all};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Client, ResourceExt as _,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use ops::{BoxError, chain, namespaces::Namespaces};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{sync::Notify, task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    entry::{Held, Queued, Trouble},
    index::Index,
    tail::{Tail, Told},
};
use crate::{
    live::{UnixMillis, now, to_millis},
    metrics::Metrics,
};

/// How often it is counted what waits.
const TICK: Duration = Duration::from_secs(1);

/// A change whose message was not seen for this long is looked for: the stream is read again.
const MISSED: UnixMillis = 60_000;

/// At most this often: reading it costs one header for each Deployment that ever changed.
const AGAIN: UnixMillis = 5 * 60_000;

/// The index, shared by whoever looks at it. It is held for moments only, and never over an await.
#[derive(Clone, Default)]
pub struct View(Arc<Mutex<Index>>);

impl View {
    /// Looks at the index, or tells it something.
    pub fn with<T>(&self, look: impl FnOnce(&mut Index) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the view is kept true with.
#[derive(Clone)]
pub struct Viewer {
    /// The view.
    pub view: View,
    /// The API server.
    pub client: Client,
    /// Who is opted in, and the lanes.
    pub namespaces: Namespaces,
    /// The queue.
    pub context: Context,
    /// Name of this cluster.
    pub cluster: String,
    /// Gauges.
    pub metrics: Metrics,
}

type Object = PartialObjectMeta<Deployment>;

impl Viewer {
    /// Keeps it true until told to stop. Nobody waits for it.
    pub async fn run(self, stop: CancellationToken) -> Result<(), BoxError> {
        let (listed, again) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut tasks = JoinSet::<Result<(), BoxError>>::new();
        let changes = Tail {
            context: self.context.clone(),
            stream: CHANGES,
            filter: subject::all_changes(&self.cluster)?,
            headers_only: true,
        };
        let wakes = Tail {
            context: self.context.clone(),
            stream: WAKE,
            filter: subject::all_schedules(&self.cluster)?,
            headers_only: false,
        };
        let (view, again_too, listed_too, stopped) =
            (self.view.clone(), Arc::clone(&again), Arc::clone(&listed), stop.clone());
        tasks.spawn(async move {
            // What is read before it is known who waits would mean nothing.
            tokio::select! { () = listed_too.notified() => {}, () = stopped.cancelled() => return Ok(()) }
            let (view_too, stopped_too) = (view.clone(), stopped.clone());
            let never = Notify::new();
            tokio::join!(
                changes.follow(&again_too, &stopped, |told| tell_change(&view, &told)),
                wakes.follow(&never, &stopped_too, |told| tell_wake(&view_too, &told)),
            );
            Ok(())
        });
        tasks.spawn(async move { self.watch(&listed, &again, stop).await });
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn watch(self, listed: &Notify, again: &Notify, stop: CancellationToken) -> Result<(), BoxError> {
        let selected = watcher::Config::default().labels(&format!("{PHASE_LABEL}={}", Phase::Held));
        let apis: Vec<Api<Object>> = self.namespaces.apis(&self.client, Api::all, Api::namespaced);
        let mut lists = vec![0; apis.len()];
        let mut unlisted = apis.len();
        let mut events = select_all((0..).zip(apis).map(|(source, api)| {
            watcher(api, selected.clone()).default_backoff().map(move |event| (source, event)).boxed()
        }));
        let mut changed = self.namespaces.subscribe();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut interrupted, mut looked) = (false, now());
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some((source, event)) = events.next() => match event {
                    Ok(event) => {
                        interrupted &= matches!(event, Event::Init);
                        let first = matches!(event, Event::InitDone) && lists.get(source) == Some(&1);
                        self.learn(source, &mut lists, event);
                        unlisted -= usize::from(first);
                        if first && unlisted == 0 {
                            self.view.with(Index::complete);
                            listed.notify_one();
                        }
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut interrupted, true) {
                            tracing::warn!(error = chain(&error), "the watch of what waits was interrupted; watching again");
                        }
                    }
                },
                told = changed.changed() => {
                    told?;
                    let map = changed.borrow_and_update().clone();
                    self.view.with(|index| index.assign(|namespace, asked| {
                        Some(map.get(namespace)?.lane(None, asked))
                    }));
                }
                _ = tick.tick() => {
                    let now = now();
                    if self.view.with(|index| { index.tidy(now); index.misses(now, MISSED) }) && now - looked > AGAIN {
                        looked = now;
                        again.notify_one();
                    }
                    for (rule, count) in self.view.with(|index| index.waiting_for_rules()) {
                        self.metrics.waiting_for_rule(rule, count);
                    }
                    for lane in Lane::ALL {
                        let (count, oldest) = self.view.with(|index| index.depth(lane));
                        self.metrics.waiting(lane, count, oldest);
                    }
                }
            }
        }
    }

    fn learn(&self, source: usize, lists: &mut [u32], event: Event<Object>) {
        let number = u32::try_from(source).unwrap_or(u32::MAX);
        let Some(list) = lists.get_mut(source) else { return };
        match event {
            Event::Init => *list = list.wrapping_add(1),
            Event::InitApply(object) | Event::Apply(object) => {
                let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
                match self.held(&namespace, &object) {
                    Some(held) => self.view.with(|index| {
                        index.held(&namespace, &name, held, (number, *list), now());
                    }),
                    None => self.view.with(|index| index.departed(&namespace, &name)),
                }
            }
            Event::InitDone => self.view.with(|index| index.listed(number, *list)),
            Event::Delete(object) => {
                let namespace = object.namespace().unwrap_or_default();
                self.view.with(|index| index.departed(&namespace, &object.name_any()));
            }
        }
    }

    fn held(&self, namespace: &str, object: &Object) -> Option<Held> {
        let state = State::of(object.metadata.annotations.as_ref(), object.metadata.labels.as_ref());
        let asked = object.annotations().get(LANE).and_then(|text| text.parse().ok()).or(state.default_lane);
        let attempt = state.attempt();
        let says = says(object, &state);
        let change = state.change.filter(|_| state.gate == Some(contract::Gate::Closed))?;
        let lane = self.namespaces.get(namespace).map(|opted_in| opted_in.lane(None, asked));
        Some(Held { change, attempt, asked, lane, says })
    }
}

/// Changes with what a rule may look at, but for the time that the executor itself writes on approvals.
fn says(object: &Object, state: &State) -> u64 {
    let approved = state.approvals.0.iter().map(|approval| (&approval.by, &approval.change));
    let ordered = state.r#override.as_ref().map(|order| (&order.by, &order.reason));
    let mut hash = DefaultHasher::new();
    (object.labels(), approved.collect::<Vec<_>>(), ordered).hash(&mut hash);
    hash.finish()
}

fn tell_change(view: &View, told: &Told<'_>) {
    match told {
        Told::Begin => view.with(Index::reading),
        Told::End => view.with(Index::read),
        Told::Message { message, sequence, published } => {
            let Ok(address) = ChangeSubject::parse(&message.subject) else { return };
            if let Some(queued) = Queued::read(message, address.lane, *sequence, *published) {
                view.with(|index| index.queued(&address.namespace, &address.name, queued, now()));
            }
        }
    }
}

fn tell_wake(view: &View, told: &Told<'_>) {
    let message = match told {
        Told::Begin => return view.with(Index::waking),
        Told::End => return view.with(Index::woken),
        Told::Message { message, .. } => message,
    };
    let Ok(wake) = open::<Wake>(&message.payload) else { return };
    let at = message.headers.as_ref().and_then(|headers| headers.get(ops::publish::SCHEDULE));
    let at = at.and_then(|at| at.as_str().strip_prefix("@at "));
    let ends = wake
        .obstacles
        .iter()
        .map(|obstacle| OffsetDateTime::parse(obstacle.until.as_deref()?, &Rfc3339).ok().map(to_millis));
    let trouble = Trouble {
        until: ends.collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max()),
        rules: wake.obstacles.into_iter().map(|obstacle| (obstacle.policy, obstacle.rule)).collect(),
        tries: wake.tries,
        next_try: at.and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok()).map(to_millis),
        last_error: wake.last_error,
        change: wake.pointer.change,
    };
    view.with(|index| index.troubled(&wake.pointer.namespace, &wake.pointer.name, trouble));
}
