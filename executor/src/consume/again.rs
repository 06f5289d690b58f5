//! A change that could not be let through: it is tried again by its own message after a short pause, by a second look
//! after a long one, or is given up. A second look is a message that NATS delivers when its time has come; its change's
//! own message is settled, so that nothing is kept in hand meanwhile.

use std::{num::NonZeroU32, time::Duration};

use contract::{Obstacle, Phase, Pointer, Wake, envelope::open, stream::WAKE, wake::MAX_OBSTACLES};
use ops::{chain, publish};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Worker, dead::Burial, task::Task};
use crate::{
    error::{Failure, Remedy},
    event::{Setback, Subject},
    outcome::{Outcome, Reason},
};

/// Longest time to write down what is to come. With the work and the settling it stays below the ack wait.
const LIMIT: Duration = Duration::from_secs(8);

/// Longest pause of a message for which no second look could be scheduled.
const WITHOUT: Duration = Duration::from_secs(30);

/// What is known of a change that is looked at again.
pub(super) struct Looked {
    /// How often it was tried, this time included.
    pub(super) tries: u32,
    /// How often it was refused.
    pub(super) refusals: u32,
    /// The rules that let it wait when it was looked at before.
    pub(super) obstacles: Vec<Obstacle>,
}

impl Worker {
    /// What becomes of a change that could not be let through.
    pub(super) async fn failed(&self, task: &Task, failure: &Failure) -> Outcome {
        let Remedy::Retry(reason) = failure.remedy() else { return failure.outcome(task.tries.into()) };
        let refusals = task.refusals.saturating_add(u32::from(reason.counts()));
        let pause = failure.pause(reason, if reason.counts() { refusals } else { task.tries }.into());
        if !reason.wakes(pause) {
            return Outcome::Retry(pause, reason);
        }
        let later = async {
            let attempts = if reason.counts() { self.attempts(&task.pointer).await? } else { self.attempts };
            if reason.counts() && refusals >= attempts.get() {
                match self.give_up(task, refusals, failure).await {
                    Ok(Burial::Done) => return Ok(Outcome::Done),
                    Ok(Burial::Changed) => return Ok(Reason::Conflict.retry(1)),
                    // Whoever refuses the release may refuse the label, too. What is not NATS' fault is tried again.
                    Err(other) if other.remedy() == Remedy::Retry(Reason::Nats) => return Err(other),
                    Err(other) => tracing::warn!(
                        namespace = task.pointer.namespace,
                        deployment = task.pointer.name,
                        error = chain(&other),
                        "a change is given up, but its label is not written yet"
                    ),
                }
            }
            self.put_off(task, refusals, (reason, pause), failure, attempts).await
        };
        match tokio::time::timeout(LIMIT, later).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(other)) => without_second_look(task, &chain(&other), pause, reason),
            Err(elapsed) => without_second_look(task, &elapsed.to_string(), pause, reason),
        }
    }

    /// Schedules a second look, and tells of it where somebody has to see to something.
    async fn put_off(
        &self,
        task: &Task,
        refusals: u32,
        (reason, pause): (Reason, Duration),
        failure: &Failure,
        attempts: NonZeroU32,
    ) -> Result<Outcome, Failure> {
        let error = failure.text();
        let at = OffsetDateTime::now_utc() + pause;
        let looked = self.schedule(task, refusals, error.clone(), &[], at).await?;
        if reason.needs_somebody() {
            let Looked { tries, refusals, .. } = looked;
            let budget = if reason.counts() {
                format!(" (refused {refusals} of {attempts} times)")
            } else {
                String::new()
            };
            let at = to_the_second(at)?;
            let message = format!("not let through yet{budget}, tried again at {at}: {error}");
            let setback = Setback { tries, error, next_try: Some(at) };
            let about = Subject::from(&task.pointer);
            if let Err(failure) = self.events.tell_setback(&about, Phase::Held, &message, setback).await {
                tracing::debug!(error = chain(&failure), "a retry is not told of");
            }
        }
        Ok(Outcome::Wakes(pause, reason))
    }

    /// Schedules a second look. What is known of an earlier one stays known.
    pub(super) async fn schedule(
        &self,
        task: &Task,
        refusals: u32,
        last_error: String,
        obstacles: &[Obstacle],
        at: OffsetDateTime,
    ) -> Result<Looked, Failure> {
        let address = task.address(&self.cluster);
        let (subject, target) = (address.schedule()?, address.wake()?);
        let mut looked = Looked { tries: task.tries, refusals, obstacles: task.obstacles.clone() };
        let pending = self.events.last_message(WAKE, &subject).await?;
        if let Some(pending) = pending.and_then(|message| open::<Wake>(&message).ok()) {
            if pending.pointer.is_same_attempt(&task.pointer) {
                // The queue delivered it once more meanwhile.
                looked.tries = looked.tries.max(pending.tries.saturating_add(1));
                looked.refusals = looked.refusals.max(pending.refusals);
                looked.obstacles = pending.obstacles;
            } else if pending.pointer.change != task.pointer.change {
                self.displaced(&pending, task).await?;
            }
        }
        let wake = Wake {
            cluster: self.cluster.clone(),
            pointer: task.pointer.clone(),
            tries: looked.tries,
            refusals: looked.refusals,
            last_error,
            obstacles: obstacles.iter().take(MAX_OBSTACLES).cloned().collect(),
            sequence: task.sequence,
            published: task.published,
        };
        publish::schedule(self.events.context(), subject, &target, at, &wake).await?;
        Ok(looked)
    }

    /// Refusals after which a change is given up: the fewest that a policy of its Deployment says, else as the executor
    /// was told.
    async fn attempts(&self, pointer: &Pointer) -> Result<NonZeroU32, Failure> {
        let judge = &self.releaser.judge;
        if judge.policies.load().policies().all(|policy| policy.attempts.is_none()) {
            return Ok(self.attempts);
        }
        let live = self.releaser.deployments.get(&pointer.namespace, &pointer.name).await?;
        let said = live.and_then(|live| judge.selected(&live).attempts());
        Ok(said.and_then(NonZeroU32::new).unwrap_or(self.attempts))
    }

    /// The second look of an older change is displaced by that of the one that took its place: nobody else would tell
    /// of its end.
    async fn displaced(&self, older: &Wake, newer: &Task) -> Result<(), Failure> {
        let about = Subject::from(&older.pointer);
        if self.events.is_release_told(&about).await? {
            return Ok(());
        }
        let message = format!("change {} took its place", newer.pointer.change);
        self.events.tell(&about, Phase::Superseded, &message).await
    }
}

/// A time for people.
pub(super) fn to_the_second(at: OffsetDateTime) -> Result<String, Failure> {
    let at = at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339);
    Ok(at.map_err(publish::Error::from)?)
}

fn without_second_look(task: &Task, error: &str, pause: Duration, reason: Reason) -> Outcome {
    let (namespace, deployment) = (&task.pointer.namespace, &task.pointer.name);
    tracing::debug!(namespace, deployment, error, "no second look could be scheduled");
    Outcome::Retry(pause.min(WITHOUT), reason)
}
