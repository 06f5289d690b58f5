//! What is to become of a message: settled, put back for later, or given up; and why it comes again, with the pauses
//! that go with each reason.

use std::time::Duration;

/// From this long a pause on, a second look is scheduled and the message is settled. Shorter pauses are left to the
/// consumer, which counts.
const LONG: Duration = Duration::from_secs(5);

/// What is to become of a message.
#[derive(Debug)]
pub enum Outcome {
    /// It has served its purpose.
    Done,
    /// It comes again after a pause.
    Retry(Duration, Reason),
    /// It has served its purpose: a second look comes after that long.
    Wakes(Duration, Reason),
    /// It is given up, for this reason.
    Dead(String),
}

/// Why a message comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Another executor took the slot.
    NoSlot,
    /// Another namespace's change was let through in its place.
    NotItsTurn,
    /// The namespace is about to be swept.
    NotSwept,
    /// The namespace is opted out; its gates are about to be opened.
    OptedOut,
    /// The change waits in another lane now.
    OtherLane,
    /// The object changed while it was let through, again and again.
    Conflict,
    /// The API server is busy.
    Throttled,
    /// The API server cannot be reached.
    Unreachable,
    /// The API server failed, or was silent.
    Failing,
    /// The executor may not do it: its Role may be repaired.
    Forbidden,
    /// An admission webhook, a policy or a quota refused, or something else that somebody has to remove.
    Refused,
    /// The API server finds the object invalid.
    Invalid,
    /// NATS did not keep what had to be kept.
    Nats,
    /// It took too long.
    Overrun,
    /// A rule of a policy lets it wait.
    Policy,
}

/// How long to wait.
enum Pause {
    /// About this long, each time.
    About(Duration),
    /// Up to this long at first, doubled each time, up to that long.
    Growing(Duration, Duration),
}

/// What a reason says about the change.
#[derive(PartialEq)]
enum Weight {
    /// Nothing is wrong with it: it waits for something else, and its own message brings it on.
    Waits,
    /// Something failed that passes, or that is not about this change.
    Passes,
    /// It was refused itself: that uses up one of its attempts.
    Counts,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Reason {
    /// The word in metrics and log lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    const fn row(self) -> (&'static str, Pause, Weight) {
        use Pause::{About, Growing};
        use Weight::{Counts, Passes, Waits};
        match self {
            Self::NoSlot => ("no-slot", About(ms(100)), Waits),
            // At once, so that nothing of its namespace overtakes it. A release was done in between each time.
            Self::NotItsTurn => ("not-its-turn", About(Duration::ZERO), Waits),
            Self::NotSwept => ("not-swept", About(ms(1_000)), Waits),
            Self::OptedOut => ("opted-out", Growing(ms(1_000), ms(60_000)), Waits),
            Self::OtherLane => ("other-lane", About(ms(15_000)), Waits),
            Self::Conflict => ("conflict", Growing(ms(100), ms(5_000)), Waits),
            Self::Throttled => ("throttled", Growing(ms(500), ms(30_000)), Passes),
            Self::Unreachable => ("unreachable", Growing(ms(500), ms(30_000)), Passes),
            Self::Failing => ("failing", Growing(ms(500), ms(30_000)), Passes),
            Self::Forbidden => ("forbidden", Growing(ms(10_000), ms(300_000)), Passes),
            Self::Refused => ("refused", Growing(ms(10_000), ms(600_000)), Counts),
            Self::Invalid => ("invalid", Growing(ms(10_000), ms(600_000)), Counts),
            Self::Nats => ("nats", Growing(ms(500), ms(30_000)), Passes),
            Self::Overrun => ("overrun", Growing(ms(1_000), ms(30_000)), Passes),
            // Where the rule has no end that is known. What ends it brings the change on at once.
            Self::Policy => ("policy", About(ms(300_000)), Waits),
        }
    }

    /// Whether it uses up one of the change's attempts.
    #[must_use]
    pub fn counts(self) -> bool {
        self.row().2 == Weight::Counts
    }

    /// Whether it is about the change itself or the executor's rights, so that somebody has to see to it.
    #[must_use]
    pub fn needs_somebody(self) -> bool {
        self.counts() || self == Self::Forbidden
    }

    /// Whether a pause of that length is bridged by a second look. What counts always is: the second look knows how
    /// often it was refused.
    #[must_use]
    pub fn wakes(self, pause: Duration) -> bool {
        self.counts() || (self.row().2 == Weight::Passes && pause >= LONG)
    }

    /// How long to wait after that many tries; jittered, so that what failed together does not come again together.
    /// <https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/>
    #[must_use]
    pub fn pause(self, tries: u64) -> Duration {
        match self.row().1 {
            Pause::About(pause) => pause.mul_f64(0.8 + 0.4 * fastrand::f64()),
            Pause::Growing(first, last) => {
                let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or(u32::MAX).min(20);
                let ceiling = first.saturating_mul(1 << doublings).min(last);
                ceiling.mul_f64(fastrand::f64()).max(ms(10))
            }
        }
    }

    /// The message comes again.
    #[must_use]
    pub fn retry(self, tries: u64) -> Outcome {
        Outcome::Retry(self.pause(tries), self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_within_their_limits_and_grow() {
        for tries in [0, 1, 2, 10, u64::MAX] {
            for _ in 0..100 {
                let about = Reason::OtherLane.pause(tries);
                assert!((ms(12_000)..=ms(18_000)).contains(&about), "{about:?}");
                assert!((ms(10)..=ms(30_000)).contains(&Reason::Unreachable.pause(tries)));
            }
        }
        let most = |tries| (0..200).map(|_| Reason::Unreachable.pause(tries)).max().unwrap();
        assert!(most(1) <= ms(500) && most(6) > ms(5_000));
    }

    #[test]
    fn only_what_failed_and_pauses_long_or_counts_is_bridged_by_a_second_look() {
        for (reason, pause, wakes, counts) in [
            (Reason::NoSlot, LONG, false, false),
            (Reason::OtherLane, LONG, false, false),
            (Reason::Unreachable, LONG, true, false),
            (Reason::Throttled, ms(4_999), false, false),
            (Reason::Forbidden, LONG, true, false),
            (Reason::Refused, ms(10), true, true),
            (Reason::Invalid, ms(10), true, true),
        ] {
            assert_eq!((reason.wakes(pause), reason.counts()), (wakes, counts), "{reason:?}");
        }
    }
}
