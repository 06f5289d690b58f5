//! The work on one message: from what it says to what becomes of it.

use std::time::Duration;

use contract::{Phase, Pointer};
use ops::chain;

use super::delivery::Delivery;
use crate::{
    error::{Failure, Remedy},
    event::{EventReason, Events, Subject},
    live::Live,
    metrics::Metrics,
    outcome::{Outcome, Reason},
    release::{Releaser, Turn},
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
}

impl Worker {
    /// Works on a message; `granted` is called when its change has a slot.
    pub(super) async fn work(&self, delivery: &Delivery, granted: impl Fn() + Send + Sync) -> Outcome {
        let delivered = delivery.delivered;
        let worked = match delivery.change(&self.cluster) {
            Ok(change) => {
                self.metrics.received(change.lane);
                let pointer = Pointer::from(&change);
                let work = tokio::time::timeout(LIMIT, self.decide(&pointer, delivery, granted));
                let outcome = work.await.unwrap_or_else(|_| Ok(Reason::Overrun.retry(delivered)));
                outcome.map_err(|failure| (Some(pointer), failure))
            }
            Err(failure) => Err((None, failure)),
        };
        worked.unwrap_or_else(|(pointer, failure)| {
            tell_of(pointer.as_ref(), &failure, delivered);
            if let Some(pointer) = &pointer {
                self.tell_of_retry(pointer, &failure, delivered);
            }
            failure.outcome(delivered)
        })
    }

    /// What somebody has to remove is told of on the Deployment, too.
    fn tell_of_retry(&self, pointer: &Pointer, failure: &Failure, delivered: u64) {
        if let Remedy::Retry(Reason::Forbidden | Reason::Refused) = failure.remedy() {
            let message = format!("not let through yet, tried again: {}", chain(failure));
            let tries = u32::try_from(delivered).unwrap_or(u32::MAX);
            self.events.note(&Subject::from(pointer), EventReason::Retrying, &message, tries);
        }
    }

    async fn decide(
        &self,
        pointer: &Pointer,
        delivery: &Delivery,
        granted: impl Fn() + Send + Sync,
    ) -> Result<Outcome, Failure> {
        let about = Subject::from(pointer);
        self.events.seen(&about);
        match self.releaser.turn(pointer, granted).await? {
            Turn::Released(live) => {
                self.metrics.released();
                let about = Subject::of(&live).unwrap_or(about);
                self.events.tell(&about, Phase::Released, "let through; the rollout begins").await?;
            }
            Turn::Spent => {}
            Turn::Ended if delivery.delivered == 1 => {}
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
                    self.tell_stale(&about, &stale, delivery).await?;
                }
            }
            Turn::Later(reason) => return Ok(reason.retry(delivery.delivered)),
        }
        Ok(Outcome::Done)
    }

    /// Lets the change of a Deployment through that took the place of one in flight: it inherits the slot, so it has
    /// nothing to queue for, and the old rollout stands half-way until then. Its message will find it done. What
    /// fails here is done when the message's turn comes.
    pub async fn inherit(&self, live: &Live) {
        let Some(pointer) = self.releaser.held(live) else { return };
        match tokio::time::timeout(LIMIT, self.releaser.turn(&pointer, || ())).await {
            Ok(Ok(Turn::Released(live))) => {
                self.metrics.released();
                let Some(about) = Subject::of(&live) else { return };
                let message = "let through in the slot of the change that it replaces; the rollout begins";
                if let Err(failure) = self.events.tell(&about, Phase::Released, message).await {
                    tracing::debug!(error = chain(&failure), "the change's message will tell of its release");
                }
            }
            Ok(Ok(_)) => {}
            Ok(Err(failure)) => tell_of(Some(&pointer), &failure, 1),
            Err(_) => tracing::debug!(deployment = pointer.name, "inheriting a slot took too long"),
        }
    }

    async fn tell_stale(
        &self,
        about: &Subject<'_>,
        stale: &Stale,
        delivery: &Delivery,
    ) -> Result<(), Failure> {
        let superseded = |by: &contract::ChangeId| (Phase::Superseded, format!("change {by} took its place"));
        let (phase, message) = match stale {
            Stale::Gone => (Phase::Cancelled, "the Deployment is gone".to_owned()),
            Stale::Superseded(by) => superseded(by),
            // What took its place was queued as well, or it was a way back, which never is.
            Stale::Overtaken(Some(by)) => {
                match self.events.last_queued(delivery.subject()).await?.filter(|queued| queued == by) {
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
fn tell_of(pointer: Option<&Pointer>, failure: &Failure, delivered: u64) {
    let (namespace, deployment) = pointer.map_or(("", ""), |pointer| (&pointer.namespace, &pointer.name));
    let error = chain(failure);
    match failure.remedy() {
        Remedy::Retry(Reason::Forbidden) => tracing::warn!(
            namespace,
            deployment,
            error,
            "the executor may not let a change through; check its Role and RoleBinding"
        ),
        Remedy::GiveUp => {}
        _ if delivered > 3 => {
            tracing::warn!(namespace, deployment, delivered, error, "a change waits for a retry");
        }
        _ => tracing::debug!(namespace, deployment, delivered, error, "a change waits for a retry"),
    }
}
