//! The Secrets and the servers' `StatefulSet` on the API server.

use std::collections::BTreeMap;

use contract::access::Role;
use futures::{Stream, stream};
use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::Secret};
use kube::{
    Api, Client, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{
    Failure, Installation,
    restart::{RESTART, needed},
};
use crate::nats::manifest::{SERVER, Texts};
use crate::secrets::{MANAGER, Secrets, data, empty, within};

/// Ends the name of the Secret of the keys.
const KEYS: &str = "keys";

/// The objects of one installation.
#[derive(Clone)]
pub(super) struct Cluster {
    secrets: Secrets,
    servers: Api<StatefulSet>,
    installation: Installation,
}

/// The Secrets that are made of the keys, as they were read.
pub(super) type Derived = BTreeMap<&'static str, Option<Secret>>;

impl Cluster {
    pub(super) fn new(client: Client, installation: &Installation) -> Self {
        let Installation { namespace, prefix, .. } = installation;
        Self {
            secrets: Secrets::new(client.clone(), namespace, prefix),
            servers: Api::namespaced(client, namespace),
            installation: installation.clone(),
        }
    }

    /// Something whenever one of the Secrets may have changed.
    pub(super) fn changes(&self) -> impl Stream<Item = ()> + Send + Unpin + use<> {
        let parts = parts().chain([KEYS]);
        stream::select_all(parts.map(|part| self.secrets.changes(&self.installation.secret(part))))
    }

    /// What is made of the keys. Read before them: what is written is fenced by the version that was read earlier, and
    /// decided by what was read later, so that nothing older is written over it.
    pub(super) async fn derived(&self) -> Result<Derived, Failure> {
        let mut derived = Derived::new();
        for part in parts() {
            derived.insert(part, self.secrets.read(&self.installation.secret(part)).await?);
        }
        Ok(derived)
    }

    pub(super) async fn keys(&self) -> Result<Option<Secret>, Failure> {
        Ok(self.secrets.read(&self.installation.secret(KEYS)).await?)
    }

    /// Makes the Secret of the keys hold this, if it is still as it was read; says whether it did not already.
    pub(super) async fn write_keys(
        &self,
        stored: Option<Secret>,
        texts: Texts,
        drop_annotation: Option<&str>,
    ) -> Result<bool, Failure> {
        let stored = stored.map(|mut secret| {
            let asked = drop_annotation.and_then(|key| secret.annotations_mut().remove(key));
            (secret, asked.is_some())
        });
        let (secret, changed) = stored.unwrap_or_else(|| (empty("Opaque"), true));
        self.write(KEYS, secret, texts, changed).await
    }

    /// Makes a Secret hold this, if it is still as it was read; says whether it did not already.
    pub(super) async fn write_derived(
        &self,
        part: &str,
        stored: Option<Secret>,
        texts: Texts,
    ) -> Result<bool, Failure> {
        let mut secret = stored.unwrap_or_else(|| empty("Opaque"));
        let restart = (part == SERVER && secret.resource_version().is_some())
            .then(|| needed(&secret, &texts))
            .flatten();
        if let Some(restart) = restart {
            tracing::warn!("the servers take who they trust only when they start: they are started again");
            secret.annotations_mut().insert(RESTART.to_owned(), restart);
        }
        self.write(part, secret, texts, false).await
    }

    async fn write(&self, part: &str, secret: Secret, texts: Texts, changed: bool) -> Result<bool, Failure> {
        let wanted = Some(data(texts));
        let same = secret.data == wanted && self.secrets.is_labelled(&secret);
        if same && !changed && secret.resource_version().is_some() {
            return Ok(false);
        }
        let secret = Secret { data: wanted, ..secret };
        self.secrets.write(&self.installation.secret(part), secret).await?;
        Ok(true)
    }

    /// Has the servers started again where their Secret asks for it and they were not.
    pub(super) async fn restart(&self, server: &Secret) -> Result<(), Failure> {
        let Some(wanted) = server.annotations().get(RESTART) else { return Ok(()) };
        let name = self.installation.servers();
        let Some(servers) =
            within(format!("read the StatefulSet {name}"), self.servers.get_opt(&name)).await?
        else {
            return Ok(());
        };
        let annotations = servers.spec.template.metadata.and_then(|metadata| metadata.annotations);
        if annotations.as_ref().and_then(|annotations| annotations.get(RESTART)) == Some(wanted) {
            return Ok(());
        }
        let template = json!({"metadata": {"annotations": {RESTART: wanted}}});
        let patch = Patch::Merge(json!({"spec": {"template": template}}));
        let parameters = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        within(format!("restart the StatefulSet {name}"), self.servers.patch(&name, &parameters, &patch))
            .await?;
        tracing::warn!(name, "the servers are started again, one after the other");
        Ok(())
    }
}

/// What the names of the derived Secrets end with.
fn parts() -> impl Iterator<Item = &'static str> {
    let components = Role::ALL.into_iter().filter(|role| role.is_component()).map(Role::as_str);
    components.chain([SERVER])
}
