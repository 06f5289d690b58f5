//! What the follower knows and decides between two events: which rollouts are judged, whose end is being written,
//! and what is counted.

use std::{collections::BTreeMap, sync::Arc};

use contract::{ChangeId, Lane};
use kube::{api::DynamicObject, runtime::watcher::Event};
use ops::{policies::Policies, readiness::Handle};
use tokio::task::{JoinError, JoinSet};

use super::{
    Follower,
    errand::{Done, Ending, Errands, rolls_out},
    pods::Pods,
    progress::Progress,
    proofs::Proofs,
    rules::Rules,
    view::{Followed, Left, View},
};
use crate::{
    consume::Worker,
    live::{Live, UnixMillis, now},
    slots::{Holder, Uid},
    status::Reports,
};

/// Pause before the end of a rollout is tried again.
const AGAIN: UnixMillis = 2_000;

/// How long the slot of a rollout that left the watch is kept for the change that took its place.
const DEPARTED: UnixMillis = 30_000;

/// The state of the loop.
pub(super) struct Following {
    worker: Arc<Worker>,
    policies: Policies,
    reports: Reports,
    errands: Errands,
    view: View,
    jobs: JoinSet<Done>,
    /// Whether a count is on its way.
    counting: bool,
    /// When each holder took its slot, as of the last count.
    since: BTreeMap<Uid, Holder>,
    /// What left the watch lately.
    departed: BTreeMap<Uid, UnixMillis>,
    /// What left it while its end was being written: most likely because of that.
    leaving: BTreeMap<(Uid, ChangeId), Live>,
    pods: Pods,
    proofs: Proofs,
    ready: Option<Handle>,
}

impl Following {
    pub(super) fn new(follower: Follower, errands: Errands, watches: usize, ready: Handle) -> Self {
        let Follower { worker, policies, reports, crash_loop, .. } = follower;
        Self {
            worker,
            policies,
            reports,
            errands,
            view: View::new(watches),
            jobs: JoinSet::new(),
            counting: false,
            since: BTreeMap::new(),
            departed: BTreeMap::new(),
            leaving: BTreeMap::new(),
            pods: Pods::new(crash_loop),
            proofs: Proofs::default(),
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
        let event = Live::of_event(event)?;
        let (mut count, touched) = match &event {
            Event::Apply(live) | Event::InitApply(live) => {
                // A slot is freed, or taken again, at once.
                (self.view.is_paused(&live.uid) != live.paused, Some(live.uid.clone()))
            }
            event => (matches!(event, Event::InitDone), None),
        };
        let left = self.view.learn(source, event, now());
        self.look_after(left);
        if let Some(uid) = touched {
            self.judge(&uid);
        }
        count &= self.view.is_listed();
        if count {
            self.tick();
        }
        self.worker.metrics.followed(self.view.iter().count());
        Ok(())
    }

    fn look_after(&mut self, left: Left) {
        let now = now();
        for Followed { live, ending, .. } in left {
            if !self.serves(&live) {
                continue;
            }
            self.departed.insert(live.uid.clone(), now);
            match live.state.change.clone().filter(|_| ending) {
                Some(change) => drop(self.leaving.insert((live.uid.clone(), change), live)),
                None => self.ask_why(live),
            }
        }
    }

    /// Has it found out why a rollout left the watch.
    fn ask_why(&mut self, old: Live) {
        let errands = self.errands.clone();
        self.send(async move { errands.departed(&old).await });
    }

    /// Sends somebody on an errand whose end changes nothing here.
    fn send(&mut self, errand: impl Future<Output = ()> + Send + 'static) {
        self.jobs.spawn(async move {
            errand.await;
            Done::Looked
        });
    }

    /// Rollouts elsewhere are nobody's: the label may be anybody's there.
    fn serves(&self, live: &Live) -> bool {
        self.lane(live).is_some()
    }

    /// The lane of a Deployment's changes; `None` where it is not served.
    fn lane(&self, live: &Live) -> Option<Lane> {
        let opted_in = self.worker.releaser.namespaces.get(&live.namespace)?;
        Some(opted_in.lane(live.lane.as_deref(), live.state.default_lane))
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
        let rules = Rules::of(&self.policies, namespaces, live);
        let progress = followed.stands(&rules, &self.proofs, since, now);
        match &progress {
            Progress::Waiting { .. } | Progress::Soaking { .. } => {
                self.proofs.forget(uid);
                return self.goes_on(uid, &rules, now);
            }
            Progress::Checking => {
                let begun = followed.steady.until(&followed.live, since, rules.soak).unwrap_or(now);
                self.check(uid, &rules, begun);
                return self.goes_on(uid, &rules, now);
            }
            Progress::Succeeded | Progress::Failed { .. } => {}
        }
        followed.ending = true;
        let (errands, live) = (self.errands.clone(), Box::new(followed.live.clone()));
        self.jobs.spawn(async move {
            let ending = errands.end(&live, &progress, &rules).await;
            Done::Ended(live, ending)
        });
    }

    /// Has checked what policies ask for, unless that is on its way.
    fn check(&mut self, uid: &Uid, rules: &Rules, begun: UnixMillis) {
        let Some(followed) = self.view.get_mut(uid) else { return };
        let (errands, live, asked) = (self.errands.clone(), followed.live.clone(), rules.checks.clone());
        let Some(stop) = self.proofs.begin(&live, &asked, &errands.stop) else { return };
        self.jobs.spawn(async move {
            let proven = errands.check(&live, &asked, begun, &stop).await;
            Done::Checked(Box::new(live), asked, proven)
        });
    }

    /// Publishes how far a rollout is, and has its pods watched.
    fn goes_on(&mut self, uid: &Uid, rules: &Rules, now: UnixMillis) {
        let Some(followed) = self.view.get_mut(uid) else { return };
        let (errands, live) = (self.errands.clone(), followed.live.clone());
        let (news, step) = (followed.has_news(now), followed.step);
        if let Some((restarts, stop)) = self.pods.watch(followed, now, &errands.stop) {
            let (errands, live) = (errands.clone(), live.clone());
            self.jobs.spawn(async move {
                let crash = errands.watch_pods(&live, restarts, &stop).await;
                Done::Watched(Box::new(live), crash)
            });
        }
        if news {
            let step = step.told(rules);
            self.send(async move { errands.tell_progress(&live, step).await });
        }
    }

    /// The watch of a rollout's pods ended: they crash, or it is to begin anew at the next look.
    fn watched(&mut self, live: &Live, crash: Option<String>) {
        self.pods.ended(live);
        let followed = self.view.get_mut(&live.uid);
        if let Some(followed) = followed.filter(|followed| followed.live.state.change == live.state.change) {
            followed.crashed = crash;
            self.judge(&live.uid);
        }
    }

    fn judge_all(&mut self) {
        let uids: Vec<Uid> = self.view.iter().map(|(uid, _)| uid.clone()).collect();
        for uid in &uids {
            self.judge(uid);
        }
    }

    pub(super) fn tick(&mut self) {
        self.pods.keep(&self.view);
        self.proofs.keep(&self.view);
        let now = now();
        self.departed.retain(|_, at| now - *at < DEPARTED);
        self.judge_all();
        self.report();
        if self.counting || !self.view.is_listed() {
            return;
        }
        self.counting = true;
        let (slots, rolling) = (self.worker.releaser.slots.clone(), self.rolling());
        self.jobs.spawn(async move { Done::Counted(slots.recount(rolling).await.ok()) });
    }

    /// Says of the policies what rolls out under them.
    fn report(&self) {
        let (set, namespaces) = (self.policies.load(), &self.worker.releaser.namespaces);
        let rolls = self.view.iter().filter(|(_, followed)| rolls_out(&followed.live.state));
        let mut in_flight = BTreeMap::new();
        let mut soaking = 0;
        for (_, Followed { live, step, .. }) in rolls {
            soaking += usize::from(step.is_soaking());
            let Some(opted_in) = namespaces.get(&live.namespace) else { continue };
            for policy in set.select(&live.namespace, &opted_in.labels, &live.labels).policies {
                *in_flight.entry(policy.reference.clone()).or_default() += 1;
            }
        }
        self.reports.in_flight(in_flight);
        self.worker.metrics.soaking(soaking);
    }

    /// What rolls out now, as holders of slots.
    fn rolling(&self) -> BTreeMap<Uid, Holder> {
        let rolls = self.view.iter().filter(|(_, followed)| rolls_out(&followed.live.state));
        let judge = &self.worker.releaser.judge;
        let holder = |followed: &Followed| {
            let lane = self.lane(&followed.live)?;
            followed.holder(lane, &judge.selected(&followed.live).limits())
        };
        rolls.filter_map(|(uid, followed)| Some((uid.clone(), holder(followed)?))).collect()
    }

    pub(super) fn done(&mut self, done: Done) {
        match done {
            Done::Looked => {}
            Done::Ended(live, ending) => self.ended(&live, &ending),
            Done::Watched(live, crash) => self.watched(&live, crash),
            Done::Checked(live, asked, proven) => {
                let Some(proven) = proven else { return };
                self.proofs.ended(&live, &asked, proven);
                self.judge(&live.uid);
            }
            Done::Counted(ledger) => {
                self.counting = false;
                let Some(ledger) = ledger else { return };
                for (uid, holder) in ledger.orphans(&self.rolling(), now()) {
                    if self.departed.contains_key(&uid) {
                        continue;
                    }
                    let errands = self.errands.clone();
                    self.send(async move { errands.orphaned(&uid, &holder).await });
                }
                self.since = ledger.holders;
                if self.ready.take().is_some() {
                    self.judge_all();
                }
            }
        }
    }

    fn ended(&mut self, live: &Live, ending: &Ending) {
        let change = live.state.change.clone();
        let left = change.and_then(|change| self.leaving.remove(&(live.uid.clone(), change)));
        if let Ending::Written(generation) = ending {
            self.view.forget(&live.uid, *generation);
            self.worker.metrics.followed(self.view.iter().count());
            return;
        }
        if let Some(old) = left {
            self.ask_why(old);
        }
        if matches!(ending, Ending::RolledBack) {
            // Its watch tells of the change that took its place.
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
