//! Nothing is let through but what was verified: the same object, the same change, and the template whose digest was
//! written down. A template that changes behind an open gate is let through as well: only a way back may.

use contract::{Gate, Phase};

use super::{
    super::history::{Limits, Millis},
    Step,
};

/// The API server's own view of a namespace's label may be so old.
const WINDOW: Millis = 5_000;

/// Judges a written Deployment.
pub(super) fn judge(step: &Step<'_>, limits: &Limits) -> Option<String> {
    let settled = step.world.settled(&step.new.name.namespace, step.write.at, WINDOW);
    // Where a namespace is opted out nobody keeps a user from writing our keys.
    if !settled && step.write.by.as_deref() != Some(&limits.executor) {
        return None;
    }
    if step.opens() { opened(step, limits) } else { template(step, limits, settled) }
}

/// The gate opened: a release by the executor, or its sweep of a namespace that was opted out.
fn opened(step: &Step<'_>, limits: &Limits) -> Option<String> {
    let (old, new) = (&step.old?.state, &step.new.state);
    let by = step.write.by.as_deref().unwrap_or("nobody that is known");
    if !step.may_be_by(&limits.executor) {
        return Some(format!("the gate was opened by {by}"));
    }
    if new.phase != Some(Phase::Released) {
        return swept(step);
    }
    if old.change != new.change {
        return Some(format!(
            "what waited was change {:?}, what was let through {:?}",
            old.change, new.change
        ));
    }
    if new.released.as_ref() != Some(&step.new.digest) {
        let released = new.released.as_ref().map_or("nothing", |digest| digest.as_str());
        return Some(format!(
            "the template is {}, what was let through is {released}",
            step.new.digest.as_str()
        ));
    }
    new.paused.then(|| "our pause was left on it".to_owned())
}

/// Opened without being a release: only by a sweep after the namespace was opted out while the change waited, or
/// where no change waited.
fn swept(step: &Step<'_>) -> Option<String> {
    let change = step.old?.state.change.as_ref()?;
    let track = step.world.tracks.get(&step.new.uid)?;
    let accepted = track.accepted.iter().rev().find(|accepted| accepted.change == *change);
    let standing = step.world.namespaces.get(&step.new.name.namespace)?;
    let since = accepted.map_or(0, |accepted| accepted.revision);
    (!standing.was_out_since(since))
        .then(|| format!("change {change} was opened without a release, in a namespace that is opted in"))
}

/// A new template: it waits, or it is a way back. Where the namespace is opted out nobody is asked.
fn template(step: &Step<'_>, limits: &Limits, settled: bool) -> Option<String> {
    let new = &step.new.state;
    if !step.is_new_template() || new.is_closed() || !settled {
        return None;
    }
    let Some(old) = step.old else { return Some("it was created and not held".to_owned()) };
    // What was let through last, or what succeeded last.
    let known = [old.state.released.as_ref(), old.state.good.as_ref()].contains(&Some(&step.new.digest));
    if new.gate == Some(Gate::Open) && known && new.quarantined == old.state.quarantined {
        return None;
    }
    let rolled_back = new.quarantined.contains(&old.digest) && known && step.may_be_by(&limits.executor);
    (!rolled_back).then(|| "a new template was stored behind an open gate, and it is no way back".to_owned())
}
