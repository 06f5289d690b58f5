//! Readiness: a workload is ready when each of its parts has dropped its handle, and no longer ready from the
//! first signal on.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// Whether the workload is ready, shared by its parts and the admin endpoint.
#[derive(Clone, Default)]
pub struct Readiness {
    waiting: Arc<Mutex<Vec<&'static str>>>,
    stopping: Arc<AtomicBool>,
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
        self.parts().push(part);
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
            Err(format!("waiting for: {}", waiting.join(", ")))
        }
    }

    fn parts(&self) -> std::sync::MutexGuard<'_, Vec<&'static str>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut waiting = self.readiness.parts();
        if let Some(at) = waiting.iter().position(|part| *part == self.part) {
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
