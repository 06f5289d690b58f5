//! The way of one change as lines with milliseconds. Pure.

use std::time::{Duration, Instant};

use super::history::{Seen, What};

/// One line: when, what, and who told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) at: Instant,
    pub(super) what: String,
    pub(super) source: &'static str,
}

impl Step {
    /// The step of something seen.
    pub(super) fn of(seen: &Seen) -> Self {
        let (what, source) = match &seen.what {
            What::Held => ("stored by the API server, gate closed".to_owned(), "watch"),
            What::Queued(subject) => (format!("on the queue: {subject}"), "NATS"),
            What::Opened => ("let through: gate open".to_owned(), "watch"),
            What::ReplicaSet(name) => (format!("ReplicaSet {name} exists"), "watch"),
            What::RolledOut => ("all pods are new and available".to_owned(), "watch"),
            What::Ended => ("the executor has written down the end".to_owned(), "watch"),
            What::Event(phase) => (format!("event {phase}"), "NATS"),
        };
        Self { at: seen.at, what, source }
    }
}

/// The steps in the order of their times, counted from `zero`.
pub(super) fn lines(mut steps: Vec<Step>, zero: Instant) -> Vec<String> {
    steps.sort_by_key(|step| step.at);
    let line = |step: &Step| {
        let (sign, time) = match step.at.checked_duration_since(zero) {
            Some(after) => ('+', after),
            None => ('-', zero - step.at),
        };
        format!("  {sign}{:>5} ms  {:<7}{}", milliseconds(time), step.source, step.what)
    };
    steps.iter().map(line).collect()
}

/// Whole milliseconds, rounded.
pub(super) fn milliseconds(time: Duration) -> u128 {
    (time.as_micros() + 500) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stand_in_the_order_of_their_times() {
        let zero = Instant::now();
        let step = |ms, what: &str| Step {
            at: zero + Duration::from_millis(ms),
            what: what.into(),
            source: "watch",
        };
        let drawn = lines(vec![step(12, "later"), step(0, "first")], zero);
        assert_eq!(drawn, ["  +    0 ms  watch  first", "  +   12 ms  watch  later"]);
        let early = lines(vec![step(0, "before")], zero + Duration::from_millis(3));
        assert_eq!(early, ["  -    3 ms  watch  before"]);
    }
}
