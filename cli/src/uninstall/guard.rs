//! The look before the first step: is the API server there, is this the release that is meant, is its namespace there?

use k8s_openapi::api::{core::v1::Namespace, rbac::v1::ClusterRoleBinding};
use kube::Api;

use super::{release::Release, work::Work};
use crate::{
    failure::{Attempt, Failure},
    trouble::{Remedy, Trouble, within},
};

/// Where the release lives.
pub struct Home {
    /// Whether its namespace is there and stays. Who may not look takes it to be: then nothing that Helm removes is
    /// removed here.
    pub is_there: bool,
}

/// Looks.
///
/// # Errors
/// When nobody answers, the API server does not know who asks, or the release of that name lives elsewhere: a mistyped
/// namespace would look like one that is gone.
pub async fn look(work: &Work<'_>, release: &Release, server: &str) -> Result<Home, Failure> {
    let namespaces = Api::<Namespace>::all(work.client.clone());
    let home = match within(namespaces.get_metadata_opt(&release.namespace)).await {
        Ok(namespace) => namespace.is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_none()),
        Err(trouble) if trouble.is_forbidden() => true,
        Err(Trouble::Api(error)) => {
            let namespace = Some(&*release.namespace);
            return Err(Failure::of(
                &error,
                Attempt { what: "get the namespace of the release", namespace, server },
            ));
        }
        Err(trouble @ Trouble::NoAnswer) => {
            return Err(Failure::Unreachable { server: server.to_owned(), cause: trouble.to_string() });
        }
    };
    if let Some(namespace) = elsewhere(work, release).await? {
        let Release { name, namespace: typed, .. } = release;
        return Err(Failure::NotFound(format!(
            "release {name} is in namespace {namespace}, not in {typed}: pass --namespace {namespace}"
        )));
    }
    Ok(Home { is_there: home })
}

/// The namespace of the ServiceAccount that the executor's rights are given to, if it is another than the release's.
async fn elsewhere(work: &Work<'_>, release: &Release) -> Result<Option<String>, Failure> {
    let bindings = Api::<ClusterRoleBinding>::all(work.client.clone());
    let name = release.part("executor");
    let binding = match within(bindings.get(&name)).await {
        Ok(binding) => binding,
        // Gone, or nothing that this user may see: nothing contradicts what was typed.
        Err(trouble) if trouble.remedy() == Remedy::Gone || trouble.is_forbidden() => return Ok(None),
        Err(trouble) => return Err(Failure::Api(format!("get ClusterRoleBinding {name}: {trouble}"))),
    };
    let namespaces = binding.subjects.into_iter().flatten().filter_map(|subject| subject.namespace);
    Ok(namespaces.into_iter().find(|namespace| *namespace != release.namespace))
}
