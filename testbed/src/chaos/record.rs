//! The recorder: writes down every version of every Deployment, ReplicaSet and Namespace as etcd stores it, and every
//! event that Roadstead tells. etcd is asked, not the API server: its watch has no gap when the API server restarts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use contract::{ChangeEvent, envelope};
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::history::{Millis, Name, Revision, Span, Told, Write};
use super::stored;
use crate::endpoint::Endpoint;

/// Pause before a watch that ended is begun again.
const AGAIN: Duration = Duration::from_millis(200);
/// How long the recorder may be behind at the end.
const CATCH_UP: Duration = Duration::from_secs(30);
/// Everything: from the first key to the last.
const ALL: &str = "AA==";

/// A running recorder; it ends when it is dropped.
#[derive(Debug)]
pub struct Recorder {
    etcd: Endpoint,
    nats: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    recorded: Mutex<Recorded>,
}

/// What was recorded so far.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Every write, by revision.
    pub writes: Vec<Write>,
    /// Every event.
    pub told: Vec<Told>,
    /// When events may have been lost.
    pub lossy: Vec<Span>,
    /// The last revision that was heard of, also of other objects.
    pub revision: Revision,
}

impl Recorder {
    /// Begins with the first revision of this etcd, and with the events of this nats-server.
    #[must_use]
    pub fn start(etcd: Endpoint, nats: &str) -> Self {
        let shared = Arc::new(Shared { began: Instant::now(), recorded: Mutex::default() });
        let mut tasks = JoinSet::new();
        tasks.spawn(watch(etcd.clone(), Arc::clone(&shared)));
        tasks.spawn(listen(nats.to_owned(), Arc::clone(&shared)));
        Self { etcd, nats: nats.to_owned(), shared, _tasks: tasks }
    }

    /// Now, as the history counts.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.shared.now()
    }

    /// Events told between then and now may have been lost.
    pub fn lost_since(&self, from: Millis) {
        let to = self.now();
        self.shared.recorded().lossy.push(Span { from, to });
    }

    /// Waits until everything that is stored now was recorded, reads the events that are kept, and gives all of it.
    ///
    /// # Errors
    /// When etcd does not answer, or the recorder does not catch up.
    pub async fn recorded(&self) -> anyhow::Result<Recorded> {
        let range = json!({ "key": ALL, "limit": "1" });
        let answer: Value = serde_json::from_slice(&self.ask("/v3/kv/range", &range).await?)?;
        let target = revision(&answer["header"]["revision"]).context("etcd tells no revision")?;
        crate::eventually("the recorder has caught up", CATCH_UP, async || {
            let seen = self.shared.recorded().revision;
            anyhow::ensure!(seen >= target, "it is at revision {seen} of {target}");
            Ok(())
        })
        .await?;
        let kept = tokio::time::timeout(CATCH_UP, kept_events(&self.nats)).await?;
        let mut recorded = self.shared.recorded().clone();
        let at = self.now();
        for event in kept.context("the events that are kept cannot be read")? {
            let known = |told: &Told| {
                told.uid == event.uid && told.change == event.change && told.phase == event.phase
            };
            if !recorded.told.iter().any(known) {
                recorded.told.push(told(at, event));
            }
        }
        Ok(recorded)
    }

    async fn ask(&self, path: &str, question: &Value) -> anyhow::Result<Vec<u8>> {
        let request = hyper::Request::post(path).body(Body::from(question.to_string().into_bytes()))?;
        let answer = self.etcd.client()?.send(request).await?;
        Ok(answer.into_body().collect().await?.to_bytes().to_vec())
    }
}

impl Shared {
    fn now(&self) -> Millis {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches etcd for as long as it is asked to; what ends is begun again after the last revision.
async fn watch(etcd: Endpoint, shared: Arc<Shared>) {
    loop {
        if let Err(error) = watch_once(&etcd, &shared).await {
            eprintln!("chaos: the recorder's watch of etcd was interrupted: {error:#}");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn watch_once(etcd: &Endpoint, shared: &Shared) -> anyhow::Result<()> {
    let next = shared.recorded().revision + 1;
    let from = json!({ "create_request": {
        "key": ALL, "range_end": ALL, "start_revision": next.to_string(),
    }});
    let request = hyper::Request::post("/v3/watch").body(Body::from(from.to_string().into_bytes()))?;
    let client = etcd.client()?;
    let mut body = client.send(request).await?.into_body();
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        text.extend_from_slice(&data);
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            learn(&line, shared)?;
        }
    }
    Ok(())
}

/// Takes one answer of the watch in.
fn learn(line: &[u8], shared: &Shared) -> anyhow::Result<()> {
    let events = stored::events(line)?;
    let at = shared.now();
    let mut recorded = shared.recorded();
    for event in events {
        recorded.revision = recorded.revision.max(event.revision);
        if let Some(what) = event.what()? {
            recorded.writes.push(Write { revision: event.revision, at, by: None, what });
        }
    }
    Ok(())
}

/// Hears every event as it is told; what is told while the connection is away is read from the stream at the end.
async fn listen(nats: String, shared: Arc<Shared>) {
    loop {
        if let Ok(client) = async_nats::connect(&nats).await
            && let Ok(mut events) = client.subscribe("roadstead.event.>").await
        {
            while let Some(message) = events.next().await {
                if let Ok(event) = envelope::open::<ChangeEvent>(&message.payload) {
                    let at = shared.now();
                    shared.recorded().told.push(told(at, event));
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The events that NATS keeps.
async fn kept_events(nats: &str) -> anyhow::Result<Vec<ChangeEvent>> {
    use async_nats::jetstream::consumer::{AckPolicy, pull};
    let context = async_nats::jetstream::new(async_nats::connect(nats).await?);
    let stream = context.get_stream(contract::stream::EVENTS).await?;
    let mut left = stream.cached_info().state.messages;
    let config = pull::Config { ack_policy: AckPolicy::None, ..pull::Config::default() };
    let consumer = stream.create_consumer(config).await?;
    let mut events = Vec::new();
    while left > 0 {
        let mut batch = consumer.batch().max_messages(500).expires(Duration::from_secs(2)).messages().await?;
        let before = left;
        while let Some(message) = batch.next().await {
            let message = message.map_err(|error| anyhow::anyhow!(error))?;
            left = left.saturating_sub(1);
            events.extend(envelope::open::<ChangeEvent>(&message.payload).ok());
        }
        anyhow::ensure!(left < before, "{left} events of the stream are missing");
    }
    Ok(events)
}

fn told(at: Millis, event: ChangeEvent) -> Told {
    Told {
        at,
        name: Name::new(&event.namespace, &event.name),
        uid: event.uid,
        change: event.change,
        phase: event.phase,
        message: event.message,
    }
}

fn revision(number: &Value) -> Option<Revision> {
    number.as_str()?.parse().ok()
}
