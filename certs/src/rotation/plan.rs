//! What is to be done next. Pure: the same state and time give the same step, whoever asks.

#[cfg(test)]
mod tests;

use std::time::Duration;

use time::OffsetDateTime;

use super::{Leaf, State};
use crate::tls::Fingerprint;

/// How long things take and last.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// From the moment at which every configuration is seen to trust a new authority until every API server does.
    pub settle: Duration,
    /// Life of a leaf.
    pub leaf: Duration,
}

/// One step of the rotation. Each is a single write (of bundles: one a configuration), and can be done again without
/// harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Trust who signed the leaf for as long as it lasts: somebody unknown to us, or one that had retired already.
    Adopt,
    /// Forget authorities whose last leaf is over.
    Drop,
    /// Make the authority that is to sign next.
    Mint,
    /// Sign a new leaf.
    Sign,
    /// Make the configurations trust whom they are to trust.
    Publish,
    /// Let the new authority sign from now on; until then a leaf of the old one may be served.
    Promote,
    /// Nothing for so long, unless something changes.
    Wait(Duration),
}

impl State {
    /// The next step. `seen`: for how long this process has seen every configuration trust the next authority.
    #[must_use]
    pub fn plan(&self, seen: Option<Duration>, times: &Times, now: OffsetDateTime) -> Step {
        let outlasts = |leaf: &Leaf| {
            self.retired.iter().any(|(id, until)| *id == leaf.signer && *until < leaf.issued.not_after)
        };
        if self.stray.is_some() || self.leaf.as_ref().is_some_and(outlasts) {
            return Step::Adopt;
        }
        if self.retired.iter().any(|(id, until)| *until <= now && !self.serves(*id)) {
            return Step::Drop;
        }
        let wants_next = self.asked || self.signing.is_none_or(|signing| signing.due() <= now);
        if self.next.is_none() && wants_next {
            return Step::Mint;
        }
        // Before anything is published: where that fails, the leaf is renewed all the same.
        if self.leaf_due().is_some_and(|due| due <= now) {
            return Step::Sign;
        }
        if !self.is_published() {
            return Step::Publish;
        }
        // With nothing that works, nobody loses by haste.
        let works = self.signing.is_some() || self.leaf.is_some();
        let left = times.settle.saturating_sub(seen.unwrap_or_default());
        if self.next.is_some() && (!works || (seen.is_some() && left.is_zero())) {
            return Step::Promote;
        }
        Step::Wait(self.rest(left, now))
    }

    /// Until when a leaf of the authority that signs now may be served, should it sign no more.
    #[must_use]
    pub fn last_leaf_ends(&self, times: &Times, now: OffsetDateTime) -> OffsetDateTime {
        // One that another replica signs at this moment has a whole life before it.
        let promised = now + times.leaf;
        self.leaf.map_or(promised, |leaf| promised.max(leaf.issued.not_after))
    }

    /// When a new leaf is to be signed; `None` where nobody can, or it would bring nothing.
    fn leaf_due(&self) -> Option<OffsetDateTime> {
        let signing = self.signing.filter(|signing| self.all_trust(signing.id))?;
        let Some(leaf) = self.leaf.filter(|leaf| leaf.has_names && leaf.signer == signing.id) else {
            return Some(OffsetDateTime::UNIX_EPOCH);
        };
        // It never outlives its authority: at the end of that another leaf would not last longer.
        (leaf.issued.not_after < signing.not_after).then(|| leaf.issued.due())
    }

    fn serves(&self, signer: Fingerprint) -> bool {
        self.leaf.is_some_and(|leaf| leaf.signer == signer)
    }

    /// How long until one of the above changes by itself.
    fn rest(&self, left: Duration, now: OffsetDateTime) -> Duration {
        let until = |at: OffsetDateTime| Duration::try_from(at - now).unwrap_or_default();
        let mut waits: Vec<_> =
            self.retired.iter().map(|(_, end)| *end).filter(|end| *end > now).map(until).collect();
        waits.extend(self.leaf_due().map(until));
        match self.next {
            Some(_) => waits.push(left),
            None => waits.extend(self.signing.map(|signing| until(signing.due()))),
        }
        waits.into_iter().min().unwrap_or(Duration::MAX)
    }
}
