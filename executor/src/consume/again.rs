//! A change that could not be let through: it is tried again by its own message after a short pause, by a second look
//! after a long one, or is given up. A second look is a message that NATS delivers when its time has come; its change's
//! own message is settled, so that nothing is kept in hand meanwhile.

use std::time::Duration;

use contract::{Phase, Wake, envelope::open, stream::WAKE};
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
            if reason.counts() && refusals >= self.attempts.get() {
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
            self.put_off(task, refusals, (reason, pause), failure).await
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
    ) -> Result<Outcome, Failure> {
        let address = task.address(&self.cluster);
        let (subject, target) = (address.schedule()?, address.wake()?);
        let (mut tries, mut refusals) = (task.tries, refusals);
        let pending = self.events.last_message(WAKE, &subject).await?;
        if let Some(pending) = pending.and_then(|message| open::<Wake>(&message).ok()) {
            if pending.pointer.is_same_attempt(&task.pointer) {
                // The queue delivered it once more meanwhile: what is known of it stays known.
                tries = tries.max(pending.tries.saturating_add(1));
                refusals = refusals.max(pending.refusals);
            } else if pending.pointer.change != task.pointer.change {
                self.displaced(&pending, task).await?;
            }
        }
        let error = failure.text();
        let at = OffsetDateTime::now_utc() + pause;
        let wake = Wake {
            cluster: self.cluster.clone(),
            pointer: task.pointer.clone(),
            tries,
            refusals,
            last_error: error.clone(),
            sequence: task.sequence,
            published: task.published,
        };
        publish::schedule(self.events.context(), subject, &target, at, &wake).await?;
        if reason.needs_somebody() {
            let budget = if reason.counts() {
                format!(" (refused {refusals} of {} times)", self.attempts)
            } else {
                String::new()
            };
            // The second is enough for people.
            let at = at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339);
            let at = at.map_err(publish::Error::from)?;
            let message = format!("not let through yet{budget}, tried again at {at}: {error}");
            let setback = Setback { tries, error, next_try: Some(at) };
            let about = Subject::from(&task.pointer);
            if let Err(failure) = self.events.tell_setback(&about, Phase::Held, &message, setback).await {
                tracing::debug!(error = chain(&failure), "a retry is not told of");
            }
        }
        Ok(Outcome::Wakes(pause, reason))
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

fn without_second_look(task: &Task, error: &str, pause: Duration, reason: Reason) -> Outcome {
    let (namespace, deployment) = (&task.pointer.namespace, &task.pointer.name);
    tracing::debug!(namespace, deployment, error, "no second look could be scheduled");
    Outcome::Retry(pause.min(WITHOUT), reason)
}
