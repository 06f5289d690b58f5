//! What the follower has done beside its loop: writing the end of a rollout, finding out why one left the watch,
//! freeing slots that nobody uses.

use std::{num::NonZeroU32, sync::Arc};

use contract::{Gate, Phase, State};
use json_patch::Patch;
use ops::{chain, policies::Policies};
use tokio_util::sync::CancellationToken;

use super::{
    crash, end,
    progress::Progress,
    proofs::Proven,
    rules::{Rules, Way},
    stage::Detail,
};
use crate::{
    checks::{Asked, Checks},
    consume::Worker,
    error::{Failure, Remedy},
    event::Subject,
    live::{Live, UnixMillis},
    slots::{Holder, Ledger, Slots, Uid},
};

/// What an errand needs.
#[derive(Clone)]
pub(super) struct Errands {
    pub(super) worker: Arc<Worker>,
    pub(super) policies: Policies,
    pub(super) checks: Checks,
    pub(super) stop: CancellationToken,
}

/// What an errand came to.
pub(super) enum Done {
    Ended(Box<Live>, Ending),
    Counted(Option<Ledger>),
    Watched(Box<Live>, Option<String>),
    /// `None`: nobody wants to know it any more.
    Checked(Box<Live>, Vec<Asked>, Option<Proven>),
    Looked,
}

/// What became of the end of a rollout.
pub(super) enum Ending {
    /// It is written, at this generation.
    Written(i64),
    /// The last good template is in flight in its place: its watch tells more.
    RolledBack,
    /// The object changed meanwhile: its watch tells more.
    Lost,
    /// The API server did not do it.
    Failed,
}

impl Errands {
    fn slots(&self) -> &Slots {
        &self.worker.releaser.slots
    }

    /// Brings a rollout to its end on the object: success, failure, or the way back where its owner wants one.
    pub(super) async fn end(&self, live: &Live, progress: &Progress, rules: &Rules) -> Ending {
        if live.owned_by_rollback
            && let Err(failure) = self.rollbacks().let_go(live).await
        {
            tracing::debug!(error = chain(&failure), "a rollback still owns fields");
        }
        match (progress, &rules.way) {
            (Progress::Succeeded, _) => {
                self.write(live, Phase::Succeeded, end::succeeded(live), &rules.fulfilled()).await
            }
            (Progress::Failed { reason }, Way::Keep) => {
                self.write(live, Phase::Failed, end::failed(live), reason).await
            }
            (Progress::Failed { reason }, Way::Back) => self.roll_back(live, reason).await,
            (Progress::Failed { reason }, Way::Pause(policies)) => self.pause(live, reason, policies).await,
            (Progress::Waiting { .. } | Progress::Soaking { .. } | Progress::Checking, _) => Ending::Lost,
        }
    }

    /// Runs what policies ask for after the soak until it has come to an end or nobody wants to know any more.
    pub(super) async fn check(
        &self,
        live: &Live,
        asked: &[Asked],
        begun: UnixMillis,
        stop: &CancellationToken,
    ) -> Option<Proven> {
        let proven = tokio::select! {
            proven = self.checks.run(live, asked, begun) => proven,
            () = stop.cancelled() => return None,
        };
        self.worker.metrics.checked(proven.is_ok());
        Some(proven)
    }

    pub(super) async fn tell_end(
        &self,
        about: &Subject<'_>,
        phase: Phase,
        message: &str,
    ) -> Result<(), Failure> {
        self.tell_release(about).await?;
        self.worker.events.tell(about, phase, message).await
    }

    /// Writes the end of a rollout, tells of it, and frees its slot. It is told of before it is written while NATS is
    /// there: a process that dies in between leaves the object as it was, and the next one tells the same again.
    pub(super) async fn write(
        &self,
        live: &Live,
        phase: Phase,
        patch: Option<Patch>,
        message: &str,
    ) -> Ending {
        let (Some(patch), Some(about)) = (patch, Subject::of(live)) else { return Ending::Lost };
        let told = self.tell_end(&about, phase, message).await;
        let generation = match self.worker.releaser.deployments.patch(live, patch).await {
            Ok(written) => written.generation,
            Err(failure) if matches!(failure.remedy(), Remedy::Gone | Remedy::ReadAgain) => {
                return Ending::Lost;
            }
            Err(failure) => return not_yet(live, &failure),
        };
        self.free(&live.uid, live.generation).await;
        if told.is_err() {
            self.worker.events.tell_surely(&about, phase, message, &self.stop).await;
        }
        Ending::Written(generation)
    }

    /// The release is told of before its end: whoever let the change through may still be at it, and what the webhook
    /// opened at once, nobody tells of otherwise.
    async fn tell_release(&self, about: &Subject<'_>) -> Result<(), Failure> {
        let events = &self.worker.events;
        if events.is_release_told(about).await? {
            return Ok(());
        }
        events.tell(about, Phase::Released, "let through").await
    }

    /// Publishes how far a rollout is; what is lost is followed by more.
    pub(super) async fn tell_progress(&self, live: &Live, step: Detail) {
        if let Err(failure) = self.worker.events.tell_progress(live, step).await {
            tracing::debug!(deployment = live.name, error = chain(&failure), "progress is not published");
        }
    }

    /// Watches a rollout's pods until they crash or nobody wants to know any more.
    pub(super) async fn watch_pods(
        &self,
        live: &Live,
        restarts: NonZeroU32,
        stop: &CancellationToken,
    ) -> Option<String> {
        tokio::select! {
            crash = crash::watch(&self.worker.releaser.deployments, live, restarts) => crash,
            () = stop.cancelled() => None,
        }
    }

    /// A rollout left the watch, or another change took it over: says what became of it, and what is to follow.
    pub(super) async fn departed(&self, old: &Live) {
        let live = match self.worker.releaser.deployments.get(&old.namespace, &old.name).await {
            Ok(live) => live.filter(|live| live.uid == old.uid && !live.deleting),
            Err(failure) => {
                // Its slot is freed after the grace, and its change's message has its turn.
                tracing::debug!(
                    deployment = old.name,
                    error = chain(&failure),
                    "a rollout left for unknown reasons"
                );
                return;
            }
        };
        let Some(about) = Subject::of(old) else { return };
        let events = &self.worker.events;
        let Some(live) = live else {
            self.free(&old.uid, i64::MAX).await;
            events.tell_surely(&about, Phase::Cancelled, "the Deployment is gone", &self.stop).await;
            return;
        };
        if live.state.change == old.state.change {
            // Another executor wrote its end and freed its slot, or its namespace is opted out.
            return;
        }
        if live.state.is_closed() {
            self.worker.inherit(&live).await;
        } else if live.state.phase != Some(Phase::Released) {
            self.free(&old.uid, live.generation).await;
        }
        if live.state.quarantined.contains(&old.digest) {
            // Somebody rolled it back; he may have died before he said so.
            if let Err(failure) = self.tell_end(&about, Phase::Failed, "its rollout failed").await {
                tracing::debug!(error = chain(&failure), "a failure is told of by who saw it");
            }
            self.tell_rollback(old, None).await;
            return;
        }
        let succeeded = live.state.last_good() == Some(&old.digest);
        if let (false, Some(by)) = (succeeded, &live.state.change) {
            let message = format!("change {by} took its place during the rollout");
            events.tell_surely(&about, Phase::Superseded, &message, &self.stop).await;
        }
    }

    /// Frees the slot of a holder that is not seen to roll out, if it really does not.
    pub(super) async fn orphaned(&self, uid: &Uid, holder: &Holder) {
        let live = match self.worker.releaser.deployments.get(&holder.namespace, &holder.name).await {
            Ok(live) => live.filter(|live| live.uid == *uid),
            Err(failure) => {
                tracing::debug!(deployment = holder.name, error = chain(&failure), "a slot may be unused");
                return;
            }
        };
        let opted_in = self.worker.releaser.namespaces.get(&holder.namespace).is_some();
        if opted_in && live.as_ref().is_some_and(|live| rolls_out(&live.state)) {
            return;
        }
        tracing::info!(
            namespace = holder.namespace,
            deployment = holder.name,
            "a slot that nobody uses is freed"
        );
        // A newer generation may be taking it over just now.
        self.free(uid, holder.generation).await;
    }

    async fn free(&self, uid: &str, generation: i64) {
        if let Err(error) = self.slots().free(uid, generation).await {
            tracing::debug!(%error, "a slot is freed after the grace");
        }
    }
}

pub(super) fn not_yet(live: &Live, failure: &Failure) -> Ending {
    tracing::warn!(
        namespace = live.namespace,
        deployment = live.name,
        error = chain(failure),
        "the end of a rollout is not written yet"
    );
    Ending::Failed
}

/// Whether a change is in flight.
pub(super) fn rolls_out(state: &State) -> bool {
    state.gate == Some(Gate::Open) && state.phase == Some(Phase::Released) && state.change.is_some()
}
