//! The world as it is known at one revision: every version of every Deployment so far, the ReplicaSets, and how the
//! namespaces stand.

use std::collections::BTreeMap;

use contract::ChangeId;

use super::super::history::{Deployment, Millis, Name, Namespace, ReplicaSet, Revision, What, Write};

/// One version of a Deployment.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) revision: Revision,
    pub(super) at: Millis,
    pub(super) seen: Deployment,
}

/// A change that was accepted: it was stored with its gate closed.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) change: ChangeId,
    pub(super) revision: Revision,
}

/// One Deployment, from its creation to its end.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) versions: Vec<Version>,
    /// Every change that it carried, in order; accepted ones and ways back.
    pub(super) changes: Vec<ChangeId>,
    pub(super) accepted: Vec<Accepted>,
    pub(super) gone: Option<Millis>,
}

/// How a namespace stands, and stood.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) now: Namespace,
    /// What it was before, and until when.
    was: Vec<(Namespace, Millis)>,
    outs: Vec<Out>,
}

/// A time in which a namespace was opted out.
#[derive(Clone, Debug)]
struct Out {
    from: Millis,
    /// When and at which revision it was opted in again.
    to: Option<(Revision, Millis)>,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) tracks: BTreeMap<String, Track>,
    pub(super) namespaces: BTreeMap<String, Standing>,
    names: BTreeMap<Name, String>,
    sets: BTreeMap<Name, ReplicaSet>,
}

impl Track {
    /// The newest version.
    pub(super) fn last(&self) -> &Version {
        &self.versions[self.versions.len() - 1]
    }

    /// Whether one of the versions that stood at some time in the last `window` is as `is` says.
    pub(super) fn lately(&self, now: Millis, window: Millis, is: impl Fn(&Deployment) -> bool) -> bool {
        let mut until = None;
        for version in self.versions.iter().rev() {
            if until.is_some_and(|until: Millis| until + window < now) {
                return false;
            }
            if is(&version.seen) {
                return true;
            }
            until = Some(version.at);
        }
        false
    }
}

impl Standing {
    /// What it was at some time in the last `window`.
    pub(super) fn lately(&self, now: Millis, window: Millis) -> impl Iterator<Item = &Namespace> {
        let was = self.was.iter().filter(move |(_, until)| until + window >= now).map(|(was, _)| was);
        was.chain([&self.now])
    }

    /// Whether it was opted in all the time since `window` ago.
    pub(super) fn settled(&self, now: Millis, window: Millis) -> bool {
        let back = self.outs.last().and_then(|out| out.to);
        self.now.enabled && back.is_none_or(|(_, at)| at + window < now)
    }

    /// Whether it was opted out at some time after that revision.
    pub(super) fn was_out_since(&self, revision: Revision) -> bool {
        self.outs.iter().any(|out| out.to.is_none_or(|(back, _)| back > revision))
    }

    /// Whether it was opted out at some time in between.
    pub(super) fn was_out_between(&self, from: Millis, to: Millis) -> bool {
        self.outs.iter().any(|out| out.from <= to && out.to.is_none_or(|(_, back)| back >= from))
    }
}

impl World {
    /// The version of this very object that is stored now.
    pub(super) fn stored(&self, new: &Deployment) -> Option<&Deployment> {
        let track = self.tracks.get(&new.uid).filter(|track| track.gone.is_none())?;
        Some(&track.last().seen)
    }

    /// The Deployment of that name.
    pub(super) fn uid(&self, name: &Name) -> Option<&String> {
        self.names.get(name)
    }

    /// The ReplicaSet of that name.
    pub(super) fn set(&self, name: &Name) -> Option<&ReplicaSet> {
        self.sets.get(name)
    }

    /// The name of the Deployment that owns a ReplicaSet, or else its own.
    pub(super) fn owner_name(&self, set: &ReplicaSet) -> Name {
        self.tracks.get(&set.owner).map_or_else(|| set.name.clone(), |track| track.last().seen.name.clone())
    }

    /// Whether a namespace was opted in all the time since `window` ago; one that is not known is not.
    pub(super) fn settled(&self, namespace: &str, now: Millis, window: Millis) -> bool {
        self.namespaces.get(namespace).is_some_and(|standing| standing.settled(now, window))
    }

    pub(super) fn learn(&mut self, write: &Write) {
        match &write.what {
            What::Deployment(new) => self.stored_anew(write, new),
            What::DeploymentGone(name) => {
                if let Some(track) = self.names.remove(name).and_then(|uid| self.tracks.get_mut(&uid)) {
                    track.gone = Some(write.at);
                }
            }
            What::ReplicaSet(set) => drop(self.sets.insert(set.name.clone(), set.clone())),
            What::ReplicaSetGone(name) => drop(self.sets.remove(name)),
            What::Namespace(new) => self.opted(write, new),
        }
    }

    fn stored_anew(&mut self, write: &Write, new: &Deployment) {
        self.names.insert(new.name.clone(), new.uid.clone());
        let track = self.tracks.entry(new.uid.clone()).or_insert_with(|| Track {
            versions: Vec::new(),
            changes: Vec::new(),
            accepted: Vec::new(),
            gone: None,
        });
        let (revision, at) = (write.revision, write.at);
        if let Some(change) = &new.state.change
            && track.changes.last() != Some(change)
        {
            track.changes.push(change.clone());
            if new.state.is_closed() {
                track.accepted.push(Accepted { change: change.clone(), revision });
            }
        }
        track.versions.push(Version { revision, at, seen: new.clone() });
    }

    fn opted(&mut self, write: &Write, new: &Namespace) {
        let known = self.namespaces.entry(new.name.clone());
        // Nothing was in it before it was there.
        let standing = known.or_insert_with(|| Standing {
            now: Namespace { enabled: true, ..new.clone() },
            was: Vec::new(),
            outs: Vec::new(),
        });
        match (standing.now.enabled, new.enabled) {
            (true, false) => standing.outs.push(Out { from: write.at, to: None }),
            (false, true) => {
                if let Some(out) = standing.outs.last_mut() {
                    out.to = Some((write.revision, write.at));
                }
            }
            _ => {}
        }
        let was = std::mem::replace(&mut standing.now, new.clone());
        standing.was.push((was, write.at));
    }
}
