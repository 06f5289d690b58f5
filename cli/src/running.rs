//! What runs: the images of the ReplicaSet that has the pods while a change waits or rolls out. The Deployment
//! itself only says what is wanted.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::apps::v1::ReplicaSet;

use crate::row::REVISION;

/// ReplicaSets with pods, by the uid of the Deployment that owns them.
#[derive(Debug, Default)]
pub struct Running {
    by_owner: HashMap<String, Vec<Generation>>,
}

/// One ReplicaSet with pods.
#[derive(Debug)]
struct Generation {
    revision: i64,
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
            revision: annotations.get(REVISION).and_then(|text| text.parse().ok()).unwrap_or_default(),
            ready: set.status.and_then(|status| status.ready_replicas).unwrap_or_default(),
            images: containers.into_iter().filter_map(|c| Some((c.name, c.image?))).collect(),
        });
    }

    /// Images by container of what runs beside the ReplicaSet of revision `newest`: where several have pods, of
    /// the one with the most that are ready.
    #[must_use]
    pub fn before(&self, owner: &str, newest: Option<i64>) -> Option<&BTreeMap<String, String>> {
        let sets = self.by_owner.get(owner)?.iter().filter(|set| Some(set.revision) != newest);
        sets.max_by_key(|set| (set.ready, set.revision)).map(|set| &set.images)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(revision: &str, image: &str, replicas: i32, ready: i32) -> ReplicaSet {
        serde_json::from_value(json!({
            "metadata": {
                "annotations": {"deployment.kubernetes.io/revision": revision},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u-1",
                                     "controller": true}],
            },
            "spec": {"replicas": replicas, "selector": {},
                     "template": {"spec": {"containers": [{"name": "app", "image": image}]}}},
            "status": {"replicas": replicas, "readyReplicas": ready},
        }))
        .unwrap()
    }

    fn before(sets: &[(&str, i32, i32)], newest: Option<i64>) -> Option<String> {
        let mut running = Running::default();
        for (number, (image, replicas, ready)) in sets.iter().enumerate() {
            running.add(set(&(number + 1).to_string(), image, *replicas, *ready));
        }
        running.before("u-1", newest).map(|images| images["app"].clone())
    }

    #[test]
    fn what_runs_is_the_replica_set_with_pods_that_is_not_the_new_one() {
        assert_eq!(before(&[("a", 0, 0), ("b", 3, 3)], None).as_deref(), Some("b"));
        assert_eq!(before(&[("a", 2, 2), ("b", 2, 1)], Some(2)).as_deref(), Some("a"));
        assert_eq!(before(&[("a", 1, 1), ("b", 3, 2)], None).as_deref(), Some("b"));
        assert_eq!(before(&[("a", 0, 0), ("b", 3, 3)], Some(2)), None);
        assert_eq!(before(&[], None), None);
    }

    #[test]
    fn a_replica_set_of_nobody_is_left_out() {
        let mut orphan = set("1", "a", 1, 1);
        orphan.metadata.owner_references = None;
        let mut running = Running::default();
        running.add(orphan);
        assert!(running.by_owner.is_empty());
    }
}
