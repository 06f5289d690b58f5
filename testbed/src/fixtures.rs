//! Deployments that read like sentences: `deployment("web").image("nginx:1").replicas(3).max_surge(0)`.

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Value, json};

/// A Deployment under construction.
#[derive(Clone, Debug)]
pub struct DeploymentFixture {
    object: Value,
}

/// A Deployment of one pod with the image `registry.test/web:1`, found by the label `app: <name>`.
#[must_use]
pub fn deployment(name: &str) -> DeploymentFixture {
    let labels = json!({ "app": name });
    DeploymentFixture {
        object: json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": name, "labels": labels },
            "spec": {
                "replicas": 1,
                "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": {
                        "terminationGracePeriodSeconds": 0,
                        "containers": [{ "name": "app", "image": "registry.test/web:1" }],
                    },
                },
            },
        }),
    }
}

impl DeploymentFixture {
    /// Image of its container.
    #[must_use]
    pub fn image(self, image: &str) -> Self {
        self.set("/spec/template/spec/containers/0", "image", image)
    }

    /// How many pods.
    #[must_use]
    pub fn replicas(self, count: u32) -> Self {
        self.set("/spec", "replicas", count)
    }

    /// `maxSurge` of a rolling update.
    #[must_use]
    pub fn max_surge(self, count: u32) -> Self {
        self.rolling().set("/spec/strategy/rollingUpdate", "maxSurge", count)
    }

    /// `maxUnavailable` of a rolling update.
    #[must_use]
    pub fn max_unavailable(self, count: u32) -> Self {
        self.rolling().set("/spec/strategy/rollingUpdate", "maxUnavailable", count)
    }

    /// Strategy `Recreate`.
    #[must_use]
    pub fn recreate(self) -> Self {
        self.set("/spec", "strategy", json!({ "type": "Recreate" }))
    }

    /// Annotation `roadstead.dev/lane`.
    #[must_use]
    pub fn lane(self, lane: &str) -> Self {
        self.annotation(contract::key::LANE, lane)
    }

    /// An annotation of the Deployment.
    #[must_use]
    pub fn annotation(self, key: &str, value: &str) -> Self {
        self.entry("/metadata", "annotations", key, value)
    }

    /// A label of the Deployment, not of its pods.
    #[must_use]
    pub fn label(self, key: &str, value: &str) -> Self {
        self.entry("/metadata", "labels", key, value)
    }

    /// An environment variable of its container: a change of the template that is no new image.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        let container = self.at("/spec/template/spec/containers/0");
        if container["env"].is_null() {
            container["env"] = json!([]);
        }
        if let Some(env) = container["env"].as_array_mut() {
            env.push(json!({ "name": name, "value": value }));
        }
        self
    }

    /// Seconds until a rollout without progress counts as failed.
    #[must_use]
    pub fn progress_deadline(self, seconds: u32) -> Self {
        self.set("/spec", "progressDeadlineSeconds", seconds)
    }

    /// Paused by its user.
    #[must_use]
    pub fn paused(self) -> Self {
        self.set("/spec", "paused", true)
    }

    /// No node takes its pods: they stay pending, and its rollout never ends well.
    #[must_use]
    pub fn unschedulable(self) -> Self {
        self.set("/spec/template/spec", "nodeSelector", json!({ "testbed": "nowhere" }))
    }

    /// A namespace other than the test's first.
    #[must_use]
    pub fn namespace(self, namespace: &str) -> Self {
        self.set("/metadata", "namespace", namespace)
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        self.object.clone()
    }

    /// As YAML (JSON is YAML too, but a person may look at it).
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "cannot happen")]
    pub fn yaml(&self) -> String {
        serde_norway::to_string(&self.object).expect("a JSON value has a YAML form")
    }

    /// As the typed object.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "cannot happen")]
    pub fn object(&self) -> Deployment {
        serde_json::from_value(self.object.clone()).expect("every method keeps it a Deployment")
    }

    fn rolling(mut self) -> Self {
        let spec = self.at("/spec");
        if spec["strategy"]["rollingUpdate"].is_null() {
            spec["strategy"] = json!({ "type": "RollingUpdate", "rollingUpdate": {} });
        }
        self
    }

    fn entry(mut self, parent: &str, map: &str, key: &str, value: &str) -> Self {
        self.at(parent)[map][key] = json!(value);
        self
    }

    fn set(mut self, parent: &str, key: &str, value: impl Into<Value>) -> Self {
        self.at(parent)[key] = value.into();
        self
    }

    fn at(&mut self, pointer: &str) -> &mut Value {
        self.object.pointer_mut(pointer).expect("the fixture begins with every parent that is written to")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixture_says_what_it_was_told() {
        let web = deployment("web").image("nginx:1").replicas(3).max_surge(0).max_unavailable(2);
        let web = web.annotation("a/b", "c").env("A", "1").env("B", "2").progress_deadline(5).paused();
        let spec = web.object().spec;
        let rolling = spec.strategy.unwrap().rolling_update.unwrap();
        assert_eq!(serde_json::to_value(rolling).unwrap(), json!({ "maxSurge": 0, "maxUnavailable": 2 }));
        assert_eq!(
            (spec.replicas, spec.paused, spec.progress_deadline_seconds),
            (Some(3), Some(true), Some(5))
        );
        let container = &spec.template.spec.unwrap().containers[0];
        assert_eq!(container.image.as_deref(), Some("nginx:1"));
        assert_eq!(container.env.as_ref().unwrap().len(), 2);
        assert!(web.yaml().contains("a/b: c"));
    }

    #[test]
    fn recreate_replaces_a_rolling_update() {
        let strategy = deployment("web").max_surge(0).recreate().object().spec.strategy.unwrap();
        assert_eq!((strategy.type_.as_deref(), strategy.rolling_update), (Some("Recreate"), None));
    }
}
