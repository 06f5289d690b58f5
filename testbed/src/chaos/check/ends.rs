//! Every accepted change comes to an end. By the object: a newer one took its place, the Deployment is gone, or its
//! phase ended; what did not, is found by the rule of the quiet end. By the events: whatever was told to be let
//! through has an end that was told, unless NATS lost it or nobody served the namespace any more.

use std::collections::{BTreeMap, BTreeSet};

use contract::{ChangeId, Phase};

use super::{
    super::history::{History, Millis, Told},
    Rule, Violation,
    world::{Track, World},
};

/// So long after the end on the object it may be told.
const LATE: Millis = 30_000;

type Key<'a> = (&'a str, &'a ChangeId);

/// Judges the events.
pub(super) fn judge(world: &World, history: &History) -> Vec<Violation> {
    let mut phases: BTreeMap<Key<'_>, BTreeSet<&'static str>> = BTreeMap::new();
    let mut first: BTreeMap<Key<'_>, &Told> = BTreeMap::new();
    for told in &history.told {
        let key = (told.uid.as_str(), &told.change);
        phases.entry(key).or_default().insert(told.phase.as_str());
        if told.phase == Phase::Released {
            first.entry(key).or_insert(told);
        }
    }
    let mut found = Vec::new();
    for (key, told) in first {
        let Some(track) = world.tracks.get(key.0) else { continue };
        let say = |rule, message| Violation {
            rule,
            revision: 0,
            at: told.at,
            name: told.name.clone(),
            message: format!("change {} {message}", told.change),
        };
        if !was_open(track, key.1) {
            found.push(say(Rule::Match, "is told to be let through and never was"));
        }
        let ended = phases[&key].iter().any(|phase| !matches!(*phase, "held" | "released"));
        if history.quiet && !ended && !excused(world, history, track, told) {
            found.push(say(Rule::Ends, "was let through, and no event tells of its end"));
        }
    }
    found
}

fn was_open(track: &Track, change: &ChangeId) -> bool {
    let open = |version: &super::world::Version| {
        version.seen.state.change.as_ref() == Some(change) && !version.seen.state.is_closed()
    };
    track.versions.iter().any(open)
}

/// Whether its end may have been told to nobody.
fn excused(world: &World, history: &History, track: &Track, told: &Told) -> bool {
    let of_it = |version: &&super::world::Version| version.seen.state.change.as_ref() == Some(&told.change);
    let from = track.versions.iter().find(of_it).map_or(told.at, |version| version.at);
    let after = track.versions.iter().skip_while(|version| !of_it(version)).find(|version| !of_it(version));
    let end = after.map(|version| version.at).or(track.gone).unwrap_or(told.at);
    // Where it carries this change to the end, its phase ended with the last version.
    let end = end.max(if after.is_none() { track.last().at } else { 0 });
    let lost = history.lossy.iter().any(|span| span.from <= end + LATE && span.to >= from);
    let standing = world.namespaces.get(&told.name.namespace);
    lost || standing.is_none_or(|standing| standing.was_out_between(from, end + LATE))
}
