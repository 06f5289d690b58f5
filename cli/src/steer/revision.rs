//! What a Deployment can go back to: the templates in its ReplicaSets. The deployment controller copies the id of a change to
//! the ReplicaSet of its template, so a ReplicaSet names the change that brought its template last.

use contract::{ChangeId, Digest, Key, key::POD_TEMPLATE_HASH};
use k8s_openapi::{api::apps::v1::ReplicaSet, apimachinery::pkg::apis::meta::v1::LabelSelector};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, ListParams},
    core::Selector,
};
use serde_json::Value;

use super::{desk::Desk, live::Live};
use crate::{failure::Failure, images::images, read::pages, row::Image, trouble::within};

/// Annotation of the deployment controller: counts up with each template that it turns to.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// One ReplicaSet.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// Its number.
    pub number: i64,
    /// The change that brought its template last.
    pub change: Option<ChangeId>,
    /// Its pod template, as the Deployment had it.
    pub template: Value,
    /// Digest of that, computed.
    pub digest: Digest,
}

impl Revision {
    fn of(mut set: DynamicObject) -> Result<Self, Failure> {
        let annotation = |key: &str| set.annotations().get(key);
        let number = annotation(REVISION).and_then(|number| number.parse().ok()).unwrap_or_default();
        let change = annotation(Key::Change.name()).and_then(|change| change.parse().ok());
        let mut template = set.data["spec"]["template"].take();
        if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
            labels.remove(POD_TEMPLATE_HASH);
        }
        Ok(Self { number, change, digest: Digest::of_value(&template)?, template })
    }

    /// `revision 3 (app web:1 → web:2)`, seen from what is written there now.
    #[must_use]
    pub fn called(&self, live: &Live) -> String {
        format!("revision {} ({})", self.number, difference(live.template(), &self.template))
    }
}

/// The ReplicaSets of a Deployment, the newest first.
///
/// # Errors
/// When they cannot be listed.
pub async fn of(desk: &Desk, live: &Live) -> Result<Vec<Revision>, Failure> {
    let selector = live.object.data["spec"]["selector"].clone();
    let selector =
        serde_json::from_value::<LabelSelector>(selector).ok().and_then(|it| Selector::try_from(it).ok());
    let Some(selector) = selector.filter(|selector| !selector.selects_all()) else { return Ok(vec![]) };
    let resource = ApiResource::erase::<ReplicaSet>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(desk.client.clone(), &desk.namespace, &resource);
    let mut sets = Vec::new();
    let listed = pages(&api, ListParams::default().labels_from(&selector), |set| sets.push(set));
    within(listed).await.map_err(|trouble| desk.failure("list ReplicaSets", trouble, "view"))?;
    let owned = sets.into_iter().filter(|set| is_owned(set, live));
    let mut revisions = owned.map(Revision::of).collect::<Result<Vec<_>, _>>()?;
    revisions.sort_by_key(|revision| std::cmp::Reverse(revision.number));
    Ok(revisions)
}

fn is_owned(set: &DynamicObject, live: &Live) -> bool {
    let mut owners = set.owner_references().iter();
    owners
        .any(|owner| owner.controller == Some(true) && Some(&owner.uid) == live.object.metadata.uid.as_ref())
}

/// What a template makes of the images of another, for people.
#[must_use]
pub fn difference(old: &Value, new: &Value) -> String {
    let containers = |template: &Value| {
        let all = template["spec"]["containers"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        all.iter().map(|one| (text(&one["name"]), text(&one["image"]))).collect::<Vec<_>>()
    };
    let before = containers(old);
    let image = |(container, new): (String, String)| {
        let old = before.iter().find(|(name, _)| *name == container).map(|(_, image)| image.clone());
        Image { container, old, new }
    };
    let images = images(&containers(new).into_iter().map(image).collect::<Vec<_>>(), false);
    // Images are chosen by others.
    images.replace(char::is_control, "?")
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::{super::live::tests::*, *};

    /// A revision of an image, with the change of its ReplicaSet.
    pub fn revision(number: i64, image: &str, change: &str) -> Revision {
        let mut template = template(image);
        template["metadata"]["labels"][POD_TEMPLATE_HASH] = json!("5d8f");
        let set = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": format!("web-{number}"),
                "annotations": {REVISION: number.to_string(), "roadstead.dev/change": change},
            },
            "spec": {"template": template},
        });
        Revision::of(serde_json::from_value(set).unwrap()).unwrap()
    }

    #[test]
    fn a_replica_set_gives_the_template_back_as_the_deployment_had_it() {
        let first = revision(1, "web:1", "aaaaaaaaaa");
        assert_eq!(first.template, template("web:1"));
        assert_eq!(first.digest, Digest::of_value(&template("web:1")).unwrap());
        assert_eq!(first.change.as_ref().map(ChangeId::as_str), Some("aaaaaaaaaa"));
        assert_eq!(first.called(&live(&json!({}), None)), "revision 1 (web:2 → web:1)");
    }

    #[test]
    fn only_what_the_deployment_itself_controls_is_its_own() {
        let set = |uid: &str, controller: bool| -> DynamicObject {
            let owner = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": uid, "controller": controller});
            let set = json!({"metadata": {"name": "web-1", "ownerReferences": [owner]}});
            serde_json::from_value(set).unwrap()
        };
        let web = live(&json!({}), None);
        assert!(is_owned(&set("u-1", true), &web));
        assert!(!is_owned(&set("u-2", true), &web) && !is_owned(&set("u-1", false), &web));
    }
}
