//! `kubectl roadstead dead replay`: the order of docs/retries.md, written with the user's own rights. The webhook obeys
//! it in the write that gives it, so the answer says whether it did.

use contract::{Phase, State, key::REPLAY};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{args::Replay, letter::GivenUp, named};
use crate::{connection, failure::Failure, read::Reader, screen::Screen};

/// Who wrote a field, in `managedFields`.
const FIELD_MANAGER: &str = "kubectl-roadstead";

/// Gives the order.
///
/// # Errors
/// When there is nothing to replay, the user may not, or the order was not obeyed.
pub async fn run(args: &Replay, screen: &mut Screen) -> Result<(), Failure> {
    let connection = connection::open(&args.access, args.namespace.as_deref()).await?;
    let reader = Reader::new(connection, false);
    let namespace = reader.namespace.clone().unwrap_or_default();
    let name = &args.name;
    let deployment = named(&reader, name).await?;
    let change = GivenUp::of(&deployment).and_then(|given_up| given_up.change).ok_or_else(|| {
        Failure::NotFound(format!(
            "no change of Deployment {name} was given up; see: kubectl roadstead get {name}"
        ))
    })?;
    let api = Api::<Deployment>::namespaced(reader.client.clone(), &namespace);
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(order(&change, &deployment));
    let written = reader.answer("patch Deployments", api.patch(name, &parameters, &patch)).await?;
    let state = State::of(written.metadata.annotations.as_ref(), written.metadata.labels.as_ref());
    if state.phase != Some(Phase::Held) {
        return Err(Failure::Partly(format!(
            "the order is written, and nobody obeyed it: no webhook holds Deployments of namespace {namespace}; see: \
             kubectl roadstead check"
        )));
    }
    screen
        .print(&format!("deployment.apps/{name}: change {change} waits again, attempt {}\n", state.attempt()))
}

/// It applies only to the Deployment that was read.
fn order(change: &str, deployment: &Deployment) -> Value {
    json!({ "metadata": {
        "resourceVersion": deployment.metadata.resource_version,
        "annotations": { REPLAY: change },
    } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::tests::held;

    #[test]
    fn the_order_is_for_what_was_read() {
        let mut deployment = held();
        deployment.metadata.resource_version = Some("7".into());
        let order = order("abcdefghij", &deployment);
        assert_eq!(order["metadata"]["resourceVersion"], "7");
        assert_eq!(order["metadata"]["annotations"]["roadstead.dev/replay"], "abcdefghij");
    }
}
