//! From a held Deployment to its message. The object is read anew, so that what is published is what is stored;
//! the last message on the subject is compared first, so that several replicas and restarts do not multiply the
//! history.

use std::{sync::Arc, time::Duration};

use async_nats::{
    header::NATS_MESSAGE_ID,
    jetstream::{self, stream::LastRawMessageErrorKind},
};
use contract::{
    Change, ChangeEvent, Phase,
    envelope::Payload as _,
    subject::{self, ChangeSubject, SubjectError},
};
use kube::Client;
use ops::{BoxError, chain, namespaces::Namespaces, publish::Kept};
use tokio::{sync::watch, time::error::Elapsed};
use tokio_util::sync::CancellationToken;

use super::backlog::{Backlog, Key};
use crate::{
    deployment::{self, ReadError},
    metrics::Metrics,
};

/// How long reading a Deployment may take.
const READ: Duration = Duration::from_secs(5);

/// How long all of it may take; while disconnected the client would wait without a limit.
const LIMIT: Duration = Duration::from_secs(20);

/// Pauses between two tries: doubled from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Publishes held Deployments.
pub struct Publisher {
    pub(super) client: Client,
    pub(super) namespaces: Namespaces,
    pub(super) cluster: String,
    pub(super) context: jetstream::Context,
    pub(super) metrics: Metrics,
}

/// Why a change is not on the queue yet.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot read the Deployment")]
    Read(#[from] ReadError),
    #[error("the Deployment is not readable")]
    Json(#[from] serde_json::Error),
    #[error("the Deployment has a name that fits into no subject")]
    Subject(#[from] SubjectError),
    #[error("cannot look up the last message of the Deployment")]
    Last(#[from] jetstream::stream::LastRawMessageError),
    #[error(transparent)]
    Publish(#[from] ops::publish::Error),
    #[error("the stream calls it a duplicate of a message that it has lost")]
    Forgotten,
    #[error("NATS did not answer in time")]
    Timeout(#[from] Elapsed),
}

/// One worker: takes Deployments from the backlog and publishes them, one after the other, until told to stop.
/// What fails goes back into the backlog after a pause, so nothing piles up here.
pub async fn work(
    publisher: Arc<Publisher>,
    backlog: Arc<Backlog>,
    mut usable: watch::Receiver<bool>,
    stop: CancellationToken,
) -> Result<(), BoxError> {
    let mut pause = PAUSE.0;
    loop {
        let work = async {
            // Ends with an error only when nobody looks at the stream any more, and then the process stops.
            let _ = usable.wait_for(|usable| *usable).await;
            let key = backlog.next().await;
            let done = tokio::time::timeout(LIMIT, publisher.publish(&key)).await;
            (key, done.map_err(Error::from).flatten())
        };
        let (key, done) = tokio::select! { work = work => work, () = stop.cancelled() => return Ok(()) };
        let Err(error) = done else {
            pause = PAUSE.0;
            continue;
        };
        publisher.metrics.publish_failed();
        tracing::warn!(
            namespace = key.0,
            deployment = key.1,
            error = chain(&error),
            retry_in_ms = pause.as_millis(),
            "a held change is not on the queue yet"
        );
        tokio::select! { () = tokio::time::sleep(pause) => {}, () = stop.cancelled() => return Ok(()) }
        pause = (pause * 2).min(PAUSE.1);
        backlog.again(|held| *held == key);
    }
}

impl Publisher {
    async fn publish(&self, (namespace, name): &Key) -> Result<(), Error> {
        let Some(opted_in) = self.namespaces.get(namespace) else { return Ok(()) };
        let text = match deployment::get(&self.client, namespace, name, READ).await {
            Ok(text) => text,
            Err(ReadError::Api(kube::Error::Api(status))) if status.is_not_found() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let lane = |asked: Option<&str>, policies| opted_in.lane(asked, policies);
        let max_payload = self.context.client().server_info().max_payload;
        let deployment = serde_json::from_str(&text)?;
        let Some(change) = Change::of(&self.cluster, deployment, lane, max_payload)? else { return Ok(()) };
        let address = ChangeSubject {
            cluster: change.cluster.clone(),
            lane: change.lane,
            namespace: change.namespace.clone(),
            name: change.name.clone(),
        };
        let subject = address.encode()?;
        if self.is_last(&subject, &change).await? {
            return Ok(());
        }
        // First what is true already: a process that dies in between tells it again, and readers know it by its id.
        self.tell(&change).await?;
        let kept = ops::publish::publish(&self.context, subject.clone(), &change).await?;
        self.metrics.published(kept);
        if kept == Kept::New {
            tracing::info!(namespace, deployment = name, change = %change.change, lane = %change.lane, "queued");
        } else if !self.is_last(&subject, &change).await? {
            // After a purge the server still knows the ids: until it forgets them, the change is not on the queue.
            return Err(Error::Forgotten);
        }
        Ok(())
    }

    /// Whether the newest message on the subject is this one.
    async fn is_last(&self, subject: &str, change: &Change) -> Result<bool, Error> {
        let stream = self.context.get_stream_no_info(contract::stream::CHANGES).await;
        let Ok(stream) = stream else { return Ok(false) };
        match stream.get_last_raw_message_by_subject(subject).await {
            Ok(last) => Ok(last.headers.get(NATS_MESSAGE_ID).is_some_and(|id| id.as_str() == change.id())),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn tell(&self, change: &Change) -> Result<(), Error> {
        let Change { cluster, namespace, name, .. } = change;
        let event = ChangeEvent {
            cluster: cluster.clone(),
            namespace: namespace.clone(),
            name: name.clone(),
            uid: change.uid.clone(),
            change: change.change.clone(),
            phase: Phase::Held,
            message: format!("change {} waits in the {} lane", change.change, change.lane),
            digest: Some(change.digest.clone()),
            lane: Some(change.lane),
            requested_by: change.requested_by.clone(),
            attempt: change.attempt,
            attempts: None,
            error: None,
            next_try: None,
            obstacles: vec![],
            observed: vec![],
            r#override: None,
        };
        let subject = subject::event(cluster, namespace, name, Phase::Held)?;
        ops::publish::publish(&self.context, subject, &event).await?;
        Ok(())
    }
}
