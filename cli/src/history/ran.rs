//! What ran, as far as the ReplicaSets of Deployments still say: the deployment controller copies the annotations of a
//! change to the one that it makes of it, and keeps some of the old ones (`revisionHistoryLimit`).

use std::collections::BTreeMap;

use contract::{Key, key::POD_TEMPLATE_HASH};
use k8s_openapi::{
    api::{apps::v1::ReplicaSet, core::v1::PodTemplateSpec},
    jiff::Timestamp,
};
use kube::api::ListParams;

use crate::{
    failure::Failure,
    read::{Reader, pages},
    row::Image,
};

/// Annotation in which the deployment controller counts.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// One ReplicaSet of a Deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// Namespace of both.
    pub namespace: String,
    /// Name of the Deployment.
    pub name: String,
    /// `metadata.uid` of the Deployment.
    pub uid: String,
    /// Name of the ReplicaSet.
    pub set: String,
    /// Id of the change that it was made of, the last one where there were several.
    pub change: Option<String>,
    /// Who submitted it.
    pub requested_by: Option<String>,
    /// When it was let through.
    pub released: Option<Timestamp>,
    /// When the ReplicaSet was made.
    pub made: Option<Timestamp>,
    /// Which one of its Deployment it is, counted by the deployment controller.
    revision: u64,
    /// The template, as it was submitted.
    pub template: PodTemplateSpec,
}

impl Ran {
    /// What a ReplicaSet says; `None` where no Deployment owns it.
    #[must_use]
    pub fn of(set: ReplicaSet) -> Option<Self> {
        let metadata = set.metadata;
        let mut owners = metadata.owner_references.into_iter().flatten();
        let owner = owners.find(|owner| owner.controller == Some(true) && owner.kind == "Deployment")?;
        let mut annotations = metadata.annotations.unwrap_or_default();
        let mut template = set.spec.template?;
        if let Some(labels) = template.metadata.as_mut().and_then(|metadata| metadata.labels.as_mut()) {
            labels.remove(POD_TEMPLATE_HASH);
        }
        Some(Self {
            namespace: metadata.namespace.unwrap_or_default(),
            name: owner.name,
            uid: owner.uid,
            set: metadata.name.unwrap_or_default(),
            change: annotations.remove(Key::Change.name()),
            requested_by: annotations.remove(Key::RequestedBy.name()),
            released: annotations.remove(Key::ReleasedAt.name()).and_then(|text| text.parse().ok()),
            revision: annotations.remove(REVISION).and_then(|text| text.parse().ok()).unwrap_or_default(),
            made: metadata.creation_timestamp.map(|time| time.0),
            template,
        })
    }

    /// When it began to run, as far as is known.
    #[must_use]
    pub fn began(&self) -> Option<Timestamp> {
        self.released.or(self.made)
    }

    /// What ran earlier is less. Times are kept to the second, and two changes may begin in one.
    #[must_use]
    pub fn order(&self) -> (Option<Timestamp>, u64) {
        (self.began(), self.revision)
    }

    /// Images by container.
    #[must_use]
    pub fn images(&self) -> BTreeMap<&str, &str> {
        let containers = self.template.spec.iter().flat_map(|pod| &pod.containers);
        containers.filter_map(|c| Some((c.name.as_str(), c.image.as_deref()?))).collect()
    }
}

/// The images of a change: those of its ReplicaSet, and before it of the one that had begun last.
#[must_use]
pub fn images(all: &[Ran], uid: &str, change: &str) -> Vec<Image> {
    let own = |ran: &&Ran| ran.uid == uid && ran.change.as_deref() == Some(change);
    let Some(ran) = all.iter().filter(own).max_by_key(|ran| ran.order()) else { return vec![] };
    let earlier = |other: &&Ran| other.uid == uid && other.order() < ran.order();
    let before = all.iter().filter(earlier).max_by_key(|ran| ran.order()).map(Ran::images);
    let image = |(container, new): (&str, &str)| Image {
        container: container.to_owned(),
        old: before.as_ref().and_then(|before| before.get(container)).map(|old| (*old).to_owned()),
        new: new.to_owned(),
    };
    ran.images().into_iter().map(image).collect()
}

/// Reads those where a reader looks, of one Deployment or of all; `None` where the user may not.
///
/// # Errors
/// When the API server fails.
pub async fn read(reader: &Reader, selector: Option<&str>) -> Result<Option<Vec<Ran>>, Failure> {
    let mut params = ListParams::default();
    if let Some(selector) = selector {
        params = params.labels(selector);
    }
    let mut found = Vec::new();
    let api = reader.api::<ReplicaSet>();
    match reader.answer("list ReplicaSets", pages(&api, params, |set| found.extend(Ran::of(set)))).await {
        Ok(()) => Ok(Some(found)),
        Err(Failure::Forbidden(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    /// A ReplicaSet of Deployment `web`, made of a change of one image.
    pub fn ran(change: &str, image: &str, released: Option<&str>, made: &str) -> Ran {
        let mut set = json!({
            "metadata": {
                "namespace": "shop", "name": format!("web-{image}"), "creationTimestamp": made,
                "annotations": {"roadstead.dev/change": change, "roadstead.dev/requested-by": "jane"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u-1",
                                     "controller": true}],
            },
            "spec": {"selector": {}, "template": {
                "metadata": {"labels": {"app": "web", "pod-template-hash": "5d"}},
                "spec": {"containers": [{"name": "app", "image": image}]},
            }},
        });
        if let Some(released) = released {
            set["metadata"]["annotations"]["roadstead.dev/released-at"] = json!(released);
        }
        Ran::of(serde_json::from_value(set).unwrap()).unwrap()
    }

    #[test]
    fn a_change_goes_from_the_images_that_had_begun_last() {
        let all = [
            ran("aaaaaaaaaa", "web:1", None, "2026-01-01T09:00:00Z"),
            ran("cccccccccc", "web:3", Some("2026-01-01T11:00:00Z"), "2026-01-01T11:00:01Z"),
            ran("bbbbbbbbbb", "web:2", Some("2026-01-01T10:00:00Z"), "2026-01-01T08:00:00Z"),
        ];
        let change = |id: &str| images(&all, "u-1", id).pop().map(|image| (image.old, image.new));
        assert_eq!(change("cccccccccc"), Some((Some("web:2".into()), "web:3".into())));
        assert_eq!(change("bbbbbbbbbb"), Some((Some("web:1".into()), "web:2".into())));
        assert_eq!(change("aaaaaaaaaa"), Some((None, "web:1".into())));
        assert_eq!(change("dddddddddd"), None);
    }

    #[test]
    fn of_two_that_began_in_one_second_the_later_revision_is_the_later() {
        let at = Some("2026-01-01T10:00:00Z");
        let mut all = [
            ran("aaaaaaaaaa", "web:1", at, "2026-01-01T10:00:00Z"),
            ran("bbbbbbbbbb", "web:2", at, "2026-01-01T10:00:00Z"),
        ];
        (all[0].revision, all[1].revision) = (9, 10);
        assert_eq!(images(&all, "u-1", "bbbbbbbbbb")[0].old.as_deref(), Some("web:1"));
        assert_eq!(images(&all, "u-1", "aaaaaaaaaa")[0].old, None);
    }

    #[test]
    fn a_template_is_what_was_submitted() {
        let labels =
            ran("aaaaaaaaaa", "web:1", None, "2026-01-01T09:00:00Z").template.metadata.unwrap().labels;
        assert_eq!(labels.unwrap().into_keys().collect::<Vec<_>>(), ["app"]);
    }
}
