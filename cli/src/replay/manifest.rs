//! A picture as manifests: what is not known is said in comments. Pure.

use contract::key::PREFIX;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::then::{Picture, Then};
use crate::{grid::safe, moment::second};

/// Annotations that others write for themselves.
const OTHERS: [&str; 2] =
    ["kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"];

/// The manifests.
///
/// # Errors
/// None for Deployments of an API server.
pub fn manifests(picture: &Picture<'_>, namespace: &str, at: Timestamp) -> Result<String, String> {
    let mut text = format!(
        "# Deployments of namespace {namespace} at {}, as far as can be told.\n\
         # Of each: the pod template that had been let through by then, which may still have been rolling out.\n\
         # Replicas, strategy, labels, annotations and everything else of a Deployment are as they are now: nothing\n\
         # keeps what they were. Other objects (ConfigMaps, Secrets, Services) are not here, and may have changed.\n",
        second(at)
    );
    for why in &picture.left_out {
        text.extend(["# Not here: ", &safe(why), "\n"]);
    }
    for then in &picture.then {
        let yaml = serde_norway::to_string(&manifest(then)).map_err(|error| error.to_string())?;
        text.extend(["---\n# template: ", &safe(&then.source), "\n", &yaml]);
    }
    Ok(text)
}

/// What a person would have applied: nothing that the server or Roadstead wrote.
fn manifest(then: &Then<'_>) -> Value {
    let metadata = &then.live.metadata;
    let own = |key: &str| key.starts_with(PREFIX) && contract::Key::from_name(key).is_some();
    let labels = metadata.labels.iter().flatten().filter(|(key, _)| *key != contract::key::PHASE_LABEL);
    let annotations = metadata.annotations.iter().flatten();
    let annotations = annotations.filter(|(key, _)| !own(key) && !OTHERS.contains(&key.as_str()));
    let ours = metadata.annotations.iter().flatten().any(|(key, _)| key == contract::Key::Paused.name());
    let mut spec = json!(then.live.spec);
    spec["template"] = json!(then.template);
    if ours && let Some(spec) = spec.as_object_mut() {
        spec.remove("paused");
    }
    let mut manifest = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": metadata.name, "namespace": metadata.namespace },
        "spec": spec,
    });
    let maps: [(&str, serde_json::Map<String, Value>); 2] = [
        ("labels", labels.map(|(key, value)| (key.clone(), json!(value))).collect()),
        ("annotations", annotations.map(|(key, value)| (key.clone(), json!(value))).collect()),
    ];
    for (name, map) in maps {
        if !map.is_empty() {
            manifest["metadata"][name] = Value::from(map);
        }
    }
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{history::ran::tests::ran, replay::then::picture, row::tests::held};

    #[test]
    fn a_manifest_is_what_a_person_would_apply() {
        let live = [held()];
        let sets = [ran("aaaaaaaaaa", "web:1", None, "2026-01-01T09:00:00Z")];
        let at = "2026-01-01T10:00:00Z".parse().unwrap();
        let mut picture = picture(&live, &sets, &[], at);
        picture.left_out.push("cart: gone\n---".into());
        let text = manifests(&picture, "shop", at).unwrap();
        assert!(text.contains("# Not here: cart: gone?---\n"), "{text}");
        assert_eq!(text.matches("\n---\n").count(), 1, "{text}");
        let read: Value = serde_norway::from_str(text.split("\n---\n").nth(1).unwrap()).unwrap();
        assert_eq!(read["spec"]["template"]["spec"]["containers"][0]["image"], "web:1");
        assert_eq!(read["metadata"]["annotations"], json!({"roadstead.dev/lane": "bulk"}));
        assert_eq!((read["metadata"].get("labels"), read.get("status")), (None, None));
        assert!(read["metadata"].get("managedFields").is_none() && read["spec"]["replicas"] == 3);
    }
}
