//! A rollout whose containers crash again and again fails before its progress deadline. The pods of its ReplicaSet are
//! watched while it rolls out, and never asked for otherwise.

use std::num::NonZeroU32;

use contract::key::POD_TEMPLATE_HASH;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::{
    Api, ResourceExt as _,
    core::{Expression, Selector},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use ops::chain;

use crate::{
    deployments::Deployments,
    error::Failure,
    live::Live,
    replica_sets::{self, Fresh},
};

/// What the kubelet says of a container that it does not start at once any more.
const CRASH_LOOP: &str = "CrashLoopBackOff";

/// Watches the pods of a rollout until a container has restarted that often and waits for its next start; says so.
/// `None`: its ReplicaSet is not there, or cannot be read now.
pub(super) async fn watch(deployments: &Deployments, live: &Live, restarts: NonZeroU32) -> Option<String> {
    let selector = match pods(deployments, live).await {
        Ok(selector) => selector?,
        Err(failure) => {
            tracing::debug!(deployment = live.name, error = chain(&failure), "the pods are not watched yet");
            return None;
        }
    };
    let api: Api<Pod> = Api::namespaced(deployments.client().clone(), &live.namespace);
    let config = watcher::Config::default().labels_from(&selector);
    let mut events = watcher(api, config).default_backoff().boxed();
    let mut interrupted = false;
    loop {
        match events.next().await? {
            Ok(Event::Apply(pod) | Event::InitApply(pod)) => {
                interrupted = false;
                if let Some(crash) = crash(&pod, restarts) {
                    return Some(crash);
                }
            }
            Ok(_) => {}
            Err(error) => {
                if !std::mem::replace(&mut interrupted, true) {
                    let deployment = &live.name;
                    tracing::warn!(deployment, error = chain(&error), "pods cannot be watched; trying again");
                }
            }
        }
    }
}

/// Selects the pods of the template that rolls out.
async fn pods(deployments: &Deployments, live: &Live) -> Result<Option<Selector>, Failure> {
    let Some(object) = deployments.read(&live.namespace, &live.name).await? else { return Ok(None) };
    let Some(mut selector) = replica_sets::selector(&object) else { return Ok(None) };
    let revisions = replica_sets::of(deployments.client(), &object, Fresh::Stored).await?;
    let Some(new) = revisions.into_iter().find(|revision| revision.digest == live.digest) else {
        return Ok(None);
    };
    selector.extend(Expression::Equal(POD_TEMPLATE_HASH.to_owned(), new.hash));
    Ok(Some(selector))
}

/// Whether a container of a pod crashes again and again.
fn crash(pod: &Pod, restarts: NonZeroU32) -> Option<String> {
    let status = pod.status.as_ref()?;
    let all = [&status.init_container_statuses, &status.container_statuses];
    let mut containers = all.into_iter().flatten().flatten();
    let crashed = containers.find(|container| {
        let enough = u32::try_from(container.restart_count).is_ok_and(|count| count >= restarts.get());
        enough && waits_after_a_crash(container)
    })?;
    let last = crashed.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let last = last.map_or_else(String::new, |last| {
        let said = last.reason.as_deref().unwrap_or("no reason");
        format!("; it ended with exit code {} ({said})", last.exit_code)
    });
    let (container, pod, count) = (&crashed.name, pod.name_any(), crashed.restart_count);
    Some(format!("{CRASH_LOOP}: container {container} of pod {pod} restarted {count} times{last}"))
}

fn waits_after_a_crash(container: &ContainerStatus) -> bool {
    let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
    waiting.is_some_and(|waiting| waiting.reason.as_deref() == Some(CRASH_LOOP))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judge(statuses: &Value) -> Option<String> {
        let pod = json!({"metadata": {"name": "web-1"}, "status": statuses});
        crash(&serde_json::from_value(pod).unwrap(), NonZeroU32::new(5).unwrap())
    }

    fn container(reason: &str, restarts: i32) -> Value {
        json!({
            "name": "app", "image": "web:2", "imageID": "", "ready": false, "restartCount": restarts,
            "state": {"waiting": {"reason": reason}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
        })
    }

    #[test]
    fn a_container_that_restarted_often_enough_and_waits_again_is_a_crash_loop() {
        let says = "CrashLoopBackOff: container app of pod web-1 restarted 5 times; it ended with exit code 1 (Error)";
        for (what, statuses, crash) in [
            ("a container", json!({"containerStatuses": [container(CRASH_LOOP, 5)]}), true),
            ("an init container", json!({"initContainerStatuses": [container(CRASH_LOOP, 5)]}), true),
            ("once too few", json!({"containerStatuses": [container(CRASH_LOOP, 4)]}), false),
            ("no image", json!({"containerStatuses": [container("ImagePullBackOff", 9)]}), false),
            ("not started", json!({"phase": "Pending"}), false),
        ] {
            assert_eq!(judge(&statuses).as_deref(), crash.then_some(says), "{what}");
        }
        let mut runs = container(CRASH_LOOP, 9);
        runs["state"] = json!({"running": {}});
        assert_eq!(judge(&json!({"containerStatuses": [runs]})), None, "it runs");
    }
}
