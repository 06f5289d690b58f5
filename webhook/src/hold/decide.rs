//! The rules of the hold, as DESIGN states them. The own keys always follow from the stored object and the new
//! template; what a client sent for them means nothing.

use contract::{Canonical, ChangeId, Digest, Gate, Key, Lane, Phase, State, change_id::Replaced};

use super::{Opinion, Policies, denial, patch};
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Nothing about the template: own keys stay as they were, but for an order that is obeyed.
    #[default]
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
    pub(super) request: &'r Request<'a>,
    pub(super) new: &'r Object<'a>,
    pub(super) old: Option<&'r Object<'a>>,
}

/// What becomes of a review that is not refused.
#[derive(Default)]
struct Outcome {
    verdict: Verdict,
    /// What its user is told where he wants to be told.
    notices: Vec<String>,
    /// What its user is told in any case.
    warnings: Vec<String>,
    audit: Option<String>,
}

/// Why there is no outcome.
enum Refusal {
    /// The write is denied; what the audit log is to say of it.
    Denied(Box<Denial>, Option<String>),
    /// The review cannot be read.
    Malformed(Malformed),
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(Box::new(denial), None)
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// Decides on a written Deployment (main resource or a subresource).
///
/// # Errors
/// A review without the objects that its operation needs, or with a template that is no JSON object tree.
pub fn decide(
    request: &Request<'_>,
    settings: &Settings,
    policies: &dyn Policies,
) -> Result<(Verdict, Answer), Malformed> {
    let pair = Pair { request, new: request.object()?, old: request.old_object()? };
    let mut intent = pair.as_stored();
    let outcome = match pair.weigh(&mut intent, policies) {
        Ok(outcome) => outcome,
        Err(Refusal::Denied(denial, audit)) => {
            return Ok((Verdict::Denied, Answer { denial: Some(*denial), audit, ..Answer::default() }));
        }
        Err(Refusal::Malformed(malformed)) => return Err(malformed),
    };
    let Outcome { verdict, mut notices, warnings, audit } = outcome;
    if !settings.warnings {
        notices.clear();
    }
    notices.extend(warnings);
    let warnings = notices;
    Ok((verdict, Answer { denial: None, patch: patch::operations(pair.new, &intent), warnings, audit }))
}

impl<'a> Pair<'a, '_> {
    /// Makes the intent what the rules say.
    fn weigh(&self, intent: &mut Intent<'a>, policies: &dyn Policies) -> Result<Outcome, Refusal> {
        // On a subresource the spec in the request means nothing: it is reset after admission.
        if self.request.sub_resource.as_deref().is_some_and(|part| !part.is_empty()) {
            return Ok(Outcome::default());
        }
        if let Some(denial) = self.word_denial() {
            return Err(denial.into());
        }
        self.lift(intent);
        let template = |error: serde_json::Error| Malformed::Field {
            field: "spec.template",
            problem: error.to_string(),
        };
        let outcome = match self.templates().map_err(template)? {
            None => {
                let (verdict, mut notices) = self.replay(intent);
                let told = self.consent(intent)?;
                notices.extend(told.notices);
                Outcome { verdict, notices, warnings: told.warnings, audit: None }
            }
            Some((new, old)) => {
                let phase = intent.phase.as_deref().and_then(|text| text.parse().ok());
                let mut before = State { phase, ..intent.own.state() };
                self.remember_what_runs(intent, &mut before, old.as_ref());
                let digest = new.digest();
                if let Some(denial) = self.quarantine_denial(&before, &digest) {
                    return Err(denial.into());
                }
                self.submit(intent, before, &digest, policies)?
            }
        };
        self.keep_pause(intent);
        Ok(outcome)
    }

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

    /// A new template: back to what was let through opens the gate, anything else waits, unless a policy refuses it.
    fn submit(
        &self,
        intent: &mut Intent<'a>,
        before: State,
        digest: &Digest,
        policies: &dyn Policies,
    ) -> Result<Outcome, Refusal> {
        let is = |known: Option<&Digest>| known == Some(digest);
        let opens = is(before.released.as_ref()) || is(before.good.as_ref());
        #[cfg(feature = "seeded-bugs")]
        let opens = opens || self.old.is_some() && ops::seeded::seeded("hold-lets-updates-pass");
        let change = self.change_id(digest);
        intent.own.set(Key::Change, Some(change.to_string()));
        intent.own.set(Key::RequestedBy, Some(self.request.user_info.username.clone()));
        // What stands for the change that waited is not for this one.
        for key in [Key::Traceparent, Key::Attempt, Key::Approvals, Key::Override, Key::DefaultLane] {
            intent.own.set(key, None::<String>);
        }
        let waiting = before.change.filter(|_| self.old_is_closed());
        if opens {
            // Nothing is in flight only if this very template was let through last and reached its end.
            let settled = is(before.released.as_ref()) && is(before.good.as_ref());
            intent.phase = (!settled).then(|| Phase::Released.as_str().to_owned());
            intent.own.set(Key::Gate, Some(Gate::Open.as_str()));
            intent.own.set(Key::Released, Some(digest.to_string()));
            let told = waiting.map(|id| {
                format!("Roadstead: back to a template already let through; change {id} is cancelled")
            });
            let (notices, warnings) = (told.into_iter().collect(), self.idle_orders().into_iter().collect());
            return Ok(Outcome { verdict: Verdict::Opened, notices, warnings, audit: None });
        }
        let Opinion { lane, refusals, mut warnings, audit } = policies.opinion(self.request)?;
        if let Some(denial) = denial::of_policies(refusals) {
            return Err(Refusal::Denied(Box::new(denial), audit));
        }
        intent.phase = Some(Phase::Held.as_str().to_owned());
        intent.own.set(Key::Gate, Some(Gate::Closed.as_str()));
        intent.own.set(Key::DefaultLane, lane.map(Lane::as_str));
        let replaced = waiting.map_or_else(String::new, |id| format!(", in place of {id}"));
        let told = format!("Roadstead: change {change} is accepted and waits for its release{replaced}");
        warnings.extend(self.idle_orders());
        Ok(Outcome { verdict: Verdict::Held, notices: vec![told], warnings, audit })
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
}
