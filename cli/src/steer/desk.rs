//! Where the verbs that steer read and write: one namespace, with the user's own rights. A write that meets another object
//! than was read is told apart from one that is refused.

use json_patch::Patch as JsonPatch;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
};

use super::{
    args::{DryRun, Manner, Targets},
    live::Live,
};
use crate::{
    connection,
    failure::{Attempt, Failure},
    read::pages,
    trouble::{Remedy, Trouble, within},
    warnings::Warnings,
};

/// Who wrote a field, in `managedFields`.
pub const FIELD_MANAGER: &str = "kubectl-roadstead";

/// One namespace, as one user.
pub struct Desk {
    /// The API server.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
    /// Whether it is done.
    pub dry_run: DryRun,
    /// What the API server warned of.
    pub warnings: Warnings,
    server: String,
}

impl Desk {
    /// Reads the configuration; nothing is sent yet.
    ///
    /// # Errors
    /// When there is no configuration that gives a client.
    pub async fn open(manner: &Manner) -> Result<Self, Failure> {
        let connection = connection::open(&manner.access, manner.namespace.as_deref()).await?;
        Ok(Self {
            client: connection.client,
            namespace: connection.namespace,
            dry_run: manner.dry_run,
            warnings: connection.warnings,
            server: connection.server,
        })
    }

    /// The Deployments named, or those of the selection in one of these phases.
    ///
    /// # Errors
    /// When a selection cannot be listed, or is empty.
    pub async fn targets(
        &self,
        targets: &Targets,
        phases: &str,
    ) -> Result<Vec<Result<Live, Failure>>, Failure> {
        let Some(selector) = &targets.selector else { return self.named(&targets.names).await };
        let labels = format!("{} in ({phases}),{selector}", contract::key::PHASE_LABEL);
        let mut found = Vec::new();
        let api = self.deployments();
        let listed =
            pages(&api, ListParams::default().labels(&labels), |object| found.push(Ok(Live::of(object))));
        within(listed).await.map_err(|trouble| self.failure("list Deployments", trouble, "view"))?;
        if found.is_empty() {
            let namespace = &self.namespace;
            return Err(Failure::NotFound(format!(
                "no Deployment of that selection in namespace {namespace} is {}; see: kubectl roadstead get -n {namespace}",
                phases.replace(',', " or ")
            )));
        }
        Ok(found)
    }

    /// The Deployments of these names; one that cannot be read does not stop the others.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn named(&self, names: &[String]) -> Result<Vec<Result<Live, Failure>>, Failure> {
        let mut found = Vec::new();
        for name in names {
            match self.read(name).await {
                Err(failure @ (Failure::Unreachable { .. } | Failure::Unauthorized(_))) => {
                    return Err(failure);
                }
                read => found.push(read),
            }
        }
        Ok(found)
    }

    /// One Deployment.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub async fn read(&self, name: &str) -> Result<Live, Failure> {
        let read = within(self.deployments().get_opt(name)).await;
        let read =
            read.map_err(|trouble| self.failure(&format!("get Deployment {name}"), trouble, "view"))?;
        read.map(Live::of).ok_or_else(|| {
            let namespace = &self.namespace;
            Failure::NotFound(format!(
                "there is no Deployment {name} in namespace {namespace}; look elsewhere with -n NAMESPACE"
            ))
        })
    }

    /// Writes on what was read; `None` where it is not that any more. `what` completes "you cannot …".
    ///
    /// # Errors
    /// When the API server refuses or fails.
    pub async fn write(&self, live: &Live, patch: JsonPatch, what: &str) -> Result<Option<Live>, Failure> {
        let (api, name) = (self.deployments(), live.name());
        let trouble = match within(api.patch(&name, &self.parameters(), &Patch::Json::<()>(patch))).await {
            Ok(stored) => return Ok(Some(Live::of(stored))),
            Err(trouble) => trouble,
        };
        // A test of the patch that does not hold is a 422, and so is an object that is invalid.
        if trouble.has_code(409) || trouble.has_code(422) {
            let now = self.read(&name).await?;
            if now.object.metadata.resource_version != live.object.metadata.resource_version {
                return Ok(None);
            }
        }
        Err(self.failure(what, trouble, "edit"))
    }

    /// How a patch is sent.
    #[must_use]
    pub fn parameters(&self) -> PatchParams {
        PatchParams {
            dry_run: self.dry_run == DryRun::Server,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        }
    }

    fn deployments(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &ApiResource::erase::<Deployment>(&()))
    }

    /// The failure of an attempt: in the API server's own words, and where RBAC said no, which role says yes.
    #[must_use]
    pub fn failure(&self, what: &str, trouble: Trouble, role: &str) -> Failure {
        let said = trouble.to_string();
        match trouble {
            trouble if trouble.is_forbidden() => {
                Failure::Forbidden(forbidden(what, &said, role, &self.namespace))
            }
            trouble if trouble.remedy() == Remedy::Gone => {
                Failure::NotFound(format!("cannot {what}: {said}"))
            }
            Trouble::NoAnswer => Failure::Unreachable { server: self.server.clone(), cause: said },
            Trouble::Api(error) if matches!(&error, kube::Error::Api(status) if status.code != 401) => {
                Failure::Api(format!("cannot {what}: {said}"))
            }
            Trouble::Api(error) => {
                Failure::of(&error, Attempt { what, namespace: Some(&self.namespace), server: &self.server })
            }
        }
    }
}

/// What a webhook or a policy says names the right by itself; RBAC names only what is missing.
fn forbidden(what: &str, said: &str, role: &str, namespace: &str) -> String {
    let by_rbac = said.contains(" cannot ") && said.contains(" resource ");
    let gives = match role {
        _ if !by_rbac => String::new(),
        "cluster-admin" => "; ClusterRole cluster-admin has that right, or a role of yours".to_owned(),
        role => format!(
            "; ClusterRole {role} gives that right: kubectl create rolebinding NAME -n {namespace} --clusterrole={role} \
             --user=USER"
        ),
    };
    format!("you may not {what}: {said}{gives}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lacks_a_right_is_told_which_role_gives_it() {
        let rbac = r#"the API server says: deployments.apps "web" is forbidden: User "jane" cannot patch resource "deployments""#;
        let told = forbidden("approve it", rbac, "edit", "shop");
        assert!(told.starts_with("you may not approve it: the API server says: "), "{told}");
        assert!(
            told.ends_with("kubectl create rolebinding NAME -n shop --clusterrole=edit --user=USER"),
            "{told}"
        );
        assert!(forbidden("freeze", rbac, "cluster-admin", "shop").contains("cluster-admin has that right"));
        let policy = "it takes the verb approve on changes.roadstead.dev there, which ClusterRole roadstead-approver gives";
        assert!(forbidden("approve it", policy, "edit", "shop").ends_with("roadstead-approver gives"));
    }
}
