//! Which namespaces are swept: remembered in a ConfigMap (namespace name to namespace uid), and in memory for those
//! who ask at each release.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{deployments::within, error::Failure};

/// Namespaces that are swept, by name, with their uid.
pub type Record = BTreeMap<String, String>;

/// The record as it was last read or written here.
#[derive(Clone, Default)]
pub struct Swept(Arc<RwLock<Record>>);

impl Swept {
    /// Whether the namespace of that uid is swept.
    #[must_use]
    pub fn contains(&self, namespace: &str, uid: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(namespace).is_some_and(|swept| swept == uid)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The ConfigMap.
pub(super) struct Memory {
    api: Api<ConfigMap>,
    name: String,
}

impl Memory {
    pub(super) fn new(client: Client, namespace: &str, name: String) -> Self {
        Self { api: Api::namespaced(client, namespace), name }
    }

    pub(super) async fn read(&self) -> Result<Record, Failure> {
        Ok(within(self.api.get(&self.name)).await?.data.unwrap_or_default())
    }

    /// Remembers a namespace, or forgets it where `uid` is `None`.
    pub(super) async fn write(&self, namespace: &str, uid: Option<&str>) -> Result<(), Failure> {
        let patch = Patch::Merge(json!({"data": {namespace: uid}}));
        within(self.api.patch(&self.name, &PatchParams::default(), &patch)).await?;
        Ok(())
    }
}
