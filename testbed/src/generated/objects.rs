//! The objects, as large as real ones: managed fields and the last applied configuration are most of their metadata.

use std::sync::atomic::Ordering;

use contract::{
    Gate, Key, Phase,
    key::{ENABLED_LABEL, PHASE_LABEL},
};
use serde_json::{Value, json};

use super::Cluster;
use crate::deployment;

/// Namespaces that the Deployments are spread over.
const NAMESPACES: usize = 50;
/// Environment variables of a Deployment, to make it a few kB large.
const VARIABLES: usize = 30;

/// Its namespace and name.
fn address(number: usize) -> (String, String) {
    (format!("shop-{}", number % NAMESPACES), format!("web-{number}"))
}

/// The number of the Deployment of that name.
pub(super) fn number(name: &str) -> Option<usize> {
    name.strip_prefix("web-")?.parse().ok()
}

impl Cluster {
    /// A Deployment as the API server would send it.
    pub(super) fn deployment(&self, number: usize) -> Value {
        let (namespace, name) = address(number);
        let fixture = (0..VARIABLES).fold(deployment(&name).namespace(&namespace), |fixture, variable| {
            fixture.env(&format!("SETTING_{variable}"), &format!("value-{variable}-of-{name}"))
        });
        let mut object = fixture.json();
        let applied = object.to_string();
        let fields: Value = (0..VARIABLES)
            .map(|variable| {
                (format!("k:{{\"name\":\"SETTING_{variable}\"}}"), json!({ ".": {}, "f:value": {} }))
            })
            .collect::<serde_json::Map<_, _>>()
            .into();
        let metadata = &mut object["metadata"];
        metadata["uid"] = json!(format!("{number:08}-0000-4000-8000-000000000000"));
        metadata["generation"] = json!(1);
        metadata["resourceVersion"] = json!(self.version.load(Ordering::Relaxed).to_string());
        metadata["managedFields"] =
            json!([{ "manager": "kubectl", "operation": "Apply", "fieldsV1": fields }]);
        metadata["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = json!(applied);
        if number < self.size.held {
            metadata["labels"][PHASE_LABEL] = json!(Phase::Held.to_string());
            metadata["annotations"][Key::Gate.name()] = json!(Gate::Closed.as_str());
            metadata["annotations"][Key::Change.name()] = json!(self.change(number));
            metadata["annotations"][Key::RequestedBy.name()] = json!("jane");
        }
        object
    }

    /// The same without its spec.
    pub(super) fn metadata_only(&self, number: usize) -> Value {
        let mut object = self.deployment(number);
        json!({
            "apiVersion": "meta.k8s.io/v1",
            "kind": "PartialObjectMetadata",
            "metadata": object["metadata"].take(),
        })
    }

    /// The id of its change: in letters, as ids are.
    fn change(&self, number: usize) -> String {
        let times = self.renewed().get(&number).copied().unwrap_or_default();
        let digits = format!("{times:06}{number:08}");
        digits.bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
    }
}

/// The namespaces, all opted in.
pub(super) fn namespaces() -> Vec<Value> {
    let namespace = |number| {
        json!({
            "apiVersion": "meta.k8s.io/v1",
            "kind": "PartialObjectMetadata",
            "metadata": {
                "name": format!("shop-{number}"),
                "uid": format!("{number:08}-0000-4000-9000-000000000000"),
                "resourceVersion": "1",
                "labels": { ENABLED_LABEL: "true" },
            },
        })
    };
    (0..NAMESPACES).map(namespace).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, atomic::AtomicUsize};

    use super::*;
    use crate::generated::Size;

    #[test]
    fn the_metadata_is_as_large_as_that_of_real_objects() {
        let cluster = Cluster {
            size: Size { deployments: 2, held: 1 },
            renewed: Mutex::default(),
            watchers: Mutex::default(),
            version: 1.into(),
            reads: AtomicUsize::default(),
            careless: AtomicUsize::default(),
        };
        for number in 0..2 {
            let bytes = cluster.metadata_only(number).to_string().len();
            assert!((3_000..6_000).contains(&bytes), "{bytes}");
        }
        assert_eq!(cluster.deployment(0)["metadata"]["labels"][PHASE_LABEL], "held");
        assert!(cluster.deployment(1)["metadata"]["labels"][PHASE_LABEL].is_null());
    }
}
