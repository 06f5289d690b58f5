//! No older change after a newer. A Deployment carries one change at a time, and ids never come back: one that does,
//! was written from an old message. The same holds for a template that somebody else than its owner writes.

use super::{super::history::Millis, Step};

/// Where a namespace is opted out, `kubectl rollout undo` brings the keys of an old ReplicaSet back, and nobody is
/// asked; the API server's own view of a namespace's label may be so old.
const WINDOW: Millis = 5_000;

/// Judges a written Deployment.
pub(super) fn judge(step: &Step<'_>) -> Option<String> {
    let change = step.new.state.change.as_ref()?;
    if !step.world.settled(&step.new.name.namespace, step.write.at, WINDOW) {
        return None;
    }
    let carried = &step.world.tracks.get(&step.new.uid)?.changes;
    let newest = carried.last()?;
    let older = newest != change && carried.contains(change);
    older.then(|| {
        let state = if step.new.state.is_closed() { "waits" } else { "is let through" };
        format!("change {change} {state} again, after change {newest} took its place")
    })
}
