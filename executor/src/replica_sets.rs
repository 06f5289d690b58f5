//! The ReplicaSets of a Deployment: what ran before, and what can be gone back to.

use contract::{Digest, key::POD_TEMPLATE_HASH};
use k8s_openapi::{api::apps::v1::ReplicaSet, apimachinery::pkg::apis::meta::v1::LabelSelector};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, ListParams},
    core::Selector,
};
use serde_json::Value;

use crate::{deployments::within, error::Failure};

/// Annotation of the deployment controller: counts up with each template that it turns to.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// One ReplicaSet.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    /// Its number.
    pub(crate) number: i64,
    /// Its pod template, as the Deployment had it.
    pub(crate) template: Value,
    /// Digest of that, computed.
    pub(crate) digest: Digest,
    /// The label that its pods carry.
    pub(crate) hash: String,
}

/// How fresh a list has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// As the API server remembers: cheap.
    Remembered,
    /// As it is stored.
    Stored,
}

/// The labels by which a Deployment finds what is its own; `None` where it has no selector that means anything.
pub(crate) fn selector(deployment: &DynamicObject) -> Option<Selector> {
    let selector: LabelSelector = serde_json::from_value(deployment.data["spec"]["selector"].clone()).ok()?;
    let selector = Selector::try_from(selector).ok()?;
    (!selector.selects_all()).then_some(selector)
}

/// The ReplicaSets of a Deployment, the newest first.
pub(crate) async fn of(
    client: &Client,
    deployment: &DynamicObject,
    fresh: Fresh,
) -> Result<Vec<Revision>, Failure> {
    let (Some(selector), Some(namespace)) = (selector(deployment), deployment.namespace()) else {
        return Ok(Vec::new());
    };
    // Read as they are: a typed one would lose fields that a newer API server knows, and with them its digest.
    let resource = ApiResource::erase::<ReplicaSet>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    let all = ListParams::default().labels_from(&selector);
    let all = if fresh == Fresh::Remembered { all.match_any() } else { all };
    let list = within(api.list(&all)).await?;
    let owned = list.items.into_iter().filter(|set| is_owned(set, deployment));
    let mut revisions = owned.map(Revision::of).collect::<Result<Vec<_>, _>>()?;
    revisions.sort_by_key(|revision| std::cmp::Reverse(revision.number));
    Ok(revisions)
}

fn is_owned(set: &DynamicObject, deployment: &DynamicObject) -> bool {
    let mut owners = set.owner_references().iter();
    owners.any(|owner| owner.controller == Some(true) && Some(&owner.uid) == deployment.metadata.uid.as_ref())
}

impl Revision {
    fn of(mut set: DynamicObject) -> Result<Self, serde_json::Error> {
        let number =
            set.annotations().get(REVISION).and_then(|number| number.parse().ok()).unwrap_or_default();
        let mut template = set.data["spec"]["template"].take();
        let labels = template["metadata"]["labels"].as_object_mut();
        let hash = labels.and_then(|labels| labels.remove(POD_TEMPLATE_HASH));
        let hash = hash.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self { number, digest: Digest::of_value(&template)?, template, hash })
    }
}
