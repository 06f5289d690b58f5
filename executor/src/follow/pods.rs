//! Whose pods are watched: those of rollouts that take a while, each for one change.

use std::{collections::BTreeMap, num::NonZeroU32};

use contract::ChangeId;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::view::{Followed, View};
use crate::{
    live::{Live, UnixMillis},
    slots::Uid,
};

/// Age of a rollout whose pods are looked at: most are over before, and no container crashes again and again in less.
const YOUNG: UnixMillis = 3_000;

/// Whose pods are watched.
pub(super) struct Pods {
    /// Restarts of a container that fail a rollout.
    restarts: Option<NonZeroU32>,
    watched: BTreeMap<Uid, (ChangeId, DropGuard)>,
}

impl Pods {
    pub(super) fn new(restarts: Option<NonZeroU32>) -> Self {
        Self { restarts, watched: BTreeMap::new() }
    }

    /// Whether a rollout's pods are to be watched from now on; if so, after how many restarts one crashes again and
    /// again, and when to end.
    pub(super) fn watch(
        &mut self,
        followed: &Followed,
        now: UnixMillis,
        stop: &CancellationToken,
    ) -> Option<(NonZeroU32, CancellationToken)> {
        let (live, restarts) = (&followed.live, self.restarts?);
        let change = live.state.change.as_ref()?;
        let is_watched = self.watched.get(&live.uid).is_some_and(|(watched, _)| watched == change);
        let has_pods = live.is_observed() && live.status.updated > 0;
        if is_watched || !has_pods || followed.crashed.is_some() || now - followed.since < YOUNG {
            return None;
        }
        let stop = stop.child_token();
        self.watched.insert(live.uid.clone(), (change.clone(), stop.clone().drop_guard()));
        Some((restarts, stop))
    }

    /// Ends the watches of what rolls out no more.
    pub(super) fn keep(&mut self, view: &View) {
        self.watched.retain(|uid, (change, _)| view.change(uid) == Some(change));
    }

    /// A watch has ended.
    pub(super) fn ended(&mut self, live: &Live) {
        let same = |(change, _): &(ChangeId, DropGuard)| Some(change) == live.state.change.as_ref();
        if self.watched.get(&live.uid).is_some_and(same) {
            self.watched.remove(&live.uid);
        }
    }
}
