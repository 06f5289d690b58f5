//! What the hold refuses by itself: words that mean nothing, templates that failed before. And how it says what policies
//! refuse.

use contract::{Digest, Lane, OnFailure, State, key};

use super::{decide::Pair, orders::LIFT};
use crate::{
    answer::{Cause, Denial},
    object::{Annotations, Object},
};

/// What policies refuse; `None`: nothing.
pub(super) fn of_policies(refusals: Vec<Cause>) -> Option<Denial> {
    let messages: Vec<_> = refusals.iter().map(|refusal| refusal.message.as_str()).collect();
    let message = messages.join("; ");
    (!refusals.is_empty()).then(|| Denial::forbidden(message, refusals))
}

impl<'a> Pair<'a, '_> {
    /// A word that means nothing is refused where it is new, so that an object written before can still be changed.
    pub(super) fn word_denial(&self) -> Option<Denial> {
        let lane = |word: &str| word.parse::<Lane>().err().map(|error| error.to_string());
        let on_failure = |word: &str| word.parse::<OnFailure>().err().map(|error| error.to_string());
        let denial = |key: &str,
                      word: fn(&Annotations<'a>) -> Option<String>,
                      wrong: &dyn Fn(&str) -> Option<String>| {
            let word = |object: &Object<'a>| object.metadata.annotations.as_ref().and_then(word);
            let asked = word(self.new)?;
            let error = wrong(&asked)?;
            let is_new = self.old.and_then(word).is_none_or(|old| old != asked);
            let field = format!("metadata.annotations[{key}]");
            is_new.then(|| {
                let causes = vec![Cause::of_field("FieldValueInvalid", field.as_str(), error.as_str())];
                Denial::forbidden(format!("{field}: {error}"), causes)
            })
        };
        denial(key::LANE, |asked| asked.lane().map(str::to_owned), &lane)
            .or_else(|| denial(key::ON_FAILURE, |asked| asked.on_failure().map(str::to_owned), &on_failure))
    }

    pub(super) fn quarantine_denial(&self, before: &State, digest: &Digest) -> Option<Denial> {
        before.quarantined.contains(digest).then(|| {
            let message = format!(
                "Roadstead denied this change: the same pod template failed before and was rolled back. Change the \
                 template, or lift the quarantine: kubectl annotate deployment {} -n {} {}={} --overwrite",
                self.request.name(),
                self.request.namespace(),
                key::LIFT,
                &digest.as_str()[..LIFT],
            );
            let cause = Cause::new("RoadsteadQuarantined", format!("template {digest} is quarantined"));
            Denial::forbidden(message, vec![cause])
        })
    }
}
