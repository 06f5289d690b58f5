//! Since when this process has seen everybody trust the next authority: all that is remembered between two steps.

use std::time::{Duration, Instant};

use super::State;
use crate::tls::Fingerprint;

/// Which authority, and since when.
#[derive(Debug, Default)]
pub(crate) struct Seen(Option<(Fingerprint, Instant)>);

impl Seen {
    /// Looks once more; for how long everybody has trusted the next authority. Another next one begins anew.
    pub(crate) fn look(&mut self, state: &State) -> Option<Duration> {
        let next = state.next.filter(|next| state.all_trust(next.id));
        self.0 =
            next.map(|next| self.0.filter(|(id, _)| *id == next.id).unwrap_or((next.id, Instant::now())));
        self.0.map(|(_, since)| since.elapsed())
    }
}
