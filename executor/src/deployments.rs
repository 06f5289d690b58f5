//! Deployments on the API server: read, listed and patched, each within a limit of time.

use std::{future::Future, time::Duration};

use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
};

use crate::{error::Failure, live::Live};

/// Longest wait for an answer. Several of them fit into the ack wait of a message.
const REQUEST: Duration = Duration::from_secs(5);

/// Objects in one page of a list: at most 1.5 MB each, and they are dropped page by page.
const PAGE: u32 = 100;

/// Who wrote a field, in `managedFields`.
const FIELD_MANAGER: &str = "roadstead-executor";

/// The Deployments of a cluster.
#[derive(Clone)]
pub struct Deployments {
    client: Client,
    resource: ApiResource,
}

impl Deployments {
    /// Of this API server.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, resource: ApiResource::erase::<Deployment>(&()) }
    }

    /// The API server.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Every Deployment.
    #[must_use]
    pub fn all(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &self.resource)
    }

    /// The Deployments of one namespace.
    #[must_use]
    pub fn of(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &self.resource)
    }

    /// One Deployment as it is stored; `None` where there is none.
    pub async fn get(&self, namespace: &str, name: &str) -> Result<Option<Live>, Failure> {
        let object = self.read(namespace, name).await?;
        Ok(object.as_ref().map(Live::of).transpose()?)
    }

    /// The same, with everything that it says.
    pub(crate) async fn read(&self, namespace: &str, name: &str) -> Result<Option<DynamicObject>, Failure> {
        within(self.of(namespace).get_opt(name)).await
    }

    /// Patches one; the answer is the object as it is stored then.
    pub async fn patch(&self, live: &Live, patch: json_patch::Patch) -> Result<Live, Failure> {
        Ok(Live::of(&self.write(live, patch, FIELD_MANAGER).await?)?)
    }

    /// Patches one under the name of that manager of fields.
    pub(crate) async fn write(
        &self,
        live: &Live,
        patch: json_patch::Patch,
        manager: &str,
    ) -> Result<DynamicObject, Failure> {
        let parameters = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        let api = self.of(&live.namespace);
        within(api.patch(&live.name, &parameters, &Patch::Json::<()>(patch))).await
    }

    /// A page of a namespace's Deployments, and where the next one begins.
    pub async fn page(
        &self,
        namespace: &str,
        from: Option<&str>,
    ) -> Result<(Vec<Live>, Option<String>), Failure> {
        let parameters = ListParams {
            limit: Some(PAGE),
            continue_token: from.map(str::to_owned),
            ..ListParams::default()
        };
        let list = within(self.of(namespace).list(&parameters)).await?;
        let page = list.items.iter().map(Live::of).collect::<Result<_, _>>()?;
        Ok((page, list.metadata.continue_.filter(|token| !token.is_empty())))
    }
}

/// A request to the API server, within the limit.
pub(crate) async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
    match tokio::time::timeout(REQUEST, request).await {
        Ok(answer) => answer.map_err(Failure::Api),
        Err(_) => Err(Failure::NoAnswer(REQUEST)),
    }
}
