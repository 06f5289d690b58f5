//! The status of policies and freezes: what Roadstead makes of them, how many changes wait for them, why their queue is
//! paused. Every executor looks, and writes what has differed for a while: whoever is first has done it for all, and the
//! others see so in their watch. Also takes a pause away where somebody says so.

mod conditions;
mod pause;
mod reports;
mod write;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use contract::PolicyRef;
use k8s_openapi::jiff::Timestamp;
use ops::{BoxError, chain, policies::Policies};
use policy::resource::Paused;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

pub use self::reports::{Reports, Waiting};
use self::{conditions::Seen, write::Status};
pub(crate) use self::{conditions::command, pause::pause};
use crate::{deployments::Deployments, event::Events};

/// How often it is looked what differs.
const TICK: Duration = Duration::from_secs(1);

/// How long something differs before it is written, at least and at most: executors that see the same do not write the
/// same.
const DIFFERS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(3));

/// Pause between two writes of one object, so that what goes up and down all the time is no load.
const PACE: Duration = Duration::from_secs(5);

/// Writes in a tick at most: a cluster full of policies is no storm when an executor starts.
const MOST: usize = 20;

/// Writes the status of policies and freezes.
pub struct Reporter {
    /// What they are.
    pub policies: Policies,
    /// Where it is written, and who is told.
    pub deployments: Deployments,
    /// What is seen of them.
    pub reports: Reports,
    /// How many changes wait for each.
    pub waiting: Waiting,
    /// Where it is told that a queue goes on.
    pub events: Events,
}

/// The state of the loop.
#[derive(Default)]
struct Due {
    /// When what differs is written.
    at: HashMap<PolicyRef, Instant>,
    /// Until when an object is left alone.
    rests: HashMap<PolicyRef, Instant>,
}

impl Reporter {
    /// Writes until told to stop.
    pub async fn run(self, stop: CancellationToken) -> Result<(), BoxError> {
        let mut due = Due::default();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = stop.cancelled() => return Ok(()),
            }
            tokio::select! {
                () = self.resume() => {}
                () = stop.cancelled() => return Ok(()),
            }
            let differing = self.differing(Timestamp::now());
            for (reference, status) in due.now(differing, Instant::now()) {
                let client = self.deployments.client();
                let written = tokio::select! {
                    written = write::status(client, &reference, &status) => written,
                    () = stop.cancelled() => return Ok(()),
                };
                if let Err(failure) = written {
                    tracing::debug!(policy = %reference, error = chain(&failure), "its status is not written yet");
                }
            }
        }
    }

    /// Every object whose status is not what it ought to be.
    fn differing(&self, now: Timestamp) -> BTreeMap<PolicyRef, Status> {
        let (set, waiting) = (self.policies.load(), (self.waiting)());
        let mut differing = BTreeMap::new();
        for policy in set.policies() {
            let reference = &policy.reference;
            let seen = Seen {
                waiting: waiting.as_ref().map(|waiting| count(waiting, reference)),
                in_flight: self.reports.of(reference),
                failure: self.reports.failure(reference, now),
            };
            let status = conditions::policy(policy, &seen, now);
            if status != policy.status {
                differing.insert(reference.clone(), Status::Policy(Box::new(status)));
            }
        }
        for frost in set.freezes() {
            let waits = waiting.as_ref().map(|waiting| count(waiting, &frost.reference));
            let status = conditions::freeze(frost, waits, now);
            if status != frost.status {
                differing.insert(frost.reference.clone(), Status::Freeze(status));
            }
        }
        differing
    }

    /// Lets queues go on whose pause somebody took back.
    async fn resume(&self) {
        let set = self.policies.load();
        for policy in set.policies() {
            let Some(paused) = &policy.paused else { continue };
            if policy.resume.as_deref() != Some(paused.change.as_str()) {
                continue;
            }
            match pause::resume(self.deployments.client(), &policy.reference, &paused.change).await {
                Ok(true) => {
                    tracing::info!(policy = %policy.reference, change = %paused.change, "its queue goes on");
                    self.tell(&policy.reference, paused).await;
                }
                Ok(false) => {}
                Err(failure) => {
                    let error = chain(&failure);
                    tracing::warn!(policy = %policy.reference, error, "its queue cannot go on yet; trying again");
                }
            }
        }
    }
}

impl Reporter {
    /// Tells on the Deployment that the queue goes on; one that is gone needs no word.
    async fn tell(&self, policy: &PolicyRef, paused: &Paused) {
        match self.deployments.get(&paused.namespace, &paused.deployment).await {
            Ok(live) => live.iter().for_each(|live| self.events.resumed(live, &paused.change, policy)),
            Err(failure) => {
                tracing::debug!(%policy, error = chain(&failure), "the policy's status alone says so");
            }
        }
    }
}

fn count(waiting: &HashMap<PolicyRef, usize>, of: &PolicyRef) -> i64 {
    i64::try_from(waiting.get(of).copied().unwrap_or_default()).unwrap_or(i64::MAX)
}

impl Due {
    /// What is written now of all that differs, the longest overdue first.
    fn now(&mut self, differing: BTreeMap<PolicyRef, Status>, now: Instant) -> Vec<(PolicyRef, Status)> {
        self.at.retain(|reference, _| differing.contains_key(reference));
        self.rests.retain(|_, until| *until > now);
        let (least, most) = DIFFERS;
        let mut due = Vec::new();
        for (reference, status) in differing {
            let jitter = most.saturating_sub(least).mul_f64(fastrand::f64());
            let at = *self.at.entry(reference.clone()).or_insert(now + least + jitter);
            if at <= now && !self.rests.contains_key(&reference) {
                due.push((at, reference, status));
            }
        }
        due.sort_by_key(|(at, ..)| *at);
        due.truncate(MOST);
        for (_, reference, _) in &due {
            self.at.remove(reference);
            self.rests.insert(reference.clone(), now + PACE);
        }
        due.into_iter().map(|(_, reference, status)| (reference, status)).collect()
    }
}

#[cfg(test)]
mod tests {
    use contract::PolicyKind;
    use policy::resource::FreezeStatus;

    use super::*;

    fn differing(names: std::ops::Range<usize>) -> BTreeMap<PolicyRef, Status> {
        let of = |number: usize| {
            let kind = PolicyKind::ClusterFreeze;
            let reference = PolicyRef { kind, namespace: None, name: number.to_string() };
            (reference, Status::Freeze(FreezeStatus::default()))
        };
        names.map(of).collect()
    }

    #[test]
    fn what_differs_for_a_moment_only_is_not_written() {
        let (mut due, now) = (Due::default(), Instant::now());
        assert_eq!(due.now(differing(0..1), now), []);
        assert_eq!(due.now(differing(0..0), now + DIFFERS.1), [], "somebody else wrote it");
        assert_eq!(due.now(differing(0..1), now + DIFFERS.1), []);
        assert_eq!(due.now(differing(0..1), now + DIFFERS.1 * 2).len(), 1);
        assert_eq!(due.now(differing(0..1), now + DIFFERS.1 * 2), [], "the watch is late");
        assert_eq!(due.now(differing(0..1), now + DIFFERS.1 * 2 + PACE).len(), 1);
    }

    #[test]
    fn a_thousand_policies_are_written_few_at_a_time_and_none_is_forgotten() {
        let (mut due, now) = (Due::default(), Instant::now());
        due.now(differing(0..1_000), now);
        let (mut left, mut ticks) = (differing(0..1_000), 0);
        while !left.is_empty() {
            let written = due.now(left.clone(), now + DIFFERS.1 + TICK * ticks);
            assert!((1..=MOST).contains(&written.len()), "{} at tick {ticks}", written.len());
            for (reference, _) in written {
                left.remove(&reference);
            }
            ticks += 1;
        }
        assert_eq!(ticks, 50);
    }
}
