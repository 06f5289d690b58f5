//! How long a rollout has been complete without a break. What counts is written by the deployment controller into the
//! condition `Progressing`, so that an executor that starts anew knows it too; only of breaks it knows none but its own.

use std::time::Duration;

use super::progress::{COMPLETE, is_complete};
use crate::live::{Live, UnixMillis};

/// What the API server writes of a time: whole seconds, cut.
const SECOND: UnixMillis = 1_000;

/// What was seen here of a rollout's completeness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Steady {
    /// It has been seen complete since, and how many pods served then.
    complete: Option<(UnixMillis, i64)>,
    /// It was complete once, and fewer pods have served since.
    broken: Option<UnixMillis>,
    /// It broke once: the condition speaks of before.
    has_broken: bool,
}

impl Steady {
    /// Takes in how it stands. A Deployment that is scaled up is not complete for a while, but nothing of it breaks.
    pub(super) fn see(&mut self, live: &Live, now: UnixMillis) {
        if !live.is_observed() {
            return;
        }
        if is_complete(live) {
            let since = self.complete.map_or(now, |(since, _)| since);
            self.complete = Some((since, live.replicas));
            self.broken = None;
        } else if let Some((_, served)) = self.complete
            && live.status.available < served.min(live.replicas)
        {
            *self = Self { complete: None, broken: Some(now), has_broken: true };
        }
    }

    /// Since when it is complete, for a rollout that began then; `None`: it is not.
    pub(super) fn since(&self, live: &Live, begun: UnixMillis) -> Option<UnixMillis> {
        let (seen, _) = self.complete?;
        let told = live.status.progressing.as_ref().filter(|(reason, _)| reason == COMPLETE);
        match told {
            Some((_, at)) if !self.has_broken && at + SECOND > begun => Some(seen.min((*at).max(begun))),
            _ => Some(seen),
        }
    }

    /// When it has soaked for long enough; `None`: it is not complete, or soaks no more.
    pub(super) fn soaks_until(
        &self,
        live: &Live,
        begun: UnixMillis,
        soak: Duration,
        now: UnixMillis,
    ) -> Option<UnixMillis> {
        let until = self.until(live, begun, soak)?;
        (until > now).then_some(until)
    }

    /// When it has soaked, or had.
    pub(super) fn until(&self, live: &Live, begun: UnixMillis, soak: Duration) -> Option<UnixMillis> {
        let soak = UnixMillis::try_from(soak.as_millis()).unwrap_or(UnixMillis::MAX);
        // A time that is cut to the second is up to one too early.
        let cut = if soak == 0 { 0 } else { SECOND };
        Some(self.since(live, begun)?.saturating_add(soak).saturating_add(cut))
    }

    /// Why a rollout that was complete has failed: it broke, and did not get whole again within its progress deadline,
    /// which the deployment controller counts no more.
    pub(super) fn failure(&self, live: &Live, now: UnixMillis) -> Option<String> {
        let deadline = live.progress_deadline?;
        let is_over = now.saturating_sub(self.broken?) > deadline && !live.paused;
        is_over.then(|| {
            format!(
                "it was complete, and has not been for longer than the progress deadline: {} of {} pods serve",
                live.status.available, live.replicas
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::live::tests::live;

    const BEGUN: UnixMillis = 1_000_000;
    const SOAK: Duration = Duration::from_mins(1);

    /// Three pods are wanted; the controller said at that second that the rollout is complete.
    fn serving(available: i64, said: Option<&str>) -> Live {
        let condition = said.map(
            |at| json!({"type": "Progressing", "status": "True", "reason": COMPLETE, "lastUpdateTime": at}),
        );
        live(&json!({"status": {"availableReplicas": available, "conditions": [condition]}}))
    }

    fn seen(steady: &mut Steady, live: &Live, at: UnixMillis) -> Option<UnixMillis> {
        steady.see(live, at);
        steady.since(live, BEGUN)
    }

    #[test]
    fn the_condition_counts_where_it_is_of_this_rollout() {
        for (what, said, since) in [
            ("after the release", Some("1970-01-01T00:16:45Z"), 1_005_000),
            ("in the second of the release", Some("1970-01-01T00:16:40Z"), BEGUN),
            ("of an earlier rollout", Some("1970-01-01T00:16:30Z"), 1_070_000),
            ("there is none", None, 1_070_000),
        ] {
            assert_eq!(seen(&mut Steady::default(), &serving(3, said), 1_070_000), Some(since), "{what}");
        }
    }

    #[test]
    fn an_executor_that_starts_anew_goes_on_where_the_other_was() {
        let live = serving(3, Some("1970-01-01T00:16:45Z"));
        let (mut old, mut new) = (Steady::default(), Steady::default());
        old.see(&live, 1_005_100);
        new.see(&live, 1_050_000);
        let until = old.soaks_until(&live, BEGUN, SOAK, 1_050_000);
        assert_eq!(until, Some(1_066_000));
        assert_eq!(new.soaks_until(&live, BEGUN, SOAK, 1_050_000), until);
        assert_eq!(new.soaks_until(&live, BEGUN, SOAK, 1_066_000), None);
    }

    #[test]
    fn a_break_begins_the_soak_anew_and_a_scale_up_does_not() {
        let said = Some("1970-01-01T00:16:45Z");
        let mut steady = Steady::default();
        assert_eq!(seen(&mut steady, &serving(3, said), 1_005_000), Some(1_005_000));
        let mut scaled = serving(3, said);
        (scaled.replicas, scaled.status.replicas, scaled.status.updated) = (5, 5, 5);
        assert_eq!(seen(&mut steady, &scaled, 1_010_000), Some(1_005_000), "two more pods start");
        let mut unobserved = serving(0, said);
        unobserved.generation += 1;
        assert_eq!(seen(&mut steady, &unobserved, 1_011_000), Some(1_005_000), "nobody knows");
        assert_eq!(seen(&mut steady, &serving(2, said), 1_020_000), None);
        assert_eq!(seen(&mut steady, &serving(3, said), 1_030_000), Some(1_030_000));
    }

    #[test]
    fn broken_for_longer_than_the_deadline_it_has_failed() {
        let mut steady = Steady::default();
        steady.see(&serving(2, None), BEGUN);
        assert_eq!(steady.failure(&serving(2, None), BEGUN + 700_000), None, "it was never complete");
        steady.see(&serving(3, None), BEGUN);
        let broken = serving(2, None);
        steady.see(&broken, BEGUN + 1_000);
        steady.see(&broken, BEGUN + 90_000);
        assert_eq!(steady.failure(&broken, BEGUN + 601_000), None);
        let reason = steady.failure(&broken, BEGUN + 601_001).unwrap();
        assert!(reason.ends_with("2 of 3 pods serve"), "{reason}");
        steady.see(&serving(3, None), BEGUN + 602_000);
        assert_eq!(steady.failure(&serving(3, None), BEGUN + 900_000), None, "it got whole again");
    }
}
