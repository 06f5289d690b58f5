//! How far a rollout is, by the criteria of `kubectl rollout status`, and by the progress deadline also where the
//! deployment controller forgets it.
//! <https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollout_status.go>

use crate::live::{Live, UnixMillis};

/// Reason of the condition `Progressing` once the progress deadline is exceeded.
const DEADLINE_EXCEEDED: &str = "ProgressDeadlineExceeded";

/// Reason of the condition `Progressing` once a rollout is complete. Where the write that announces the next one's
/// ReplicaSet is lost to a conflict, the controller leaves the condition as it is, and counts no deadline as long as it
/// stands: <https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/controller/deployment/util/deployment_util.go>
/// (`DeploymentTimedOut`).
pub(super) const COMPLETE: &str = "NewReplicaSetAvailable";

/// How far a rollout is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It goes on.
    Waiting {
        /// Pods of the new template.
        updated: i64,
        /// Pods that are wanted.
        wanted: i64,
    },
    /// It is complete, and has to stay so until then.
    Soaking {
        /// Until when.
        until: UnixMillis,
    },
    /// It has soaked, and what policies ask for then is checked.
    Checking,
    /// It has come to its end.
    Succeeded,
    /// It did not come to its end in time.
    Failed {
        /// What the deployment controller says.
        reason: String,
    },
}

/// Whether the controller has seen the newest spec and every pod is new and serves.
#[must_use]
pub fn is_complete(live: &Live) -> bool {
    let status = &live.status;
    status.observed_generation >= live.generation
        && status.updated >= live.replicas
        && status.replicas <= status.updated
        && status.available >= status.updated
}

/// How far the rollout of a release is; `since`: when the release was first seen. A paused Deployment goes on when
/// it is resumed, whatever its status says of an older template.
#[must_use]
pub fn progress(live: &Live, since: UnixMillis, now: UnixMillis) -> Progress {
    let status = &live.status;
    let waiting = Progress::Waiting { updated: status.updated, wanted: live.replicas };
    if live.paused || live.deleting || status.observed_generation < live.generation {
        return waiting;
    }
    match &status.progressing {
        Some((reason, updated)) if reason == DEADLINE_EXCEEDED && counts(live, *updated, since, now) => {
            Progress::Failed { reason: overdue(live) }
        }
        // It may stand from an earlier rollout, and this one be complete all the same only once it is gone.
        Some((reason, _)) if reason == DEADLINE_EXCEEDED => waiting,
        _ if is_complete(live) => Progress::Succeeded,
        Some((reason, updated))
            if reason == COMPLETE && *updated <= since && is_overdue(live, since, now) =>
        {
            Progress::Failed { reason: overdue(live) }
        }
        _ => waiting,
    }
}

fn overdue(live: &Live) -> String {
    format!("no progress within the deadline: {} of {} pods are new", live.status.updated, live.replicas)
}

/// The condition of an earlier rollout stands for a while after a way back to an old ReplicaSet: the controller
/// rewrites it at the first progress only. So it counts where it is newer than the release, or has stood for the
/// whole deadline since.
fn counts(live: &Live, updated: UnixMillis, since: UnixMillis, now: UnixMillis) -> bool {
    updated >= since || is_overdue(live, since, now)
}

/// Whether the deadline has passed since the release. The controller writes the condition at every progress, so one of
/// before the release says that there was none.
fn is_overdue(live: &Live, since: UnixMillis, now: UnixMillis) -> bool {
    now.saturating_sub(since) > live.progress_deadline.unwrap_or(UnixMillis::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::live::tests::live;

    const SINCE: UnixMillis = 1_000_000;

    fn status(status: &Value) -> Value {
        json!({ "status": status })
    }

    fn exceeded(at: &str) -> Value {
        json!({"updatedReplicas": 1, "conditions": [
            {"type": "Progressing", "status": "False", "reason": DEADLINE_EXCEEDED, "lastUpdateTime": at},
        ]})
    }

    #[test]
    fn the_criteria_are_those_of_kubectl_rollout_status() {
        let waiting = |updated| Progress::Waiting { updated, wanted: 3 };
        for (what, case, progress) in [
            ("complete", json!({}), Progress::Succeeded),
            ("not observed", status(&json!({"observedGeneration": 3})), waiting(3)),
            ("no status", json!({"status": null}), waiting(0)),
            ("not all new", status(&json!({"updatedReplicas": 2})), waiting(2)),
            ("old ones left", status(&json!({"replicas": 4})), waiting(3)),
            ("not all serve", status(&json!({"availableReplicas": 2})), waiting(3)),
            ("paused by its owner", json!({"spec": {"paused": true}}), waiting(3)),
            (
                "none wanted",
                json!({"spec": {"replicas": 0}, "status": {
                    "replicas": 0, "updatedReplicas": 0, "availableReplicas": 0,
                }}),
                Progress::Succeeded,
            ),
        ] {
            assert_eq!(super::progress(&live(&case), SINCE, SINCE), progress, "{what}");
        }
    }

    #[test]
    fn an_exceeded_deadline_counts_where_it_is_of_this_rollout() {
        let minute = 60_000;
        for (what, at, now, fails) in [
            ("after the release", "1970-01-01T00:16:41Z", SINCE + 2_000, true),
            ("before the release", "1970-01-01T00:16:39Z", SINCE + 2_000, false),
            (
                "before it, but it has stood for the deadline",
                "1970-01-01T00:16:39Z",
                SINCE + 11 * minute,
                true,
            ),
        ] {
            let progress = progress(&live(&status(&exceeded(at))), SINCE, now);
            assert_eq!(matches!(progress, Progress::Failed { .. }), fails, "{what}");
        }
    }

    #[test]
    fn the_deadline_counts_also_where_the_controller_forgets_it() {
        let complete = |at: &str| {
            live(&status(&json!({"updatedReplicas": 1, "conditions": [
                {"type": "Progressing", "status": "True", "reason": COMPLETE, "lastUpdateTime": at},
            ]})))
        };
        let fails = |at, now| matches!(progress(&complete(at), SINCE, now), Progress::Failed { .. });
        let (before, after) = ("1970-01-01T00:16:39Z", "1970-01-01T00:16:41Z");
        assert!(!fails(before, SINCE + 600_000), "the deadline is ten minutes");
        assert!(fails(before, SINCE + 600_001));
        assert!(!fails(after, SINCE + 600_001), "this rollout was complete, and was scaled since");
    }

    #[test]
    fn a_stale_deadline_does_not_fail_before_the_controller_has_seen_the_release() {
        let mut case = status(&exceeded("1970-01-01T00:16:41Z"));
        case["status"]["observedGeneration"] = json!(3);
        assert_eq!(progress(&live(&case), SINCE, SINCE), Progress::Waiting { updated: 1, wanted: 3 });
    }
}
