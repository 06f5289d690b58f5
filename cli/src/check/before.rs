//! Before an install: what the user may do, what the chart needs, and what is there already.

use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    storage::v1::StorageClass,
};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, PostParams},
};

use super::{Look, finding::Finding, orphans};
use crate::trouble::within;

/// Group and resource of what the chart makes; those without a namespace first.
const MADE: [(&str, &str, bool); 9] = [
    ("apiextensions.k8s.io", "customresourcedefinitions", false),
    ("rbac.authorization.k8s.io", "clusterroles", false),
    ("rbac.authorization.k8s.io", "clusterrolebindings", false),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", false),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations", false),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies", false),
    ("apps", "deployments", true),
    ("apps", "statefulsets", true),
    ("rbac.authorization.k8s.io", "roles", true),
];
/// Marks the class that a claim gets that names none.
/// <https://kubernetes.io/docs/tasks/administer-cluster/change-default-storage-class/>
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// Looks at all of it.
pub async fn look(look: &Look) -> Vec<Finding> {
    let left = match orphans::held(look).await {
        Ok(held) => orphans::left(&held),
        Err(trouble) => Finding::unseen("orphans", "list deployments.apps in all namespaces", &trouble),
    };
    vec![rights(look).await, storage(look).await, left, orphans::others(look).await]
}

async fn rights(look: &Look) -> Finding {
    let reviews = Api::<SelfSubjectAccessReview>::all(look.client.clone());
    let mut missing = Vec::new();
    for (group, resource, in_namespace) in MADE {
        let namespace = in_namespace.then(|| look.release.namespace.clone());
        let asked = ResourceAttributes {
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            verb: Some("create".to_owned()),
            namespace,
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(asked), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        match within(reviews.create(&PostParams::default(), &review)).await {
            Ok(answer) if answer.status.as_ref().is_some_and(|status| status.allowed) => {}
            Ok(_) => missing.push(format!("{resource}.{group}")),
            Err(trouble) => return Finding::unseen("rights", "create selfsubjectaccessreviews", &trouble),
        }
    }
    may_not(&missing, &look.release.namespace)
}

fn may_not(missing: &[String], namespace: &str) -> Finding {
    if missing.is_empty() {
        return Finding::ok(
            "rights",
            format!("you may create what the chart makes, in namespace {namespace}"),
        );
    }
    Finding::fail(
        "rights",
        format!("you may not create {}", missing.join(", ")),
        "have somebody install it who may; a release for a few namespaces needs these rights as well",
    )
}

async fn storage(look: &Look) -> Finding {
    let classes = Api::<StorageClass>::all(look.client.clone());
    let found = match within(classes.list(&ListParams::default())).await {
        Ok(found) => found.items,
        Err(trouble) => return Finding::unseen("storage", "list storageclasses.storage.k8s.io", &trouble),
    };
    let default =
        found.iter().find(|class| class.annotations().get(DEFAULT_CLASS).is_some_and(|yes| yes == "true"));
    match default {
        Some(class) => Finding::ok("storage", format!("{} is the default StorageClass", class.name_any())),
        None => Finding::warn(
            "storage",
            "there is no default StorageClass: the chart's NATS would wait for its volume",
            "name one (nats.embedded.storage.class), bring a NATS of yours (nats.external.url), or, to look around, \
             nats.embedded.storage.persistent=false",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Status;

    #[test]
    fn a_right_that_is_missing_is_named() {
        assert_eq!(may_not(&[], "ships").status, Status::Ok);
        let found = may_not(&["roles.rbac.authorization.k8s.io".to_owned()], "ships");
        assert!(found.status == Status::Fail && found.message.contains("roles.rbac"), "{found:?}");
    }
}
