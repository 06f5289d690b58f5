//! The two Secrets and the webhook configurations on the API server: read as one view, and written one at a time.

use futures::{Stream, stream};
use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    core::v1::Secret,
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::PartialObjectMeta,
};

use super::{
    Authorities, Failure,
    objects::{Configuration, Stored},
};
use crate::{
    secrets::{MANAGER, Secrets, touched, within},
    tls::Leaf,
};

/// What the objects are called.
#[derive(Clone, Debug)]
pub struct Names {
    /// Namespace of the Secrets.
    pub namespace: String,
    /// Secret with the authorities and their keys. Nobody else has to read it.
    pub authorities: String,
    /// Secret with the webhook's certificate and key.
    pub leaf: String,
    /// The `MutatingWebhookConfiguration`.
    pub hold: String,
    /// The `ValidatingWebhookConfiguration`.
    pub gate: String,
}

/// The objects of one installation.
#[derive(Clone)]
pub struct Cluster {
    names: Names,
    secrets: Secrets,
    configurations: [(Api<DynamicObject>, String); 2],
    client: Client,
}

impl Cluster {
    /// Of this API server.
    #[must_use]
    pub fn new(client: Client, names: Names) -> Self {
        let all = |resource: &ApiResource| Api::all_with(client.clone(), resource);
        Self {
            // The gate has the name of the installation.
            secrets: Secrets::new(client.clone(), &names.namespace, &names.gate),
            configurations: [
                (all(&ApiResource::erase::<MutatingWebhookConfiguration>(&())), names.hold.clone()),
                (all(&ApiResource::erase::<ValidatingWebhookConfiguration>(&())), names.gate.clone()),
            ],
            client,
            names,
        }
    }

    /// Something whenever one of the objects may have changed.
    pub(super) fn changes(&self) -> impl Stream<Item = ()> + Send + Unpin + use<> {
        stream::select_all([
            touched(
                Api::<PartialObjectMeta<MutatingWebhookConfiguration>>::all(self.client.clone()),
                &self.names.hold,
            ),
            touched(
                Api::<PartialObjectMeta<ValidatingWebhookConfiguration>>::all(self.client.clone()),
                &self.names.gate,
            ),
            self.secrets.changes(&self.names.authorities),
            self.secrets.changes(&self.names.leaf),
        ])
    }

    /// The configurations that are there, and how many are not.
    pub(super) async fn configurations(&self) -> Result<(Vec<Configuration>, usize), Failure> {
        let mut found = Vec::new();
        for (place, (api, name)) in self.configurations.iter().enumerate() {
            let object = within(format!("read the webhook configuration {name}"), api.get_opt(name)).await?;
            if let Some(object) = object {
                found.push(Configuration { place, object });
            } else {
                tracing::warn!(name, "there is no such webhook configuration; is the chart installed?");
            }
        }
        let missing = self.configurations.len() - found.len();
        Ok((found, missing))
    }

    pub(super) async fn leaf(&self) -> Result<Stored, Failure> {
        self.read(&self.names.leaf).await
    }

    pub(super) async fn authorities(&self) -> Result<Stored, Failure> {
        self.read(&self.names.authorities).await
    }

    async fn read(&self, name: &str) -> Result<Stored, Failure> {
        Ok(Stored(self.secrets.read(name).await?))
    }

    /// Replaces the document, if the Secret is still as it was read.
    pub(super) async fn write_authorities(
        &self,
        stored: Stored,
        authorities: &Authorities,
        is_answer: bool,
    ) -> Result<(), Failure> {
        let document = authorities.write()?;
        self.write(&self.names.authorities, stored.with_document(document, is_answer)).await
    }

    /// Replaces the leaf, if the Secret is still as it was read.
    pub(super) async fn write_leaf(&self, stored: Stored, leaf: &Leaf) -> Result<(), Failure> {
        self.write(&self.names.leaf, stored.with_leaf(leaf)).await
    }

    async fn write(&self, name: &str, secret: Secret) -> Result<(), Failure> {
        Ok(self.secrets.write(name, secret).await?)
    }

    /// Makes every webhook of a configuration trust this bundle, if the configuration is still as it was read: a
    /// bundle that was put together earlier must not replace a later one. No other field is touched.
    pub(super) async fn publish(&self, configuration: &Configuration, bundle: &str) -> Result<(), Failure> {
        let (api, name) = &self.configurations[configuration.place];
        let patch = Patch::Json::<()>(serde_json::from_value(configuration.patch(bundle))?);
        let parameters = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        within(format!("write the caBundle of {name}"), api.patch(name, &parameters, &patch)).await?;
        Ok(())
    }
}
