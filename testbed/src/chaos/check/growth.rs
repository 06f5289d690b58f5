//! No pod of a change that was not let through. Pods come from ReplicaSets, and a ReplicaSet that is created or grows
//! has to have had its owner's leave: an open gate with this very template.

use super::{
    super::history::{Deployment, Millis, ReplicaSet, Write},
    world::World,
};

/// The gate reads the owner a moment before the ReplicaSet is stored; the controller's own view of an open owner is
/// older still. What was allowed in this time may still happen. A change that was never let through never was.
const WINDOW: Millis = 15_000;

/// Judges a written ReplicaSet.
pub(super) fn judge(world: &World, write: &Write, new: &ReplicaSet) -> Option<String> {
    let before = world.set(&new.name).map_or(0, |old| old.replicas);
    if new.replicas <= before || !world.settled(&new.name.namespace, write.at, WINDOW) {
        return None;
    }
    let owner = world.tracks.get(&new.owner)?;
    let same = |owner: &Deployment| owner.digest == new.digest;
    // What runs while a change waits: it may have been scaled to none, and is scaled up again.
    let runs = |owner: &Deployment| {
        [&owner.state.released, &owner.state.good]
            .into_iter()
            .any(|known| known.as_ref() == Some(&new.digest))
    };
    let allowed = if before == 0 {
        let allows = |owner: &Deployment| if owner.state.is_closed() { runs(owner) } else { same(owner) };
        owner.lately(write.at, WINDOW, allows)
    } else {
        // An old one with pods is scaled while a change waits.
        owner.lately(write.at, WINDOW, |owner| !owner.state.is_closed() || !same(owner))
    };
    let change = owner.last().seen.state.change.as_ref().map_or("-", |change| change.as_str());
    (!allowed).then(|| {
        format!(
            "{} went from {before} to {} pods, its template {} was not let through; the owner carries change {change}",
            new.name.name,
            new.replicas,
            short(new.digest.as_str()),
        )
    })
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
