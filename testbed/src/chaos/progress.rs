//! Says how far a run is: one line that is written over on a terminal, and a plain line now and then elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How often, on a terminal and elsewhere.
const PERIODS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// How far a run is.
#[derive(Debug)]
pub struct Progress {
    began: Instant,
    acts: (AtomicUsize, usize),
    faults: (AtomicUsize, usize),
}

impl Progress {
    /// Of so many actions and faults.
    #[must_use]
    pub fn of(acts: usize, faults: usize) -> Self {
        let none = AtomicUsize::default;
        Self { began: Instant::now(), acts: (none(), acts), faults: (none(), faults) }
    }

    /// One more action is over.
    pub fn acted(&self) {
        self.acts.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One more fault is over.
    pub fn struck(&self) {
        self.faults.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells it for as long as it is asked to.
    pub async fn tell(&self) -> ! {
        let terminal = std::io::stderr().is_terminal();
        let period = if terminal { PERIODS.0 } else { PERIODS.1 };
        loop {
            tokio::time::sleep(period).await;
            if terminal {
                eprint!("\r\x1b[K{self}");
                // A terminal that is gone sees nothing anyway.
                let _ = std::io::stderr().flush();
            } else {
                eprintln!("{self}");
            }
        }
    }

    /// Ends the line on a terminal.
    pub fn end() {
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let done = |(done, all): &(AtomicUsize, usize)| format!("{} of {all}", done.load(Ordering::Relaxed));
        let seconds = self.began.elapsed().as_secs();
        write!(f, "chaos: {} actions, {} faults, {seconds} s", done(&self.acts), done(&self.faults))
    }
}
