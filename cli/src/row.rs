//! One row: what a Deployment says about its change. Read from the object alone; the lane and the images that
//! run are added where the user may read what they follow from.

use std::{cmp::Ordering, collections::BTreeMap};

use contract::{ChangeId, Lane, Obstacle, Phase, State, key};
use k8s_openapi::{
    api::{apps::v1::Deployment, core::v1::Container},
    apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, Time},
};
use kube::core::Selector;
use serde::Serialize;

use crate::message::{self, Rollout};

/// What is printed of one Deployment; `-o json` prints exactly these fields (docs/cli.md).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Namespace of the Deployment.
    pub namespace: String,
    /// Name of the Deployment.
    pub name: String,
    /// `metadata.uid` of the Deployment.
    pub uid: String,
    /// The phase label as it stands: a newer Roadstead may have phases that this program does not know.
    pub phase: String,
    /// Which queue; `None` where the user may not read what decides it.
    pub lane: Option<Lane>,
    /// Id of the change.
    pub change: Option<ChangeId>,
    /// When a writer of the pod template last wrote; see [`written`].
    pub since: Option<Time>,
    /// User name in the request that submitted the change.
    pub requested_by: Option<String>,
    /// The images of each container.
    pub images: Vec<Image>,
    /// Pods: wanted, of the new template, available.
    pub replicas: Replicas,
    /// Why it waits, how far it is, or what happened.
    pub message: String,
    /// The rules that let it wait, the one that lasts longest first, as far as the user may read them.
    pub obstacles: Vec<Obstacle>,
}

/// The image of one container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    /// Name of the container.
    pub container: String,
    /// What runs; `None` where nothing runs or the user may not look.
    pub old: Option<String>,
    /// What was submitted.
    pub new: String,
}

/// Pods of a Deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replicas {
    /// Wanted.
    pub wanted: i32,
    /// Of the newest template that the controller acts on.
    pub updated: i32,
    /// Available, of any template.
    pub available: i32,
}

/// A row, and what is needed to add what the Deployment alone does not say.
#[derive(Clone, Debug)]
pub struct Found {
    /// The row.
    pub row: Row,
    /// The lane that the Deployment's annotation asks for.
    pub lane_asked: Option<String>,
    /// The lane that the policies gave the change.
    pub lane_by_policies: Option<Lane>,
    /// Selects its pods, and so its ReplicaSets.
    pub selector: String,
    /// What the rules look at; only of a change that waits.
    pub waiting: Option<Box<Waiting>>,
}

/// A change that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The own keys.
    pub state: State,
    /// The Deployment, without its managedFields.
    pub object: Deployment,
}

impl Found {
    /// What a Deployment says.
    #[must_use]
    pub fn of(mut deployment: Deployment) -> Self {
        let since = written(&deployment.metadata.managed_fields.take().unwrap_or_default());
        let rollout = Rollout::of(&deployment);
        let state = State::of(deployment.metadata.annotations.as_ref(), deployment.metadata.labels.as_ref());
        let waits = state.phase == Some(Phase::Held);
        let waiting = waits.then(|| Box::new(Waiting { state: state.clone(), object: deployment.clone() }));
        let (metadata, spec) = (deployment.metadata, deployment.spec);
        let phase = look_up(metadata.labels.as_ref(), key::PHASE_LABEL).unwrap_or_default().to_owned();
        let annotation = |key| look_up(metadata.annotations.as_ref(), key);
        let lane_asked = annotation(key::LANE).map(str::to_owned);
        let containers = spec.template.spec.map(|pod| pod.containers).unwrap_or_default();
        let image = |container: Container| Image {
            container: container.name,
            old: None,
            new: container.image.unwrap_or_default(),
        };
        let row = Row {
            message: message::of(state.phase, &rollout),
            phase,
            lane: None,
            change: state.change,
            since,
            obstacles: Vec::new(),
            requested_by: state.requested_by,
            images: containers.into_iter().map(image).collect(),
            replicas: Replicas {
                wanted: rollout.wanted,
                updated: rollout.updated,
                available: rollout.available,
            },
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default(),
        };
        let selector = Selector::try_from(spec.selector).map(|s| s.to_string()).unwrap_or_default();
        Self { row, lane_asked, lane_by_policies: state.default_lane, selector, waiting }
    }
}

impl Row {
    /// The phase, where this program knows it.
    #[must_use]
    pub fn known_phase(&self) -> Option<Phase> {
        self.phase.parse().ok()
    }

    /// Adds the rules that hold it: the one that lasts longest is told in the message.
    pub fn waits_for(&mut self, obstacles: Vec<Obstacle>) {
        if let Some(first) = obstacles.first() {
            let others = match obstacles.len() - 1 {
                0 => String::new(),
                1 => "; 1 other rule as well".to_owned(),
                others => format!("; {others} other rules as well"),
            };
            self.message = self.message.replacen(message::TURN, &format!("{}{others}", first.message), 1);
        }
        self.obstacles = obstacles;
    }

    /// Adds the images that run, by container.
    pub fn remember(&mut self, old: &BTreeMap<String, String>) {
        for image in &mut self.images {
            image.old = old.get(&image.container).cloned();
        }
    }

    /// Whether it would be drawn as the same line of a table, its age aside.
    #[must_use]
    pub fn looks_like(&self, other: &Self, with_pods: bool) -> bool {
        let replicas = if with_pods { self.replicas } else { other.replicas };
        Self { replicas, ..self.clone() } == *other
    }

    /// In flight first, then what waits as the lanes are served and the longest first, then the rest.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        let place = |row: &Self| match row.known_phase() {
            Some(Phase::Released) => 0,
            Some(Phase::Held) => 1,
            _ => 2,
        };
        let lane = |row: &Self| row.lane.unwrap_or_default();
        let by_queue = place(self).cmp(&place(other)).then(lane(self).cmp(&lane(other)));
        let by_time = by_queue.then_with(|| self.since.cmp(&other.since));
        by_time.then_with(|| (&self.namespace, &self.name).cmp(&(&other.namespace, &other.name)))
    }
}

fn look_up<'a>(map: Option<&'a BTreeMap<String, String>>, key: &str) -> Option<&'a str> {
    map.and_then(|map| map.get(key)).map(String::as_str)
}

/// When a writer of the pod template last wrote: the newest time in managedFields of an entry that owns a part
/// of the template. The API server keeps one time a writer, so a later write of the same writer to another field
/// makes it younger than the change, never older.
/// <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>
fn written(entries: &[ManagedFieldsEntry]) -> Option<Time> {
    let owns_template = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref();
        fields.is_some_and(|fields| fields.0.pointer("/f:spec/f:template").is_some())
    };
    entries.iter().filter(owns_template).filter_map(|entry| entry.time.clone()).max()
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    /// A Deployment that is held.
    pub fn held() -> Deployment {
        serde_json::from_value(json!({
            "metadata": {
                "namespace": "shop", "name": "web", "uid": "u-1", "generation": 2,
                "labels": {"roadstead.dev/phase": "held"},
                "annotations": {
                    "roadstead.dev/gate": "closed",
                    "roadstead.dev/change": "abcdefghij",
                    "roadstead.dev/requested-by": "jane",
                    "roadstead.dev/lane": "bulk",
                },
                "managedFields": [
                    {"time": "2026-01-01T10:00:00Z", "fieldsV1": {"f:spec": {"f:template": {}}}},
                    {"time": "2026-01-01T09:00:00Z", "fieldsV1": {"f:spec": {"f:template": {}}}},
                    {"time": "2026-01-01T11:00:00Z", "fieldsV1": {"f:status": {}}},
                ],
            },
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"spec": {"containers": [{"name": "app", "image": "nginx:2"}]}},
            },
            "status": {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3},
        }))
        .unwrap()
    }

    #[test]
    fn a_held_deployment_says_what_waits() {
        let found = Found::of(held());
        assert_eq!(found.lane_asked.as_deref(), Some("bulk"));
        assert_eq!(found.selector, "app=web");
        assert_eq!(
            serde_json::to_value(&found.row).unwrap(),
            json!({
                "namespace": "shop", "name": "web", "uid": "u-1", "phase": "held", "lane": null,
                "change": "abcdefghij", "since": "2026-01-01T10:00:00Z", "requestedBy": "jane",
                "images": [{"container": "app", "old": null, "new": "nginx:2"}],
                "replicas": {"wanted": 3, "updated": 3, "available": 3},
                "message": "waits for its turn",
                "obstacles": [],
            })
        );
    }

    #[test]
    fn the_rule_that_lasts_longest_is_told_and_the_others_are_counted() {
        let obstacle = |name: &str| -> Obstacle {
            let policy = json!({"kind": "Freeze", "namespace": "shop", "name": name});
            let message = format!("Freeze shop/{name} lets nothing through");
            serde_json::from_value(json!({"policy": policy, "rule": "freeze", "message": message})).unwrap()
        };
        for (paused, names, message) in [
            (false, &[][..], "waits for its turn"),
            (false, &["sale"][..], "Freeze shop/sale lets nothing through"),
            (
                true,
                &["sale", "b"][..],
                "Freeze shop/sale lets nothing through; 1 other rule as well; paused by its owner as well",
            ),
            (false, &["sale", "b", "c"][..], "Freeze shop/sale lets nothing through; 2 other rules as well"),
        ] {
            let mut deployment = held();
            deployment.spec.paused = Some(paused);
            let mut row = Found::of(deployment).row;
            row.waits_for(names.iter().map(|name| obstacle(name)).collect());
            assert_eq!(row.message, message);
            assert_eq!(row.obstacles.len(), names.len());
        }
    }

    #[test]
    fn rows_are_ordered_as_they_are_served() {
        let row = |name: &str, phase: &str, lane, hour| {
            let mut row = Found::of(held()).row;
            (row.name, row.phase, row.lane) = (name.into(), phase.into(), lane);
            row.since = Some(Time(format!("2026-01-01T{hour}:00:00Z").parse().unwrap()));
            row
        };
        let mut rows = [
            row("dead", "dead", Some(Lane::Urgent), "01"),
            row("bulk", "held", Some(Lane::Bulk), "01"),
            row("young", "held", None, "03"),
            row("old", "held", Some(Lane::Normal), "02"),
            row("urgent", "held", Some(Lane::Urgent), "04"),
            row("flies", "released", Some(Lane::Bulk), "05"),
        ];
        rows.sort_by(Row::order);
        let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["flies", "urgent", "old", "young", "bulk", "dead"]);
    }
}
