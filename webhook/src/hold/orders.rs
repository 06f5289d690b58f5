//! Orders that users give by annotations: to lift a quarantine, to replay a dead change. An order is obeyed in the write
//! that gives it; one that stands has been obeyed.

use contract::{Digest, Key, Phase};

use super::{
    Verdict,
    decide::{Intent, Pair},
};
use crate::object::{Annotations, Object};

/// Characters of a digest that name it well enough.
pub(super) const LIFT: usize = 12;

impl<'a> Pair<'a, '_> {
    /// The order of a kind that this write gives.
    pub(super) fn new_order(&self, of: for<'s> fn(&'s Annotations<'a>) -> Option<&'s str>) -> Option<String> {
        let order = |object: &Object<'a>| Some(of(object.metadata.annotations.as_ref()?)?.to_owned());
        order(self.new).filter(|asked| self.old.and_then(order).is_none_or(|old| old != *asked))
    }

    /// An order that is new takes the digest that it names off the quarantine. One that stands has been obeyed: what
    /// failed again since stays quarantined.
    pub(super) fn lift(&self, intent: &mut Intent<'a>) {
        let order = self.new_order(Annotations::lift);
        let Some(asked) = order.filter(|asked| asked.len() >= LIFT) else { return };
        let quarantined = intent.own.state().quarantined;
        let stays = |digest: &&Digest| !digest.as_str().starts_with(&asked);
        let left: Vec<_> = quarantined.iter().filter(stays).map(Digest::as_str).collect();
        if left.len() < quarantined.len() {
            intent.own.set(Key::Quarantined, (!left.is_empty()).then(|| left.join(",")));
        }
    }

    /// An order that is new and names the dead change that stands has it wait again, with new attempts. Any other is
    /// not obeyed, and not refused either: a manifest may carry one long after it was obeyed.
    pub(super) fn replay(&self, intent: &mut Intent<'a>) -> (Verdict, Vec<String>) {
        let order = self.new_order(Annotations::replay);
        let Some(asked) = order else { return (Verdict::Passed, Vec::new()) };
        let state = intent.own.state();
        let dead = intent.phase.as_deref() == Some(Phase::Dead.as_str()) && state.is_closed();
        let Some(change) = state.change.as_ref().filter(|change| dead && change.as_str() == asked) else {
            let stands = match &state.change {
                Some(change) if dead => format!("the dead change is {change}"),
                _ => "no change is dead here".to_owned(),
            };
            return (Verdict::Passed, vec![format!("Roadstead: nothing is replayed: {stands}")]);
        };
        let attempt = state.attempt().saturating_add(1);
        intent.phase = Some(Phase::Held.as_str().to_owned());
        intent.own.set(Key::Attempt, Some(attempt.to_string()));
        (
            Verdict::Held,
            vec![format!("Roadstead: change {change} waits for its release again (attempt {attempt})")],
        )
    }
}
