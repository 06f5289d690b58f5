//! The Deployment of the test: of no pods, so that nothing is pulled, scheduled or served. Its ReplicaSet is made, and
//! denied, all the same.

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::json;

use crate::failure::Failure;

/// Label that its ReplicaSet has as well.
pub const LABEL: &str = "app.kubernetes.io/instance";

/// A name that nobody else has.
#[must_use]
pub fn name() -> String {
    let letters = std::iter::repeat_with(fastrand::lowercase).take(8);
    format!("roadstead-self-test-{}", letters.collect::<String>())
}

/// The Deployment of that name. Its template is what policies and Pod Security like to see, though no pod is ever made
/// of it.
///
/// # Errors
/// When it is no Deployment for this program.
pub fn deployment(name: &str) -> Result<Deployment, Failure> {
    let labels = json!({ "app.kubernetes.io/name": "roadstead-self-test", LABEL: name });
    let resources = json!({ "cpu": "10m", "memory": "16Mi" });
    let object = json!({
        "metadata": { "name": name, "labels": labels },
        "spec": {
            "replicas": 0,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "automountServiceAccountToken": false,
                    "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
                    "containers": [{
                        "name": "none",
                        "image": "registry.invalid/roadstead-self-test:none",
                        "resources": { "requests": resources, "limits": resources },
                        "securityContext": {
                            "allowPrivilegeEscalation": false,
                            "readOnlyRootFilesystem": true,
                            "runAsUser": 65532,
                            "capabilities": { "drop": ["ALL"] },
                        },
                    }],
                },
            },
        },
    });
    Ok(serde_json::from_value(object)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_no_pods_and_selects_only_itself() {
        let (one, other) = (name(), name());
        assert_ne!(one, other);
        let spec = deployment(&one).unwrap().spec;
        assert_eq!(spec.replicas, Some(0));
        assert_eq!(spec.selector.match_labels.unwrap()[LABEL], one);
    }
}
