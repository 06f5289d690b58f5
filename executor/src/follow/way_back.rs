//! The follower's part in a rollback: what is told of it, and what is done where there is none.

use contract::{Phase, key::LIFT};

use super::{
    end,
    errand::{Ending, Errands, not_yet},
};
use crate::{
    event::{Subject, images},
    live::Live,
    replica_sets::{self, Fresh},
    rollback::{Prepared, Rollback, Rollbacks},
};

impl Errands {
    pub(super) fn rollbacks(&self) -> Rollbacks<'_> {
        let worker = &self.worker;
        Rollbacks {
            deployments: &worker.releaser.deployments,
            context: worker.events.context(),
            cluster: &worker.cluster,
        }
    }

    /// Restores the last good template. The failure is told of before, as every end is; where there is no way back,
    /// it is a failure like any other.
    pub(super) async fn roll_back(&self, live: &Live, reason: &str) -> Ending {
        let plan = match self.rollbacks().prepare(live).await {
            Ok(Prepared::Ready(plan)) => *plan,
            Ok(Prepared::Lost) => return Ending::Lost,
            Ok(Prepared::Impossible(why)) => {
                let message = format!("{reason}; not rolled back: {why}");
                return self.write(live, Phase::Failed, end::failed(live), &message).await;
            }
            Err(failure) => return not_yet(live, &failure),
        };
        let Some(about) = Subject::of(live) else { return Ending::Lost };
        let told = self.tell_end(&about, Phase::Failed, reason).await;
        let images = plan.images.clone();
        match self.rollbacks().apply(plan).await {
            Ok(Rollback::Done) => {}
            Ok(Rollback::Lost) => return Ending::Lost,
            Ok(Rollback::Refused(why)) => {
                let (namespace, deployment) = (&live.namespace, &live.name);
                tracing::warn!(namespace, deployment, why, "the last good template cannot be restored");
                let message = format!("{reason}; not rolled back: {why}");
                return self.write(live, Phase::Failed, end::failed(live), &message).await;
            }
            Err(failure) => return not_yet(live, &failure),
        }
        self.worker.metrics.rolled_back();
        if told.is_err() {
            self.worker.events.tell_surely(&about, Phase::Failed, reason, &self.stop).await;
        }
        self.tell_rollback(live, Some(&images)).await;
        Ending::RolledBack
    }

    /// That a change was rolled back: told by whoever sees it, and kept once.
    pub(super) async fn tell_rollback(&self, failed: &Live, images: Option<&str>) {
        let looked_up = if images.is_none() { self.images_back(failed).await } else { None };
        let images = images.or(looked_up.as_deref()).unwrap_or("back to the template before");
        let Some(about) = Subject::of(failed) else { return };
        let about = about.with_images(images);
        let message = format!(
            "it failed; the last good template is restored and this one is quarantined until \
             `kubectl annotate deployment {} -n {} {}={} --overwrite`",
            failed.name,
            failed.namespace,
            LIFT,
            &failed.digest.as_str()[..12],
        );
        self.worker.events.tell_surely(&about, Phase::RolledBack, &message, &self.stop).await;
    }

    /// What a rollback that somebody else wrote does to the images.
    async fn images_back(&self, failed: &Live) -> Option<String> {
        let deployments = &self.worker.releaser.deployments;
        let object = deployments.read(&failed.namespace, &failed.name).await.ok()??;
        let revisions = replica_sets::of(deployments.client(), &object, Fresh::Remembered).await.ok()?;
        let old = revisions.into_iter().find(|revision| revision.digest == failed.digest)?;
        Some(images::changes(Some(&old.template), &object.data["spec"]["template"]))
    }
}
