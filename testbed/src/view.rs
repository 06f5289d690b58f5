//! A Deployment as a test looks at it.

use contract::key::PHASE_LABEL;
use contract::{Key, State};
use k8s_openapi::api::apps::v1::Deployment;

/// What Roadstead says on a Deployment, and whether its rollout is over.
pub trait DeploymentView {
    /// An annotation, or else a label, by its full key.
    fn own(&self, key: &str) -> Option<&str>;
    /// Image of the first container.
    fn image(&self) -> &str;
    /// Whether `spec.paused` is set.
    fn paused(&self) -> bool;
    /// Whether `kubectl rollout status` would say that it is done.
    fn rolled_out(&self) -> bool;
    /// All of it in one line.
    fn summary(&self) -> String;

    /// `closed`, `open` or nothing.
    fn gate(&self) -> Option<&str> {
        self.own(Key::Gate.name())
    }

    /// Id of the change.
    fn change(&self) -> Option<&str> {
        self.own(Key::Change.name())
    }

    /// The phase label.
    fn phase(&self) -> Option<&str> {
        self.own(PHASE_LABEL)
    }

    /// Digest last let through.
    fn released_digest(&self) -> Option<&str> {
        self.own(Key::Released.name())
    }

    /// Digest of the last rollout that succeeded.
    fn good(&self) -> Option<String> {
        let state = State::read(|key| self.own(key), |key| self.own(key));
        state.last_good().map(ToString::to_string)
    }
}

impl DeploymentView for Deployment {
    fn own(&self, key: &str) -> Option<&str> {
        let annotation = self.metadata.annotations.as_ref().and_then(|annotations| annotations.get(key));
        let label = || self.metadata.labels.as_ref().and_then(|labels| labels.get(key));
        annotation.or_else(label).map(String::as_str)
    }

    fn image(&self) -> &str {
        let pod = self.spec.template.spec.as_ref();
        pod.and_then(|pod| pod.containers.first()?.image.as_deref()).unwrap_or_default()
    }

    fn paused(&self) -> bool {
        self.spec.paused.unwrap_or_default()
    }

    fn rolled_out(&self) -> bool {
        let Some(status) = &self.status else { return false };
        let wanted = self.spec.replicas.unwrap_or(1);
        let updated = status.updated_replicas.unwrap_or(0);
        status.observed_generation >= self.metadata.generation
            && updated >= wanted
            && status.replicas.unwrap_or(0) <= updated
            && status.available_replicas.unwrap_or(0) >= updated
    }

    fn summary(&self) -> String {
        let status = self.status.clone().unwrap_or_default();
        format!(
            "{} image={} gate={} phase={} paused={} generation={}/{} replicas={} updated={} available={} of {}",
            self.metadata.name.as_deref().unwrap_or_default(),
            self.image(),
            self.gate().unwrap_or("-"),
            self.phase().unwrap_or("-"),
            self.paused(),
            status.observed_generation.unwrap_or(0),
            self.metadata.generation.unwrap_or(0),
            status.replicas.unwrap_or(0),
            status.updated_replicas.unwrap_or(0),
            status.available_replicas.unwrap_or(0),
            self.spec.replicas.unwrap_or(1),
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::deployment;

    fn with(status: serde_json::Value) -> Deployment {
        let mut object = deployment("web").replicas(3).json();
        object["metadata"]["generation"] = json!(2);
        object["status"] = status;
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_rollout_is_over_only_when_all_pods_are_new_and_available() {
        let done =
            json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3 });
        assert!(with(done.clone()).rolled_out());
        for (key, value) in
            [("observedGeneration", 1), ("replicas", 4), ("updatedReplicas", 2), ("availableReplicas", 2)]
        {
            let mut status = done.clone();
            status[key] = json!(value);
            assert!(!with(status).rolled_out(), "{key}");
        }
        assert!(!deployment("web").object().rolled_out());
    }

    #[test]
    fn what_roadstead_wrote_is_read_by_its_name() {
        let web =
            deployment("web").annotation(Key::Gate.name(), "closed").label(PHASE_LABEL, "held").object();
        assert_eq!((web.gate(), web.phase(), web.change()), (Some("closed"), Some("held"), None));
        assert!(web.summary().contains("gate=closed"));
    }
}
