//! Which executor publishes what waits. Nobody is elected: who hears nothing for a while although there is something
//! to say begins, and of two that publish the one with the greater name stops.

use std::time::{Duration, Instant};

/// One executor's part.
pub struct Role {
    name: String,
    silence: Duration,
    publishes: bool,
    /// Since when nobody is heard although there is something to say.
    silent: Option<Instant>,
}

impl Role {
    /// Of an executor of that name, which begins after that long a silence.
    #[must_use]
    pub fn new(name: String, silence: Duration) -> Self {
        Self { name, silence, publishes: false, silent: None }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this one published when it was asked last.
    #[must_use]
    pub fn is_publishing(&self) -> bool {
        self.publishes
    }

    /// Somebody published.
    pub fn heard(&mut self, publisher: &str) {
        if publisher != self.name {
            self.silent = None;
            self.publishes &= *self.name < *publisher;
        }
    }

    /// Whether this one is to publish now; `something` is whether there is anything to say.
    pub fn publishes(&mut self, something: bool, now: Instant) -> bool {
        if !something {
            self.silent = None;
        } else if !self.publishes {
            self.publishes = now.duration_since(*self.silent.get_or_insert(now)) >= self.silence;
        }
        self.publishes && something
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(6);

    #[test]
    fn who_hears_nothing_begins_and_who_hears_goes_on_listening() {
        let (mut role, begun) = (Role::new("b".into(), SILENCE), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        assert!(!role.publishes(false, after(100)));
        assert!(!role.publishes(true, after(200)), "there was nothing to say until now");
        assert!(!role.publishes(true, after(205)));
        role.heard("a");
        assert!(!role.publishes(true, after(206)));
        assert!(!role.publishes(true, after(211)));
        assert!(role.publishes(true, after(212)));
        assert!(!role.publishes(false, after(213)) && role.publishes(true, after(214)));
    }

    #[test]
    fn of_two_that_publish_one_stops() {
        let now = Instant::now();
        let mut roles = ["a", "b"].map(|name| Role::new(name.into(), Duration::ZERO));
        assert!(roles.iter_mut().all(|role| role.publishes(true, now)));
        let names = roles.each_ref().map(|role| role.name().to_owned());
        for role in &mut roles {
            for name in &names {
                role.heard(name);
            }
            role.silence = SILENCE;
        }
        assert_eq!(roles.map(|mut role| role.publishes(true, now)), [true, false]);
    }
}
