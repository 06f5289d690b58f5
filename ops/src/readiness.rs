//! Readiness: a workload is ready when each of its parts has dropped its handle, and no longer ready from the
//! first signal on.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// Whether the workload is ready, shared by its parts and the admin endpoint.
#[derive(Clone, Default)]
pub struct Readiness {
    waiting: Arc<Mutex<Vec<Waiting>>>,
    stopping: Arc<AtomicBool>,
}

/// A part that is not ready, and why, where it says so.
struct Waiting {
    part: &'static str,
    reason: Option<String>,
}

/// Held by a part until it is ready; dropping it says so.
#[must_use = "dropping the handle says that the part is ready"]
pub struct Handle {
    part: &'static str,
    readiness: Readiness,
}

impl Readiness {
    /// Waits for one more part.
    pub fn wait_for(&self, part: &'static str) -> Handle {
        self.parts().push(Waiting { part, reason: None });
        Handle { part, readiness: self.clone() }
    }

    /// From now on not ready: the process was told to stop.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the process was told to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Ready, or why not.
    pub fn check(&self) -> Result<(), String> {
        let waiting = self.parts();
        if self.is_stopping() {
            Err("stopping".into())
        } else if waiting.is_empty() {
            Ok(())
        } else {
            let parts: Vec<_> = waiting.iter().map(Waiting::to_string).collect();
            Err(format!("waiting for: {}", parts.join(", ")))
        }
    }

    fn parts(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.reason {
            Some(reason) => write!(f, "{} ({reason})", self.part),
            None => f.write_str(self.part),
        }
    }
}

impl Handle {
    /// Says why the part is not ready yet.
    pub fn because(&self, reason: String) {
        let mut waiting = self.readiness.parts();
        if let Some(own) = waiting.iter_mut().find(|waiting| waiting.part == self.part) {
            own.reason = Some(reason);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut waiting = self.readiness.parts();
        if let Some(at) = waiting.iter().position(|waiting| waiting.part == self.part) {
            waiting.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_part_is_and_until_told_to_stop() {
        let readiness = Readiness::default();
        let (outbox, listener) = (readiness.wait_for("the outbox"), readiness.wait_for("the listener"));
        assert_eq!(readiness.check(), Err("waiting for: the outbox, the listener".into()));
        outbox.because("no NATS".into());
        assert_eq!(readiness.check(), Err("waiting for: the outbox (no NATS), the listener".into()));
        drop(outbox);
        assert_eq!(readiness.check(), Err("waiting for: the listener".into()));
        drop(listener);
        assert_eq!(readiness.check(), Ok(()));
        assert!(!readiness.is_stopping());
        readiness.stop();
        assert!(readiness.is_stopping());
        assert_eq!(readiness.check(), Err("stopping".into()));
    }
}
