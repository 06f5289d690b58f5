//! How fast one step follows another: at once, but slower after failures, and where the same is done over and over
//! because somebody else undoes it.

use std::time::Duration;

use ops::{chain, readiness::Handle};
use prometheus_client::metrics::counter::Counter;
use tokio::time::Instant;

/// Pause after a failure; it doubles up to the other.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Least time between two equal steps.
const BETWEEN: Duration = Duration::from_millis(300);

/// So often in a row somebody else may have been faster; then it is something else.
const CONFLICTS: u32 = 3;

/// What happened last.
#[derive(Debug)]
pub(crate) struct Pace<S> {
    failures: u32,
    last: Option<(S, Instant)>,
}

impl<S> Default for Pace<S> {
    fn default() -> Self {
        Self { failures: 0, last: None }
    }
}

impl<S: Copy + PartialEq> Pace<S> {
    /// A step was done; for how long to wait.
    pub(crate) fn done(&mut self, step: S) -> Duration {
        self.failures = 0;
        let last = self.last.replace((step, Instant::now()));
        let again = last.is_some_and(|(last, at)| last == step && at.elapsed() < BETWEEN);
        if again { BETWEEN } else { Duration::ZERO }
    }

    /// There was nothing to do.
    pub(crate) fn calm(&mut self) {
        self.failures = 0;
    }

    /// Tells of a step that failed, why the process is not ready yet, and answers for how long to wait. `is_conflict`:
    /// somebody else was faster, which is no failure unless it goes on.
    pub(crate) fn tell(
        &mut self,
        error: &(dyn std::error::Error + 'static),
        is_conflict: bool,
        ready: Option<&Handle>,
        failures: &Counter,
    ) -> Duration {
        if let Some(ready) = ready {
            ready.because(chain(error));
        }
        let (pause, in_a_row) = self.failed();
        if is_conflict && in_a_row <= CONFLICTS {
            tracing::debug!(error = chain(error), "somebody else was faster");
        } else {
            failures.inc();
            let retry_in_ms = pause.as_millis();
            tracing::warn!(error = chain(error), retry_in_ms, "a step failed");
        }
        pause
    }

    /// A step failed; for how long to wait, and how many have failed in a row.
    fn failed(&mut self) -> (Duration, u32) {
        let pause = FIRST_PAUSE * 2_u32.saturating_pow(self.failures.min(20));
        self.failures += 1;
        (pause.min(LONGEST_PAUSE), self.failures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_step_that_is_done_over_and_over_is_slowed_down_and_others_are_not() {
        let mut pace = Pace::default();
        assert_eq!(pace.done("publish"), Duration::ZERO);
        assert_eq!(pace.done("promote"), Duration::ZERO);
        assert_eq!(pace.done("publish"), Duration::ZERO);
        pace.calm();
        assert_eq!(pace.done("publish"), BETWEEN);
        tokio::time::advance(BETWEEN).await;
        assert_eq!(pace.done("publish"), Duration::ZERO);
    }

    #[test]
    fn pauses_grow_up_to_a_limit_and_begin_anew_after_a_success() {
        let mut pace = Pace::<&str>::default();
        let pauses: Vec<_> = (0..40).map(|_| pace.failed()).collect();
        assert_eq!(pauses[0], (FIRST_PAUSE, 1));
        assert_eq!(pauses[1], (FIRST_PAUSE * 2, 2));
        assert_eq!(pauses[39], (LONGEST_PAUSE, 40));
        pace.calm();
        assert_eq!(pace.failed(), (FIRST_PAUSE, 1));
    }
}
