//! Events: what became of a change, published where people and machines can read it: on NATS, and as Kubernetes
//! Events on the Deployment. An event's id follows from what happened, so several replicas that tell of it are one.

pub(crate) mod images;
mod kubernetes;
mod reason;
mod told;
mod writer;

use std::{future::Future, time::Duration};

use ::policy::ruling::Ruling;
use async_nats::jetstream::{Context, stream::LastRawMessageErrorKind};
use contract::{
    ChangeEvent, ChangeId, ChangeProgress, Digest, Obstacle, Override, Phase, Pointer, PolicyRef, Rule,
    envelope, stream, subject, wake::MAX_OBSTACLES,
};
use ops::{
    chain,
    publish::{Kept, publish},
};
use tokio_util::sync::CancellationToken;

use self::{kubernetes::Note, told::Told};
pub use self::{kubernetes::Recorder, reason::EventReason, writer::Writer};
use crate::{deployments::Deployments, error::Failure, follow::Detail, live::Live, metrics::Metrics};

/// Longest wait for an earlier message.
const LOOK_UP: Duration = Duration::from_secs(3);

/// Pauses between two tries: doubled from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Why a change could not be let through.
#[derive(Clone, Debug)]
pub(crate) struct Setback {
    /// How often that was tried.
    pub(crate) tries: u32,
    /// What went wrong the last time, with its causes.
    pub(crate) error: String,
    /// When it is tried again, in RFC 3339; `None`: not any more.
    pub(crate) next_try: Option<String>,
}

/// Publishes events and looks earlier ones up.
#[derive(Clone)]
pub struct Events {
    context: Context,
    cluster: String,
    metrics: Metrics,
    recorder: Recorder,
    told: Told,
}

/// What takes Kubernetes Events, and what writes them, to be run; `instance` is this process's name in them.
#[must_use]
pub fn recorder(deployments: Deployments, metrics: &Metrics, instance: String) -> (Recorder, Writer) {
    let (recorder, wishes) = Recorder::new(metrics.clone());
    (recorder, Writer { wishes, deployments, metrics: metrics.clone(), instance })
}

/// The change that an event speaks of.
pub struct Subject<'a> {
    namespace: &'a str,
    name: &'a str,
    uid: &'a str,
    change: &'a ChangeId,
    digest: &'a Digest,
    requested_by: Option<&'a str>,
    lane: Option<contract::Lane>,
    attempt: u32,
    images: Option<&'a str>,
}

impl<'a> Subject<'a> {
    /// The change that a Deployment carries; `None` where it carries none.
    #[must_use]
    pub fn of(live: &'a Live) -> Option<Self> {
        Some(Self {
            namespace: &live.namespace,
            name: &live.name,
            uid: &live.uid,
            change: live.state.change.as_ref()?,
            digest: &live.digest,
            requested_by: live.state.requested_by.as_deref(),
            lane: None,
            attempt: live.state.attempt(),
            images: None,
        })
    }

    /// The same, with what the change does to the images.
    #[must_use]
    pub(crate) fn with_images(self, images: &'a str) -> Self {
        Self { images: Some(images), ..self }
    }

    /// The change's id.
    #[must_use]
    pub fn change(&self) -> &'a ChangeId {
        self.change
    }
}

impl<'a> From<&'a Pointer> for Subject<'a> {
    fn from(pointer: &'a Pointer) -> Self {
        Self {
            namespace: &pointer.namespace,
            name: &pointer.name,
            uid: &pointer.uid,
            change: &pointer.change,
            digest: &pointer.digest,
            requested_by: pointer.requested_by.as_deref(),
            lane: Some(pointer.lane),
            attempt: pointer.attempt,
            images: None,
        }
    }
}

impl Events {
    /// Events of this cluster.
    #[must_use]
    pub fn new(context: Context, cluster: String, metrics: Metrics, recorder: Recorder) -> Self {
        Self { context, cluster, metrics, recorder, told: Told::default() }
    }

    /// Where the history is.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// A change's turn came: it is said that it waited, where nobody said so before. On Kubernetes only; on NATS the
    /// webhook says so.
    pub fn seen(&self, about: &Subject<'_>) {
        self.recorder.note(about, EventReason::Held, &waits(about.change), 0);
    }

    /// The queue of a policy goes on that this change of a Deployment had paused. On Kubernetes only; the policy's
    /// status says so too.
    pub(crate) fn resumed(&self, live: &Live, change: &ChangeId, policy: &PolicyRef) {
        let Some(about) = Subject::of(live) else { return };
        let message = format!("{policy} goes on after change {change} had failed");
        self.recorder.note(&Subject { change, ..about }, EventReason::Resumed, &message, 0);
    }

    /// Something was put on the queue: it is looked whether a change waits there.
    pub fn queued(&self, namespace: &str, name: &str) {
        self.recorder.look(namespace, name);
    }

    /// Publishes once. The Kubernetes Event is handed over before, whether NATS is there or not.
    pub async fn tell(&self, about: &Subject<'_>, phase: Phase, message: &str) -> Result<(), Failure> {
        self.tell_event(about, self.event(about, phase, message)).await
    }

    /// Publishes once that a change was let through, with what the policies said; somebody may have ordered to pass
    /// them.
    pub(crate) async fn tell_release(
        &self,
        about: &Subject<'_>,
        message: &str,
        ruling: &Ruling,
        order: Option<&Override>,
    ) -> Result<(), Failure> {
        for (denied, reason) in [(false, EventReason::WouldBeHeld), (true, EventReason::WouldBeDenied)] {
            let observed = ruling.observed.iter().filter(|one| (one.rule == Rule::Validation) == denied);
            let sentences: Vec<_> = observed.map(|one| one.message.as_str()).collect();
            if !sentences.is_empty() {
                self.recorder.note(about, reason, &sentences.join("; "), 0);
            }
        }
        let event = ChangeEvent {
            obstacles: bounded(&ruling.obstacles),
            observed: bounded(&ruling.observed),
            r#override: order.cloned(),
            ..self.event(about, Phase::Released, message)
        };
        self.tell_event(about, event).await
    }

    /// Publishes once that rules let a change wait; `tries`: how often it was looked at.
    pub(crate) async fn tell_rules(
        &self,
        about: &Subject<'_>,
        obstacles: &[Obstacle],
        next_try: String,
        tries: u32,
    ) -> Result<(), Failure> {
        let sentences: Vec<_> = obstacles.iter().map(|obstacle| obstacle.message.as_str()).collect();
        let message = format!("waits for a rule: {}", sentences.join("; "));
        self.recorder.note(about, EventReason::HeldByPolicy, &message, tries);
        let event = ChangeEvent {
            attempts: Some(tries),
            next_try: Some(next_try),
            obstacles: bounded(obstacles),
            ..self.event(about, Phase::Held, &message)
        };
        self.publish(about, event).await
    }

    async fn tell_event(&self, about: &Subject<'_>, event: ChangeEvent) -> Result<(), Failure> {
        let phase = event.phase;
        self.recorder.note(about, EventReason::of(phase), &event.message, 0);
        if phase != Phase::Released {
            self.publish(about, event).await?;
            self.told.end(about.uid, about.change);
            return Ok(());
        }
        let told = self.told.begin(about.uid, about.change);
        let mut is_told = told.lock().await;
        if !*is_told {
            self.publish(about, event).await?;
            *is_told = true;
        }
        Ok(())
    }

    /// Publishes once that a change could not be let through: it waits on, or is dead.
    pub(crate) async fn tell_setback(
        &self,
        about: &Subject<'_>,
        phase: Phase,
        message: &str,
        Setback { tries, error, next_try }: Setback,
    ) -> Result<(), Failure> {
        let reason = if phase == Phase::Held { EventReason::Retrying } else { EventReason::of(phase) };
        self.recorder.note(about, reason, message, tries);
        let event = self.event(about, phase, message);
        self.publish(about, ChangeEvent { attempts: Some(tries), error: Some(error), next_try, ..event })
            .await
    }

    fn event(&self, about: &Subject<'_>, phase: Phase, message: &str) -> ChangeEvent {
        ChangeEvent {
            cluster: self.cluster.clone(),
            namespace: about.namespace.to_owned(),
            name: about.name.to_owned(),
            uid: about.uid.to_owned(),
            change: about.change.clone(),
            phase,
            message: message.to_owned(),
            digest: Some(about.digest.clone()),
            lane: about.lane,
            requested_by: about.requested_by.map(str::to_owned),
            attempt: about.attempt,
            attempts: None,
            error: None,
            next_try: None,
            obstacles: vec![],
            observed: vec![],
            r#override: None,
        }
    }

    async fn publish(&self, about: &Subject<'_>, event: ChangeEvent) -> Result<(), Failure> {
        let (phase, message) = (event.phase, &event.message);
        let subject = subject::event(&self.cluster, about.namespace, about.name, phase)?;
        match publish(&self.context, subject, &event).await {
            Ok(Kept::New) => self.metrics.told(phase),
            // Another replica was faster.
            Ok(Kept::Duplicate) => return Ok(()),
            Err(error) => {
                self.metrics.event_failed();
                return Err(error.into());
            }
        }
        tracing::info!(
            namespace = about.namespace,
            deployment = about.name,
            change = %about.change,
            "{phase}: {message}"
        );
        Ok(())
    }

    /// Publishes how far a rollout is, once; what is lost is followed by more.
    pub(crate) async fn tell_progress(&self, live: &Live, step: Detail) -> Result<(), Failure> {
        let Some(change) = live.state.change.clone() else { return Ok(()) };
        let progress = ChangeProgress {
            cluster: self.cluster.clone(),
            namespace: live.namespace.clone(),
            name: live.name.clone(),
            uid: live.uid.clone(),
            change,
            updated: live.status.updated,
            available: live.status.available,
            wanted: live.replicas,
            soaking_until: step.soaking_until,
            checking: step.checking,
        };
        let subject = subject::progress(&self.cluster, &live.namespace, &live.name)?;
        publish(&self.context, subject, &progress).await?;
        Ok(())
    }

    /// Publishes however often it takes, until told to stop.
    pub async fn tell_surely(
        &self,
        about: &Subject<'_>,
        phase: Phase,
        message: &str,
        stop: &CancellationToken,
    ) {
        let mut pause = PAUSE.0;
        while let Err(error) = self.tell(about, phase, message).await {
            let (namespace, deployment, change) = (about.namespace, about.name, about.change);
            let error = chain(&error);
            if stop.is_cancelled() {
                tracing::error!(namespace, deployment, %change, %phase, error, "an event is lost: the process ends");
                return;
            }
            tracing::warn!(namespace, deployment, %change, %phase, error, "an event is not published yet");
            tokio::select! { () = tokio::time::sleep(pause) => {}, () = stop.cancelled() => {} }
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Whether it was told that the change was let through; waits for whoever is telling it here.
    pub async fn is_release_told(&self, about: &Subject<'_>) -> Result<bool, Failure> {
        if let Some(told) = self.told.find(about.uid, about.change)
            && *told.lock().await
        {
            return Ok(true);
        }
        let subject = subject::event(&self.cluster, about.namespace, about.name, Phase::Released)?;
        let last = self.last_message(stream::EVENTS, &subject).await?;
        let last = last.and_then(|message| envelope::open::<ChangeEvent>(&message).ok());
        Ok(last.is_some_and(|event| event.change == *about.change))
    }

    /// The change that was queued last on a subject of the queue.
    pub async fn last_queued(&self, subject: &str) -> Result<Option<ChangeId>, Failure> {
        let last = self.last_message(stream::CHANGES, subject).await?;
        Ok(last
            .and_then(|message| envelope::open::<contract::Change>(&message).ok())
            .map(|change| change.change))
    }

    /// What the newest message on a subject of a stream says.
    pub(crate) async fn last_message(
        &self,
        stream: &'static str,
        subject: &str,
    ) -> Result<Option<bytes::Bytes>, Failure> {
        let Ok(stream) = self.context.get_stream_no_info(stream).await else { return Ok(None) };
        match within(stream.get_last_raw_message_by_subject(subject)).await? {
            Ok(message) => Ok(Some(message.payload)),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// As many obstacles as a message names.
fn bounded(obstacles: &[Obstacle]) -> Vec<Obstacle> {
    obstacles.iter().take(MAX_OBSTACLES).cloned().collect()
}

/// That a change waits, as a Kubernetes Event.
fn held(about: &Subject<'_>) -> Note {
    Note::of(about, EventReason::Held, &waits(about.change), 0)
}

fn waits(change: &ChangeId) -> String {
    format!("change {change} is held until its turn comes")
}

/// A request to NATS, within the limit; while disconnected the client would wait without one.
async fn within<T>(request: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::time::timeout(LOOK_UP, request).await.map_err(|_| Failure::Publish(ops::publish::Error::Timeout))
}
