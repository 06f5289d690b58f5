//! Nothing is left behind when all is quiet: no closed gate, no rollout that nobody ends, no pause of ours. What was
//! given up stays closed, and the label of a failure stays: those are ends.

use contract::Phase;

use super::{super::history::Deployment, Rule, Violation, world::World};

/// Judges the last version of every Deployment.
pub(super) fn judge(world: &World) -> Vec<Violation> {
    let alive = world.tracks.values().filter(|track| track.gone.is_none());
    let judged = alive.filter_map(|track| {
        let last = track.last();
        let message = left(&last.seen)?;
        let (revision, at, name) = (last.revision, last.at, last.seen.name.clone());
        Some(Violation { rule: Rule::Quiet, revision, at, name, message })
    });
    judged.collect()
}

/// What is left on it, if anything is.
pub(in super::super) fn left(deployment: &Deployment) -> Option<String> {
    let state = &deployment.state;
    let change = state.change.as_ref().map_or("-", |change| change.as_str());
    if state.phase == Some(Phase::Dead) {
        return None;
    }
    let over = matches!(state.phase, None | Some(Phase::Failed));
    if state.is_closed() {
        return Some(format!("change {change} is still held"));
    }
    if let Some(phase) = state.phase.filter(|_| !over) {
        return Some(format!("change {change} is still {phase}"));
    }
    state.paused.then(|| format!("it is still paused by Roadstead, after change {change}"))
}
