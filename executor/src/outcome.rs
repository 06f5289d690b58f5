//! What is to become of a message: settled, put back for later, or given up.

use std::time::Duration;

/// What is to become of a message.
#[derive(Debug)]
pub enum Outcome {
    /// It has served its purpose.
    Done,
    /// It comes again after a pause.
    Retry(Duration, Reason),
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
    /// The API server failed or cannot be reached.
    Unreachable,
    /// The executor may not do it: its Role may be repaired.
    Forbidden,
    /// The API server refused for a reason that somebody has to remove.
    Refused,
    /// NATS did not keep what had to be kept.
    Nats,
    /// It took too long.
    Overrun,
}

/// How long to wait.
enum Pause {
    /// About this long, each time.
    About(Duration),
    /// Up to this long at first, doubled each time, up to that long.
    Growing(Duration, Duration),
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

    const fn row(self) -> (&'static str, Pause) {
        match self {
            Self::NoSlot => ("no-slot", Pause::About(ms(100))),
            // At once, so that nothing of its namespace overtakes it. A release was done in between each time.
            Self::NotItsTurn => ("not-its-turn", Pause::About(Duration::ZERO)),
            Self::NotSwept => ("not-swept", Pause::About(ms(1_000))),
            Self::OptedOut => ("opted-out", Pause::Growing(ms(1_000), ms(60_000))),
            Self::OtherLane => ("other-lane", Pause::About(ms(15_000))),
            Self::Conflict => ("conflict", Pause::Growing(ms(100), ms(5_000))),
            Self::Throttled => ("throttled", Pause::Growing(ms(500), ms(30_000))),
            Self::Unreachable => ("unreachable", Pause::Growing(ms(500), ms(30_000))),
            Self::Forbidden => ("forbidden", Pause::About(ms(60_000))),
            Self::Refused => ("refused", Pause::About(ms(60_000))),
            Self::Nats => ("nats", Pause::Growing(ms(500), ms(30_000))),
            Self::Overrun => ("overrun", Pause::Growing(ms(1_000), ms(30_000))),
        }
    }

    /// How long to wait after that many deliveries; jittered, so that what failed together does not come again
    /// together. <https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/>
    #[must_use]
    pub fn pause(self, delivered: u64) -> Duration {
        match self.row().1 {
            Pause::About(pause) => pause.mul_f64(0.8 + 0.4 * fastrand::f64()),
            Pause::Growing(first, last) => {
                let doublings = u32::try_from(delivered.saturating_sub(1)).unwrap_or(u32::MAX).min(20);
                let ceiling = first.saturating_mul(1 << doublings).min(last);
                ceiling.mul_f64(fastrand::f64()).max(ms(10))
            }
        }
    }

    /// The message comes again.
    #[must_use]
    pub fn retry(self, delivered: u64) -> Outcome {
        Outcome::Retry(self.pause(delivered), self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_within_their_limits_and_grow() {
        for delivered in [0, 1, 2, 10, u64::MAX] {
            for _ in 0..100 {
                let about = Reason::OtherLane.pause(delivered);
                assert!((ms(12_000)..=ms(18_000)).contains(&about), "{about:?}");
                assert!((ms(10)..=ms(30_000)).contains(&Reason::Unreachable.pause(delivered)));
            }
        }
        let most = |delivered| (0..200).map(|_| Reason::Unreachable.pause(delivered)).max().unwrap();
        assert!(most(1) <= ms(500) && most(6) > ms(5_000));
    }
}
