//! A rollout failed and a policy wants its queue paused: the pause is written before the end of the rollout, so that
//! nothing of that queue goes in between, and an executor that dies in between leaves a rollout that fails again.

use std::time::Duration;

use contract::{Phase, PolicyRef};
use ops::policies::Policies;

use super::{
    end,
    errand::{Ending, Errands, not_yet},
};
use crate::{live::Live, status};

/// Longest wait until this process has seen the pause that it wrote. Nothing is lost where it takes longer: the others
/// see it when they do.
const SEEN: Duration = Duration::from_secs(3);

impl Errands {
    /// Pauses the queues of policies, then ends the rollout as one that failed and stays.
    pub(super) async fn pause(&self, live: &Live, reason: &str, policies: &[PolicyRef]) -> Ending {
        let client = self.worker.releaser.deployments.client();
        for policy in policies {
            match status::pause(client, policy, live, reason).await {
                Ok(true) => {
                    self.worker.metrics.paused();
                    tracing::warn!(%policy, deployment = live.name, reason, "its queue is paused");
                }
                Ok(false) => {}
                Err(failure) => return not_yet(live, &failure),
            }
        }
        // Its own releases are not to overtake its own watch.
        let _ = tokio::time::timeout(SEEN, seen(&self.policies, policies)).await;
        let change = live.state.change.as_ref().map(ToString::to_string).unwrap_or_default();
        let pauses =
            |policy: &PolicyRef| format!("{policy} is paused until {}", status::command(policy, &change));
        let pauses: Vec<_> = policies.iter().map(pauses).collect();
        let message = format!("{reason}; {}", pauses.join("; "));
        self.write(live, Phase::Failed, end::failed(live), &message).await
    }
}

/// Waits until all of them are seen to be paused, or to be gone.
async fn seen(policies: &Policies, paused: &[PolicyRef]) {
    let mut changes = policies.subscribe();
    loop {
        let set = policies.load();
        let mut runs = set.policies().filter(|policy| policy.paused.is_none());
        if !runs.any(|policy| paused.contains(&policy.reference)) || changes.changed().await.is_err() {
            return;
        }
    }
}
