//! What runs: the images of the ReplicaSet that has the pods while a change waits or rolls out. The Deployment
//! itself only says what is wanted.

use std::collections::{BTreeMap, HashMap};

use contract::{ChangeId, Key};
use k8s_openapi::{api::apps::v1::ReplicaSet, apimachinery::pkg::apis::meta::v1::Time};

/// ReplicaSets with pods, by the uid of the Deployment that owns them.
#[derive(Debug, Default)]
pub struct Running {
    by_owner: HashMap<String, Vec<Generation>>,
}

/// One ReplicaSet with pods.
#[derive(Debug)]
struct Generation {
    change: Option<String>,
    created: Option<Time>,
    ready: i32,
    images: BTreeMap<String, String>,
}

impl Running {
    /// Adds a ReplicaSet; one without pods or without a Deployment is left out.
    pub fn add(&mut self, set: ReplicaSet) {
        if set.spec.replicas == Some(0) {
            return;
        }
        let owner =
            set.metadata.owner_references.into_iter().flatten().find(|owner| owner.controller == Some(true));
        let Some(owner) = owner else { return };
        let annotations = set.metadata.annotations.unwrap_or_default();
        let pod = set.spec.template.and_then(|template| template.spec);
        let containers = pod.map(|pod| pod.containers).unwrap_or_default();
        self.by_owner.entry(owner.uid).or_default().push(Generation {
            change: annotations.get(Key::Change.name()).cloned(),
            created: set.metadata.creation_timestamp,
            ready: set.status.and_then(|status| status.ready_replicas).unwrap_or_default(),
            images: containers.into_iter().filter_map(|c| Some((c.name, c.image?))).collect(),
        });
    }

    /// Images by container of what runs beside the change itself, whose id the controller copies to its ReplicaSet:
    /// where several have pods, of the one with the most that are ready.
    #[must_use]
    pub fn before(&self, owner: &str, change: Option<&ChangeId>) -> Option<&BTreeMap<String, String>> {
        let other =
            |set: &&Generation| change.is_none() || set.change.as_deref() != change.map(ChangeId::as_str);
        let sets = self.by_owner.get(owner)?.iter().filter(other);
        sets.max_by(|a, b| (a.ready, &a.created).cmp(&(b.ready, &b.created))).map(|set| &set.images)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(change: &str, image: &str, replicas: i32, ready: i32) -> ReplicaSet {
        serde_json::from_value(json!({
            "metadata": {
                "annotations": {"roadstead.dev/change": change},
                "creationTimestamp": "2026-01-01T10:00:00Z",
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u-1",
                                     "controller": true}],
            },
            "spec": {"replicas": replicas, "selector": {},
                     "template": {"spec": {"containers": [{"name": "app", "image": image}]}}},
            "status": {"replicas": replicas, "readyReplicas": ready},
        }))
        .unwrap()
    }

    /// The image that runs beside the change of image `c`; each set has its image, replicas and ready pods.
    fn before(sets: &[(&str, i32, i32)]) -> Option<String> {
        let mut running = Running::default();
        for (image, replicas, ready) in sets {
            running.add(set(&image.repeat(10), image, *replicas, *ready));
        }
        running.before("u-1", "cccccccccc".parse().ok().as_ref()).map(|images| images["app"].clone())
    }

    #[test]
    fn what_runs_is_the_replica_set_with_pods_that_is_not_the_changes_own() {
        assert_eq!(before(&[("a", 0, 0), ("b", 3, 3)]).as_deref(), Some("b"));
        assert_eq!(before(&[("b", 2, 1), ("c", 2, 2)]).as_deref(), Some("b"));
        assert_eq!(before(&[("a", 1, 1), ("b", 3, 2)]).as_deref(), Some("b"));
        assert_eq!(before(&[("b", 0, 0), ("c", 3, 3)]), None);
        assert_eq!(before(&[]), None);
    }

    #[test]
    fn a_replica_set_of_nobody_is_left_out() {
        let mut orphan = set("aaaaaaaaaa", "a", 1, 1);
        orphan.metadata.owner_references = None;
        let mut running = Running::default();
        running.add(orphan);
        assert!(running.by_owner.is_empty());
    }
}
