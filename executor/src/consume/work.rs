//! The work on one message: from what it says to what becomes of it.

use std::{num::NonZeroU32, time::Duration};

use contract::{Override, Phase, Pointer};
use ops::chain;

use super::{delivery::Delivery, task::Task};
use crate::{
    error::{Failure, Remedy},
    event::{Events, Subject},
    live::Live,
    metrics::Metrics,
    outcome::{Outcome, Reason},
    release::{Released, Releaser, Turn},
    verify::Stale,
};

/// Longest work on one message. With settling it stays below the ack wait, and below the time that a process has
/// to end.
const LIMIT: Duration = Duration::from_secs(10);

/// Works on messages.
#[derive(Clone)]
pub struct Worker {
    /// Lets changes through.
    pub releaser: Releaser,
    /// Tells of it.
    pub events: Events,
    /// Name of this cluster.
    pub cluster: String,
    /// Counters.
    pub metrics: Metrics,
    /// How often a change may be refused before it is given up.
    pub attempts: NonZeroU32,
}

impl Worker {
    /// Works on a message; `granted` is called when its change has a slot.
    pub(super) async fn work(&self, delivery: &Delivery, granted: impl Fn() + Send + Sync) -> Outcome {
        let task = match delivery.task(&self.cluster) {
            Ok(task) => task,
            Err(failure) => return failure.outcome(delivery.delivered),
        };
        self.metrics.received(task.pointer.lane);
        let work = tokio::time::timeout(LIMIT, self.decide(&task, delivery, granted)).await;
        let failure = match work {
            Ok(Ok(outcome)) => return outcome,
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Overrun(LIMIT),
        };
        tell_of(&task.pointer, &failure, task.tries);
        self.failed(&task, &failure).await
    }

    async fn decide(
        &self,
        task: &Task,
        delivery: &Delivery,
        granted: impl Fn() + Send + Sync,
    ) -> Result<Outcome, Failure> {
        let pointer = &task.pointer;
        let about = Subject::from(pointer);
        self.events.seen(&about);
        match self.releaser.turn(pointer, granted).await? {
            Turn::Released(released) => {
                self.tell_release(&released, "let through").await?;
            }
            Turn::Spent | Turn::Ended if delivery.delivered == 1 => {}
            Turn::Spent => self.recall_death(task).await?,
            // A process that died after the release may not have told of it.
            Turn::InFlight | Turn::Ended => {
                if !self.events.is_release_told(&about).await? {
                    self.events.tell(&about, Phase::Released, "let through").await?;
                }
            }
            Turn::Stale(stale, released) => {
                let was_released =
                    released.as_ref() == Some(&pointer.digest) || self.events.is_release_told(&about).await?;
                if !was_released {
                    self.tell_stale(&about, &stale, task).await?;
                }
            }
            Turn::Waits(ruling) => return self.waits(task, &ruling).await,
            Turn::Later(reason) => return Ok(reason.retry(task.tries.into())),
        }
        Ok(Outcome::Done)
    }

    /// Lets the change of a Deployment through that took the place of one in flight: it inherits the slot, so it has
    /// nothing to queue for, and the old rollout stands half-way until then. Its message will find it done. What
    /// fails here is done when the message's turn comes.
    pub async fn inherit(&self, live: &Live) {
        let Some(pointer) = self.releaser.held(live) else { return };
        match tokio::time::timeout(LIMIT, self.releaser.turn(&pointer, || ())).await {
            Ok(Ok(Turn::Released(released))) => {
                let how = "let through in the slot of the change that it replaces";
                if let Err(failure) = self.tell_release(&released, how).await {
                    tracing::debug!(error = chain(&failure), "the change's message will tell of its release");
                }
            }
            Ok(Ok(_)) => {}
            Ok(Err(failure)) => tell_of(&pointer, &failure, 1),
            Err(_) => tracing::debug!(deployment = pointer.name, "inheriting a slot took too long"),
        }
    }

    /// Counts a release and tells of it: `how` it came to it, but for one that somebody ordered.
    pub(super) async fn tell_release(&self, released: &Released, how: &str) -> Result<(), Failure> {
        self.metrics.released();
        let Released { live, ruling } = released;
        let Some(about) = Subject::of(live) else { return Ok(()) };
        let order = live.state.r#override.as_ref();
        let how = match order {
            Some(Override { by, reason, .. }) => {
                format!("let through past every rule by {by}, who says: {reason}")
            }
            None => how.to_owned(),
        };
        self.events.tell_release(&about, &format!("{how}; the rollout begins"), ruling, order).await
    }

    async fn tell_stale(&self, about: &Subject<'_>, stale: &Stale, task: &Task) -> Result<(), Failure> {
        let superseded = |by: &contract::ChangeId| (Phase::Superseded, format!("change {by} took its place"));
        let (phase, message) = match stale {
            Stale::Gone => (Phase::Cancelled, "the Deployment is gone".to_owned()),
            Stale::Superseded(by) => superseded(by),
            // What took its place was queued as well, or it was a way back, which never is.
            Stale::Overtaken(Some(by)) => {
                let queue = task.address(&self.cluster).encode()?;
                match self.events.last_queued(&queue).await?.filter(|queued| queued == by) {
                    Some(by) => superseded(&by),
                    None => (
                        Phase::Cancelled,
                        "the Deployment went back to a template let through before".to_owned(),
                    ),
                }
            }
            Stale::Overtaken(None) => {
                (Phase::Cancelled, "the Deployment carries no change any more".to_owned())
            }
        };
        self.events.tell(about, phase, &message).await
    }
}

/// What a person may have to see to is a warning; what heals by itself is not, at first.
fn tell_of(pointer: &Pointer, failure: &Failure, tries: u32) {
    let (namespace, deployment) = (&pointer.namespace, &pointer.name);
    let error = chain(failure);
    match failure.remedy() {
        Remedy::Retry(Reason::Forbidden) => tracing::warn!(
            namespace,
            deployment,
            error,
            "the executor may not let a change through; check its Role and RoleBinding"
        ),
        Remedy::GiveUp => {}
        _ if tries > 3 => tracing::warn!(namespace, deployment, tries, error, "a change waits for a retry"),
        _ => tracing::debug!(namespace, deployment, tries, error, "a change waits for a retry"),
    }
}
