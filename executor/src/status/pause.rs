//! Pauses the queue of a policy, and lets it go on. Both look at what is stored, so that of many executors that do the
//! same one does it.

use contract::{ChangeId, PolicyRef};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::{
    Client,
    api::{Patch, PatchParams},
};
use policy::resource::Paused;
use serde_json::json;

use super::write::{FIELD_MANAGER, api};
use crate::{
    deployments::within,
    error::{Failure, Remedy},
    live::Live,
};

/// Longest reason that is kept, in bytes.
const REASON: usize = 2_048;

/// Pauses a queue after the failed rollout of a Deployment, unless it is paused already or its policy is gone. Says
/// whether it was this one that did it.
///
/// # Errors
/// What the API server did not do and may do later.
pub(crate) async fn pause(
    client: &Client,
    policy: &PolicyRef,
    live: &Live,
    reason: &str,
) -> Result<bool, Failure> {
    let Some(change) = live.state.change.clone() else { return Ok(false) };
    let api = api(client, policy);
    let Some(stored) = within(api.get_opt(&policy.name)).await? else { return Ok(false) };
    if !stored.data["status"]["paused"].is_null() {
        return Ok(false);
    }
    let since = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
    let paused = Paused {
        since: Time(since),
        namespace: live.namespace.clone(),
        deployment: live.name.clone(),
        change,
        reason: reason[..reason.floor_char_boundary(REASON)].to_owned(),
    };
    let patch = Patch::Merge(json!({
        "metadata": { "resourceVersion": stored.metadata.resource_version },
        "status": { "paused": paused },
    }));
    written(within(api.patch_status(&policy.name, &parameters(), &patch)).await.map(drop))
}

/// Takes the pause of a queue away, if it is still because of that change. Says whether it was this one that did it.
///
/// # Errors
/// What the API server did not do and may do later.
pub(super) async fn resume(client: &Client, policy: &PolicyRef, change: &ChangeId) -> Result<bool, Failure> {
    let operations = json!([
        { "op": "test", "path": "/status/paused/change", "value": change },
        { "op": "remove", "path": "/status/paused" },
    ]);
    let patch = Patch::Json::<()>(serde_json::from_value(operations)?);
    match written(
        within(api(client, policy).patch_status(&policy.name, &parameters(), &patch)).await.map(drop),
    ) {
        Err(failure) if failure.remedy() == Remedy::ReadAgain => Ok(false),
        written => written,
    }
}

fn parameters() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

fn written(result: Result<(), Failure>) -> Result<bool, Failure> {
    match result {
        Ok(()) => Ok(true),
        Err(failure) if failure.remedy() == Remedy::Gone => Ok(false),
        Err(failure) => Err(failure),
    }
}
