//! What the follower knows and decides between two events: which rollouts are judged, whose end is being written,
//! and what is counted.

use std::{collections::BTreeMap, sync::Arc};

use kube::{api::DynamicObject, runtime::watcher::Event};
use ops::readiness::Handle;
use tokio::task::{JoinError, JoinSet};

use super::{
    errand::{Ending, Errands, rolls_out},
    progress::{Progress, progress},
    view::{Left, View},
};
use crate::{
    consume::Worker,
    live::{Live, UnixMillis, now},
    slots::{Holder, Ledger, Uid},
};

/// Pause before the end of a rollout is tried again.
const AGAIN: UnixMillis = 2_000;

/// How long the slot of a rollout that left the watch is kept for the change that took its place.
const DEPARTED: UnixMillis = 30_000;

/// What an errand came to.
pub(super) enum Done {
    Ended(Box<Live>, Ending),
    Counted(Option<Ledger>),
    Looked,
}

/// The state of the loop.
pub(super) struct Following {
    worker: Arc<Worker>,
    errands: Errands,
    view: View,
    jobs: JoinSet<Done>,
    /// Whether a count is on its way.
    counting: bool,
    /// When each holder took its slot, as of the last count.
    since: BTreeMap<Uid, Holder>,
    /// What left the watch lately.
    departed: BTreeMap<Uid, UnixMillis>,
    ready: Option<Handle>,
}

impl Following {
    pub(super) fn new(worker: Arc<Worker>, errands: Errands, watches: usize, ready: Handle) -> Self {
        Self {
            worker,
            errands,
            view: View::new(watches),
            jobs: JoinSet::new(),
            counting: false,
            since: BTreeMap::new(),
            departed: BTreeMap::new(),
            ready: Some(ready),
        }
    }

    /// The next errand that ends, if any is on its way.
    pub(super) async fn errand(&mut self) -> Option<Result<Done, JoinError>> {
        self.jobs.join_next().await
    }

    /// Takes an event of a watch in.
    pub(super) fn learn(
        &mut self,
        source: usize,
        event: Event<DynamicObject>,
    ) -> Result<(), serde_json::Error> {
        let event = match event {
            Event::Init => Event::Init,
            Event::InitDone => Event::InitDone,
            Event::InitApply(object) => Event::InitApply(Live::of(&object)?),
            Event::Apply(object) => Event::Apply(Live::of(&object)?),
            Event::Delete(object) => Event::Delete(Live::of(&object)?),
        };
        let (listed, touched) = match &event {
            Event::Apply(live) | Event::InitApply(live) => (false, Some(live.uid.clone())),
            event => (matches!(event, Event::InitDone), None),
        };
        let left = self.view.learn(source, event, now());
        self.look_after(left);
        if let Some(uid) = touched {
            self.judge(&uid);
        }
        if listed {
            self.tick();
        }
        self.worker.metrics.followed(self.view.iter().count());
        Ok(())
    }

    fn look_after(&mut self, left: Left) {
        let now = now();
        self.departed.retain(|_, at| now - *at < DEPARTED);
        for old in left {
            if !self.serves(&old) {
                continue;
            }
            self.departed.insert(old.uid.clone(), now);
            let errands = self.errands.clone();
            self.jobs.spawn(async move {
                errands.departed(&old).await;
                Done::Looked
            });
        }
    }

    /// Rollouts elsewhere are nobody's: the label may be anybody's there.
    fn serves(&self, live: &Live) -> bool {
        self.worker.releaser.namespaces.get(&live.namespace).is_some()
    }

    /// Whether a rollout has come to its end; if so, has it written. Not before the first count: its slot could not
    /// be freed.
    fn judge(&mut self, uid: &Uid) {
        if self.ready.is_some() {
            return;
        }
        let Some(followed) = self.view.get_mut(uid) else { return };
        let live = &followed.live;
        let (now, namespaces) = (now(), &self.worker.releaser.namespaces);
        if followed.ending
            || followed.not_before > now
            || !rolls_out(&live.state)
            || namespaces.get(&live.namespace).is_none()
        {
            return;
        }
        let held = self.since.get(uid).filter(|holder| Some(&holder.change) == live.state.change.as_ref());
        let since = held.map_or(followed.since, |holder| holder.since.min(followed.since));
        let progress = progress(live, since, now);
        if let Progress::Waiting { updated, wanted } = progress {
            tracing::debug!(deployment = live.name, updated, wanted, "rolls out");
            return;
        }
        followed.ending = true;
        let (errands, live) = (self.errands.clone(), Box::new(followed.live.clone()));
        self.jobs.spawn(async move {
            let ending = errands.end(&live, &progress).await;
            Done::Ended(live, ending)
        });
    }

    fn judge_all(&mut self) {
        let uids: Vec<Uid> = self.view.iter().map(|(uid, _)| uid.clone()).collect();
        for uid in &uids {
            self.judge(uid);
        }
    }

    pub(super) fn tick(&mut self) {
        self.judge_all();
        if self.counting || !self.view.is_listed() {
            return;
        }
        self.counting = true;
        let (slots, rolling) = (self.worker.releaser.slots.clone(), self.rolling());
        self.jobs.spawn(async move { Done::Counted(slots.recount(rolling).await.ok()) });
    }

    /// What rolls out now, as holders of slots.
    fn rolling(&self) -> BTreeMap<Uid, Holder> {
        let rolls = self
            .view
            .iter()
            .filter(|(_, followed)| rolls_out(&followed.live.state) && self.serves(&followed.live));
        rolls
            .filter_map(|(uid, followed)| Some((uid.clone(), Holder::of(&followed.live, followed.since)?)))
            .collect()
    }

    pub(super) fn done(&mut self, done: Done) {
        match done {
            Done::Looked => {}
            Done::Ended(live, ending) => self.ended(&live, &ending),
            Done::Counted(ledger) => {
                self.counting = false;
                let Some(ledger) = ledger else { return };
                for (uid, holder) in ledger.orphans(&self.rolling(), now()) {
                    if self.departed.contains_key(&uid) {
                        continue;
                    }
                    let errands = self.errands.clone();
                    self.jobs.spawn(async move {
                        errands.orphaned(&uid, &holder).await;
                        Done::Looked
                    });
                }
                self.since = ledger.holders;
                if self.ready.take().is_some() {
                    self.judge_all();
                }
            }
        }
    }

    fn ended(&mut self, live: &Live, ending: &Ending) {
        if let Ending::Written(generation) = ending {
            self.view.forget(&live.uid, *generation);
            self.worker.metrics.followed(self.view.iter().count());
            return;
        }
        let followed = self.view.get_mut(&live.uid);
        if let Some(followed) = followed.filter(|followed| followed.live.state.change == live.state.change) {
            followed.ending = false;
            // What was lost to somebody else is judged anew: the watch may have told of it meanwhile.
            followed.not_before = if matches!(ending, Ending::Lost) { 0 } else { now() + AGAIN };
        }
    }
}
