//! Writes the status of one policy or freeze: a merge patch that leaves alone what is written elsewhere.

use contract::{PolicyKind, PolicyRef};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use policy::resource::{
    ClusterFreeze, ClusterReleasePolicy, Freeze, FreezeStatus, PolicyStatus, ReleasePolicy,
};
use serde_json::{Value, json};

use crate::{
    deployments::within,
    error::{Failure, Remedy},
};

/// Who wrote a field, in `managedFields`.
pub(super) const FIELD_MANAGER: &str = "roadstead-executor";

/// What is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Status {
    /// Of a policy; a pause is not part of it.
    Policy(Box<PolicyStatus>),
    /// Of a freeze.
    Freeze(FreezeStatus),
}

/// Objects of a kind, where one of them is.
pub(super) fn api(client: &Client, reference: &PolicyRef) -> Api<DynamicObject> {
    let resource = match reference.kind {
        PolicyKind::ReleasePolicy => ApiResource::erase::<ReleasePolicy>(&()),
        PolicyKind::ClusterReleasePolicy => ApiResource::erase::<ClusterReleasePolicy>(&()),
        PolicyKind::Freeze => ApiResource::erase::<Freeze>(&()),
        PolicyKind::ClusterFreeze => ApiResource::erase::<ClusterFreeze>(&()),
    };
    match &reference.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// Writes it. One that is gone has none.
pub(super) async fn status(client: &Client, reference: &PolicyRef, status: &Status) -> Result<(), Failure> {
    let patch = Patch::Merge(json!({ "status": body(status)? }));
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    match within(api(client, reference).patch_status(&reference.name, &parameters, &patch)).await {
        Err(failure) if failure.remedy() != Remedy::Gone => Err(failure),
        _ => Ok(()),
    }
}

fn body(status: &Status) -> Result<Value, serde_json::Error> {
    match status {
        Status::Freeze(status) => serde_json::to_value(status),
        Status::Policy(status) => {
            let mut value = serde_json::to_value(status)?;
            if let Some(fields) = value.as_object_mut() {
                fields.remove("paused");
            }
            Ok(value)
        }
    }
}
