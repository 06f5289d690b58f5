//! The deployment controller, as far as a client of Deployments sees it: the status that follows a release.

use contract::{Gate, Key};
use serde_json::{Value, json};

/// When rollouts end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollouts {
    /// With the write that lets them begin.
    AtOnce,
    /// Never.
    Never,
}

impl Rollouts {
    /// Writes the status that a stored Deployment comes to.
    pub(super) fn play(self, deployment: &mut Value) {
        if self == Self::Never || gate(deployment) == Some(Gate::Closed) {
            return;
        }
        let replicas = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
        let generation = deployment["metadata"]["generation"].clone();
        deployment["status"] = json!({
            "observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas,
            "readyReplicas": replicas, "availableReplicas": replicas,
        });
    }
}

/// The gate of a Deployment.
pub(super) fn gate(deployment: &Value) -> Option<Gate> {
    deployment["metadata"]["annotations"][Key::Gate.name()].as_str().and_then(Gate::read)
}
