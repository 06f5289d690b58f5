//! What a release leaves outside its namespace when that was deleted first: Helm forgot the release with it. Found by
//! the chart's labels. While the namespace is there, all this is Helm's to delete.

use kube::{
    Api,
    api::{ApiResource, DynamicObject, ListParams},
};

use super::{release::Release, work::Work};
use crate::trouble::Remedy;

/// Group, version, kind, plural of what the chart makes outside its namespace.
const KINDS: [(&str, &str, &str, &str); 9] = [
    (ADMISSION, "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
    (ADMISSION, "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
    (ADMISSION, "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
    (ADMISSION, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
    (RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings"),
    (RBAC, "v1", "ClusterRole", "clusterroles"),
    (RBAC, "v1", "RoleBinding", "rolebindings"),
    (RBAC, "v1", "Role", "roles"),
    ("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses"),
];
const ADMISSION: &str = "admissionregistration.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";

/// Deletes all of it.
pub async fn delete(work: &mut Work<'_>, release: &Release) {
    let selection = ListParams::default().labels(&release.selector());
    for (group, version, kind, plural) in KINDS {
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: format!("{group}/{version}"),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        };
        let everywhere = Api::<DynamicObject>::all_with(work.client.clone(), &resource);
        let listed =
            work.list(&everywhere, &selection, |object| Some((object.namespace, object.name?))).await;
        let found = match listed {
            Ok(found) => found,
            // A cluster without such a kind.
            Err(trouble) if trouble.remedy() == Remedy::Gone => continue,
            Err(trouble) => {
                work.left(format!("{plural} of the release: {trouble}"));
                continue;
            }
        };
        let kind = kind.to_lowercase();
        for (namespace, name) in found {
            let (api, what) = match namespace {
                // It goes with its namespace.
                Some(namespace) if namespace == release.namespace => continue,
                Some(namespace) => (
                    Api::namespaced_with(work.client.clone(), &namespace, &resource),
                    format!("{kind} {namespace}/{name}"),
                ),
                None => (everywhere.clone(), format!("{kind} {name}")),
            };
            work.delete::<DynamicObject>(&api, &what).await;
        }
    }
}
