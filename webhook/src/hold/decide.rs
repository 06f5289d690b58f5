//! The rules of the hold, as DESIGN states them. The own keys always follow from the stored object and the new
//! template; what a client sent for them means nothing.

use contract::{
    Canonical, ChangeId, Digest, Gate, Key, Lane, OnFailure, Phase, State, change_id::Replaced, key,
};

use super::{orders::LIFT, patch};
use crate::{
    answer::{Answer, Denial},
    object::{Annotations, Object},
    review::{Malformed, Request},
};

/// What the decision depends on besides the review.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether clients are told in a warning that their change waits. `kubectl --warnings-as-errors` would fail.
    pub warnings: bool,
}

/// What became of a review; the word is a metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Nothing about the template: own keys stay as they were.
    Passed,
    /// A change waits: a new one, or a dead one that is replayed.
    Held,
    /// Back to what was let through: the gate opens at once.
    Opened,
    /// Refused.
    Denied,
}

/// What the object is to look like: our own keys, our label and, where demanded, the pause.
#[derive(Debug, PartialEq)]
pub(super) struct Intent<'a> {
    pub(super) own: Annotations<'a>,
    pub(super) phase: Option<String>,
    pub(super) paused: bool,
}

/// The objects of one review.
pub(super) struct Pair<'a, 'r> {
    request: &'r Request<'a>,
    pub(super) new: &'r Object<'a>,
    pub(super) old: Option<&'r Object<'a>>,
}

/// Decides on a written Deployment (main resource or a subresource).
///
/// # Errors
/// A review without the objects that its operation needs, or with a template that is no JSON object tree.
pub fn decide(request: &Request<'_>, settings: &Settings) -> Result<(Verdict, Answer), Malformed> {
    let pair = Pair { request, new: request.object()?, old: request.old_object()? };
    let mut intent = pair.as_stored();
    let is_subresource = request.sub_resource.as_deref().is_some_and(|part| !part.is_empty());
    // On a subresource the spec in the request means nothing: it is reset after admission.
    if is_subresource {
        return Ok((
            Verdict::Passed,
            Answer { patch: patch::operations(pair.new, &intent), ..Answer::default() },
        ));
    }
    if let Some(denial) = pair.word_denial() {
        return Ok(denied(denial));
    }
    pair.lift(&mut intent);
    let template =
        |error: serde_json::Error| Malformed::Field { field: "spec.template", problem: error.to_string() };
    let (verdict, warnings) = match pair.templates().map_err(template)? {
        None => pair.replay(&mut intent),
        Some((new, old)) => {
            let phase = intent.phase.as_deref().and_then(|text| text.parse().ok());
            let mut before = State { phase, ..intent.own.state() };
            pair.remember_what_runs(&mut intent, &mut before, old.as_ref());
            let digest = new.digest();
            if let Some(denial) = pair.quarantine_denial(&before, &digest) {
                return Ok(denied(denial));
            }
            pair.submit(&mut intent, before, &digest)
        }
    };
    pair.keep_pause(&mut intent);
    let warnings = if settings.warnings { warnings } else { Vec::new() };
    Ok((verdict, Answer { denial: None, patch: patch::operations(pair.new, &intent), warnings }))
}

fn denied(denial: Denial) -> (Verdict, Answer) {
    (Verdict::Denied, Answer { denial: Some(denial), ..Answer::default() })
}

impl<'a> Pair<'a, '_> {
    /// Own keys and label as the stored object has them; on CREATE none.
    fn as_stored(&self) -> Intent<'a> {
        let metadata = self.old.map(|old| &old.metadata);
        let own = metadata.and_then(|metadata| metadata.annotations.clone()).unwrap_or_default();
        let phase = metadata.and_then(|metadata| metadata.labels.as_ref()?.phase.clone());
        // Closed without a phase is what a write past an absent webhook leaves behind: nobody would ever look at it.
        let lost = own.is_closed() && phase.is_none();
        Intent {
            own,
            phase: if lost { Some(Phase::Held.as_str().to_owned()) } else { phase },
            paused: self.new.spec.is_paused(),
        }
    }

    fn old_is_closed(&self) -> bool {
        self.old
            .as_ref()
            .and_then(|old| old.metadata.annotations.as_ref())
            .is_some_and(Annotations::is_closed)
    }

    /// The new template and the old one; `None` where they are the same. The same text needs no second look.
    fn templates(&self) -> Result<Option<(Canonical, Option<Canonical>)>, serde_json::Error> {
        let text = self.new.spec.template();
        let Some(old) = &self.old else { return Ok(Some((Canonical::of_json(text)?, None))) };
        if text == old.spec.template() {
            return Ok(None);
        }
        let (new, old) = (Canonical::of_json(text)?, Canonical::of_json(old.spec.template())?);
        Ok((new != old).then_some((new, Some(old))))
    }

    /// `released` where it is absent: what runs, but only if it does run. The template of a stored object that is
    /// itself closed never ran. And `good` as it is now: as long as nothing is held or in flight nobody writes it.
    fn remember_what_runs(&self, intent: &mut Intent<'a>, before: &mut State, old: Option<&Canonical>) {
        if let Some(old) = old
            && before.released.is_none()
            && !self.old_is_closed()
        {
            let runs = old.digest();
            intent.own.set(Key::Released, Some(runs.to_string()));
            before.released = Some(runs);
        }
        before.good = before.last_good().cloned();
        if let Some(good) = &before.good {
            intent.own.set(Key::Good, Some(good.to_string()));
        }
    }

    /// A new template: back to what was let through opens the gate, anything else waits.
    fn submit(&self, intent: &mut Intent<'a>, before: State, digest: &Digest) -> (Verdict, Vec<String>) {
        let is = |known: Option<&Digest>| known == Some(digest);
        let opens = is(before.released.as_ref()) || is(before.good.as_ref());
        let change = self.change_id(digest);
        intent.own.set(Key::Change, Some(change.to_string()));
        intent.own.set(Key::RequestedBy, Some(self.request.user_info.username.clone()));
        intent.own.set(Key::Traceparent, None::<String>);
        intent.own.set(Key::Attempt, None::<String>);
        let waiting = before.change.filter(|_| self.old_is_closed());
        #[cfg(feature = "seeded-bugs")]
        let opens = opens || self.old.is_some() && ops::seeded::seeded("hold-lets-updates-pass");
        if opens {
            // Nothing is in flight only if this very template was let through last and reached its end.
            let settled = is(before.released.as_ref()) && is(before.good.as_ref());
            intent.phase = (!settled).then(|| Phase::Released.as_str().to_owned());
            intent.own.set(Key::Gate, Some(Gate::Open.as_str()));
            intent.own.set(Key::Released, Some(digest.to_string()));
            let told = waiting.map(|id| {
                format!("Roadstead: back to a template already let through; change {id} is cancelled")
            });
            (Verdict::Opened, told.into_iter().collect())
        } else {
            intent.phase = Some(Phase::Held.as_str().to_owned());
            intent.own.set(Key::Gate, Some(Gate::Closed.as_str()));
            let replaced = waiting.map_or_else(String::new, |id| format!(", in place of {id}"));
            (
                Verdict::Held,
                vec![format!("Roadstead: change {change} is accepted and waits for its release{replaced}")],
            )
        }
    }

    fn change_id(&self, digest: &Digest) -> ChangeId {
        let replaced = self
            .old
            .as_ref()
            .map(|old| Replaced { uid: &old.metadata.uid, generation: old.metadata.generation });
        ChangeId::derive(self.request.namespace(), self.request.name(), digest, replaced)
    }

    /// While closed, a Deployment whose old pods would go before new ones come is paused by us. On CREATE there
    /// are none. Where the pause is no longer needed, ours is taken away and a user's own stays.
    fn keep_pause(&self, intent: &mut Intent<'a>) {
        let ours = intent.own.get(Key::Paused) == Some("true");
        let needed = self.old.is_some() && intent.own.is_closed() && self.new.spec.scales_down_first();
        // The API server may call again with our own first answer in it (reinvocation): that pause is ours, too.
        // A client that claims so gains nothing: whoever may write the annotation may end the pause himself.
        let sent = self.new.metadata.annotations.as_ref().and_then(|sent| sent.get(Key::Paused));
        if needed && (!intent.paused || sent == Some("true")) {
            intent.own.set(Key::Paused, Some("true"));
            intent.paused = true;
        } else if !needed && ours {
            intent.own.set(Key::Paused, None::<String>);
            intent.paused = false;
        }
    }

    /// A word that means nothing is refused where it is new, so that an object written before can still be changed.
    fn word_denial(&self) -> Option<Denial> {
        let lane = |word: &str| word.parse::<Lane>().err().map(|error| error.to_string());
        let on_failure = |word: &str| word.parse::<OnFailure>().err().map(|error| error.to_string());
        let denial = |key: &str,
                      word: fn(&Annotations<'a>) -> Option<String>,
                      wrong: &dyn Fn(&str) -> Option<String>| {
            let word = |object: &Object<'a>| object.metadata.annotations.as_ref().and_then(word);
            let asked = word(self.new)?;
            let error = wrong(&asked)?;
            let is_new = self.old.and_then(word).is_none_or(|old| old != asked);
            is_new.then(|| Denial {
                message: format!("metadata.annotations[{key}]: {error}"),
                causes: vec![("FieldValueInvalid", error)],
            })
        };
        denial(key::LANE, |asked| asked.lane().map(str::to_owned), &lane)
            .or_else(|| denial(key::ON_FAILURE, |asked| asked.on_failure().map(str::to_owned), &on_failure))
    }

    fn quarantine_denial(&self, before: &State, digest: &Digest) -> Option<Denial> {
        before.quarantined.contains(digest).then(|| Denial {
            message: format!(
                "Roadstead denied this change: the same pod template failed before and was rolled back. Change the \
                 template, or lift the quarantine: kubectl annotate deployment {} -n {} {}={} --overwrite",
                self.request.name(),
                self.request.namespace(),
                key::LIFT,
                &digest.as_str()[..LIFT],
            ),
            causes: vec![("RoadsteadQuarantined", format!("template {digest} is quarantined"))],
        })
    }
}
