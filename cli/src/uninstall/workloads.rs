//! Those of ours who write stop: the executors, which release and sweep, and the certs, which would make their Secrets
//! anew. Waited for within a limit: a pod of a dead node never ends, and must not keep anybody waiting for ever.

use std::time::Duration;

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
    core::Selector,
};
use serde_json::json;
use tokio::time::Instant;

use super::{release::Release, work::Work};
use crate::trouble::{Remedy, within};

/// How often it is looked whether they have ended.
const LOOK: Duration = Duration::from_millis(500);

/// Scales both to nothing and waits for their pods to be gone.
pub async fn stop(work: &mut Work<'_>, release: &Release, limit: Duration) {
    let limit = (Instant::now() + limit).min(work.until);
    let mut stopped = Vec::new();
    for part in ["executor", "certs"] {
        let name = release.part(part);
        match scale(work, release, &name).await {
            Some(pods) => stopped.push((name, pods)),
            None if part == "executor" => work.screen.note(&format!(
                "there is no Deployment {name} in namespace {}: executors that run elsewhere have to be stopped by you",
                release.namespace
            )),
            None => {}
        }
    }
    if work.dry_run {
        return;
    }
    for (name, pods) in stopped {
        wait(work, release, &name, &pods, limit).await;
    }
}

/// Scales one to nothing; what selects its pods. `None` where there is none or it cannot be scaled.
async fn scale(work: &mut Work<'_>, release: &Release, name: &str) -> Option<ListParams> {
    let deployments = Api::<Deployment>::namespaced(work.client.clone(), &release.namespace);
    let parameters = PatchParams { dry_run: work.dry_run, ..PatchParams::default() };
    let nothing = Patch::Merge(json!({ "spec": { "replicas": 0 } }));
    let before = work.patiently(async || within(deployments.get(name)).await).await;
    let before = match before {
        Ok(before) => before,
        Err(trouble) if trouble.remedy() == Remedy::Gone => return None,
        Err(trouble) => {
            work.left(format!("deployment {name}: {trouble}"));
            return None;
        }
    };
    if before.spec.replicas != Some(0) {
        match work.patiently(async || within(deployments.patch(name, &parameters, &nothing)).await).await {
            Ok(_) => work.did(&format!("deployment {name} scaled to 0")),
            Err(trouble) => work.left(format!("deployment {name} is not stopped: {trouble}")),
        }
    }
    let selector = Selector::try_from(before.spec.selector).ok()?.to_string();
    // One that is over does nothing more, whoever keeps it.
    let running = "status.phase!=Succeeded,status.phase!=Failed";
    Some(ListParams::default().labels(&selector).fields(running))
}

/// Waits, and says so where it was in vain.
async fn wait(work: &mut Work<'_>, release: &Release, name: &str, pods: &ListParams, limit: Instant) {
    let api = Api::<Pod>::namespaced(work.client.clone(), &release.namespace);
    loop {
        let why = match work.list(&api, pods, |pod| pod.name).await {
            Ok(names) if names.is_empty() => return,
            Ok(_) if Instant::now() < limit => {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            Ok(names) => {
                format!("{} did not end in time; if its node is dead, that is how it stays", names.join(", "))
            }
            Err(trouble) => format!("cannot see whether pods of {name} have ended: {trouble}"),
        };
        work.screen.note(&format!("{why}. Going on; if gates close again, run the same command again"));
        return;
    }
}
