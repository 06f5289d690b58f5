//! A change that a rule of a policy lets wait: its message is settled and a second look scheduled for the moment when
//! the rule ends, or a few minutes later where nobody knows when that is. What ends it earlier brings the change on at
//! once. Nothing was refused, so it costs none of its attempts.

use std::{collections::BTreeSet, time::Duration};

use ::policy::ruling::Ruling;
use contract::{Lane, Obstacle, Pointer, PolicyRef, Rule, wake::MAX_OBSTACLES};
use ops::chain;
use time::OffsetDateTime;

use super::{
    Worker,
    again::{Looked, to_the_second},
    task::Task,
};
use crate::{
    error::Failure,
    event::Subject,
    live::{UnixMillis, now},
    outcome::{Outcome, Reason},
    queue::{Queued, Trouble},
};

/// Least pause before the next look: clocks differ, and a rule that has just ended by one may not have by another.
const LEAST: Duration = Duration::from_secs(1);

/// Second looks for one moment are spread: so much later in each lane, so that the more urgent is first, and up to so
/// much by chance.
const SPREAD: Duration = Duration::from_millis(300);

impl Worker {
    /// What becomes of it. It is told of once for each set of rules.
    pub(super) async fn waits(&self, task: &Task, ruling: &Ruling) -> Result<Outcome, Failure> {
        let pause = pause(ruling.until(), task.pointer.lane, now());
        let at = OffsetDateTime::now_utc() + pause;
        let obstacles = &ruling.obstacles;
        let error = obstacles.first().map(|obstacle| obstacle.message.clone()).unwrap_or_default();
        let Looked { tries, obstacles: known, .. } =
            self.schedule(task, task.refusals, error, obstacles, at).await?;
        if rules(&known) != rules(obstacles) {
            let about = Subject::from(&task.pointer);
            if let Err(failure) = self.events.tell_rules(&about, obstacles, to_the_second(at)?, tries).await {
                tracing::debug!(error = chain(&failure), "it is not told for which rule a change waits");
            }
        }
        Ok(Outcome::Wakes(pause, Reason::Policy))
    }

    /// A change that waits for a rule was looked at before its second look came, and waits on: that is moved where
    /// something is not as it was.
    pub(super) async fn waits_on(
        &self,
        pointer: Pointer,
        message: &Queued,
        known: &Trouble,
        ruling: &Ruling,
    ) -> Result<(), Failure> {
        if says_the_same(known, ruling, now()) {
            return Ok(());
        }
        let task = Task {
            pointer,
            tries: known.tries.saturating_add(1),
            // Those that were counted are known by its second look.
            refusals: 0,
            obstacles: vec![],
            sequence: message.sequence,
            published: message.published.saturating_mul(1_000_000),
        };
        self.waits(&task, ruling).await?;
        Ok(())
    }
}

/// Whether a second look to come is as the rules want it.
fn says_the_same(known: &Trouble, ruling: &Ruling, now: UnixMillis) -> bool {
    let named = ruling.obstacles.iter().take(MAX_OBSTACLES);
    let same = named.map(|obstacle| (&obstacle.policy, obstacle.rule));
    let Some(next_try) = known.next_try.filter(|next_try| *next_try > now) else { return false };
    let in_time = ruling.until().is_none_or(|until| (until..until + 2_000).contains(&next_try));
    in_time
        && same.eq(known.rules.iter().map(|(policy, rule)| (policy, *rule)))
        && ruling.obstacles.first().is_some_and(|first| first.message == known.last_error)
}

/// Never before the end of the rules.
fn pause(until: Option<UnixMillis>, lane: Lane, now: UnixMillis) -> Duration {
    let Some(until) = until else { return Reason::Policy.pause(1) };
    let left = Duration::from_millis(u64::try_from(until.saturating_sub(now)).unwrap_or_default());
    let later = match lane {
        Lane::Urgent => 0,
        Lane::Normal => 1,
        Lane::Bulk => 2,
    };
    left.max(LEAST) + SPREAD * later + SPREAD.mul_f64(fastrand::f64())
}

/// The rules that are told of, in any order: as many as a message names.
fn rules(obstacles: &[Obstacle]) -> BTreeSet<(&PolicyRef, Rule)> {
    let named = obstacles.iter().take(MAX_OBSTACLES);
    named.map(|obstacle| (&obstacle.policy, obstacle.rule)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_look_is_never_early_and_the_urgent_lane_is_first() {
        for _ in 0..100 {
            let [urgent, normal, bulk] = Lane::ALL.map(|lane| pause(Some(61_000), lane, 1_000));
            assert!(Duration::from_mins(1) <= urgent && urgent <= normal && normal <= bulk);
            assert!(bulk <= Duration::from_secs(61));
            assert!(pause(Some(500), Lane::Urgent, 1_000) >= LEAST);
            let open = pause(None, Lane::Urgent, 1_000);
            assert!((Duration::from_mins(4)..=Duration::from_mins(6)).contains(&open), "{open:?}");
        }
    }
}
