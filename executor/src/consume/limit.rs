//! How many messages may be in hand: half as many whenever the API server says that it is busy, and one more each few
//! seconds after that; one at a time, with pauses, while it cannot be reached. Pure.

use std::time::{Duration, Instant};

use crate::outcome::{Outcome, Reason};

/// How long after a halving the next one may be: what was in hand together is one word of the API server.
const PACE: Duration = Duration::from_secs(1);

/// How long it takes until there is one more.
const STEP: Duration = Duration::from_secs(3);

/// Pauses while the API server cannot be reached: doubled from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));

/// What the work on a message says about the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It answers.
    Well,
    /// It is busy.
    Busy,
    /// It cannot be reached.
    Away,
}

impl Word {
    /// What an outcome says.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Retry(_, Reason::Throttled) | Outcome::Wakes(_, Reason::Throttled) => Self::Busy,
            Outcome::Retry(_, Reason::Unreachable) | Outcome::Wakes(_, Reason::Unreachable) => Self::Away,
            _ => Self::Well,
        }
    }
}

/// The limit.
#[derive(Debug)]
pub struct Limit {
    most: usize,
    /// What was left after the last halving, and when that was.
    halved: Option<(usize, Instant)>,
    /// How often in a row it could not be reached, and when it is tried again.
    away: Option<(u32, Instant)>,
}

impl Limit {
    /// At most that many, while all is well.
    pub fn new(most: usize) -> Self {
        Self { most, halved: None, away: None }
    }

    /// How many may be worked on at a time.
    pub fn concurrency(&self, now: Instant) -> usize {
        if self.away.is_some() {
            return 1;
        }
        let Some((left, at)) = self.halved else { return self.most };
        let steps = now.saturating_duration_since(at).as_nanos() / STEP.as_nanos();
        self.most.min(left.saturating_add(usize::try_from(steps).unwrap_or(usize::MAX)))
    }

    /// How many may be in hand now.
    pub fn room(&self, now: Instant) -> usize {
        if self.away.is_some_and(|(_, again)| now < again) { 0 } else { self.concurrency(now) }
    }

    /// Takes in what the work on a message said.
    pub fn heard(&mut self, word: Word, now: Instant) {
        match word {
            Word::Well => self.away = None,
            Word::Busy => {
                self.away = None;
                if self.halved.is_none_or(|(_, at)| now.saturating_duration_since(at) >= PACE) {
                    self.halved = Some(((self.concurrency(now) / 2).max(1), now));
                }
            }
            Word::Away => {
                let times = match self.away {
                    // What was in hand when it went away says nothing new.
                    Some((_, again)) if now < again => return,
                    Some((times, _)) => times.saturating_add(1),
                    None => 0,
                };
                let pause = PAUSE.0.saturating_mul(1 << times.min(10)).min(PAUSE.1);
                self.away = Some((times, now + pause));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_server_halves_it_down_to_one_and_it_recovers_one_by_one() {
        let (mut limit, mut now) = (Limit::new(16), Instant::now());
        for left in [8, 4, 2, 1, 1] {
            now += PACE;
            limit.heard(Word::Busy, now);
            limit.heard(Word::Busy, now + PACE / 2);
            assert_eq!(limit.concurrency(now), left, "what comes together is one word");
        }
        limit.heard(Word::Well, now);
        for (steps, left) in [(1, 2), (2, 3), (15, 16), (99, 16)] {
            assert_eq!(limit.room(now + STEP * steps), left);
        }
        limit.heard(Word::Busy, now + STEP * 3);
        assert_eq!(limit.concurrency(now + STEP * 3), 2, "half of what it had recovered to");
    }

    #[test]
    fn a_server_that_is_away_is_tried_by_one_after_pauses_that_grow() {
        let (mut limit, mut now) = (Limit::new(16), Instant::now());
        for pause in [500, 1_000, 2_000, 4_000, 8_000, 8_000] {
            limit.heard(Word::Away, now);
            limit.heard(Word::Away, now);
            let (before, again) =
                (now + Duration::from_millis(pause - 1), now + Duration::from_millis(pause));
            assert_eq!((limit.room(before), limit.room(again)), (0, 1));
            now = again;
        }
        limit.heard(Word::Well, now);
        assert_eq!(limit.room(now), 16);
    }
}
