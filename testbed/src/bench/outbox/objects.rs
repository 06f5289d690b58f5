//! The objects, as large as real ones: managed fields and the last applied configuration are most of their metadata.

use std::collections::BTreeMap;

use contract::{
    Gate, Key, Phase,
    key::{ENABLED_LABEL, PHASE_LABEL},
};
use serde_json::{Value, json};

use crate::{
    deployment,
    generated::{self, GeneratedApi},
};

/// Namespaces that the Deployments are spread over.
const NAMESPACES: usize = 50;
/// Environment variables of a Deployment, to make it a few kB large.
const VARIABLES: usize = 30;

/// Its namespace and name.
fn address(number: usize) -> (String, String) {
    (format!("shop-{}", number % NAMESPACES), format!("web-{number}"))
}

/// How many Deployments there are.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// In the cluster.
    pub deployments: usize,
    /// Of them, those that are held: the first ones.
    pub held: usize,
}

/// The objects, of which only is remembered what may change.
#[derive(Debug)]
pub(super) struct Objects {
    size: Size,
    /// Changes of a Deployment after its first one, by its number.
    renewed: BTreeMap<usize, u32>,
}

impl Objects {
    /// Puts all of them, and the namespaces, which are opted in.
    pub(super) fn put(size: Size, api: &GeneratedApi) -> Self {
        let objects = Self { size, renewed: BTreeMap::new() };
        (0..NAMESPACES).for_each(|number| api.put(generated::NAMESPACES, namespace(number)));
        (0..size.deployments).for_each(|number| objects.touch(number, api));
        objects
    }

    /// A Deployment is written as it is: whoever watches is told that it was modified.
    pub(super) fn touch(&self, number: usize, api: &GeneratedApi) {
        api.put(generated::DEPLOYMENTS, self.deployment(number));
    }

    /// A held Deployment gets a new change.
    pub(super) fn renew(&mut self, number: usize, api: &GeneratedApi) {
        *self.renewed.entry(number).or_default() += 1;
        self.touch(number, api);
    }

    /// A Deployment as the API server would send it.
    fn deployment(&self, number: usize) -> Value {
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

    /// The id of its change: in letters, as ids are.
    fn change(&self, number: usize) -> String {
        let times = self.renewed.get(&number).copied().unwrap_or_default();
        let digits = format!("{times:06}{number:08}");
        digits.bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
    }
}

fn namespace(number: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": format!("shop-{number}"),
            "uid": format!("{number:08}-0000-4000-9000-000000000000"),
            "labels": { ENABLED_LABEL: "true" },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_is_as_large_as_that_of_real_objects() {
        let objects = Objects { size: Size { deployments: 2, held: 1 }, renewed: BTreeMap::new() };
        for number in 0..2 {
            let bytes = objects.deployment(number)["metadata"].to_string().len();
            assert!((3_000..6_000).contains(&bytes), "{bytes}");
        }
        assert_eq!(objects.deployment(0)["metadata"]["labels"][PHASE_LABEL], "held");
        assert!(objects.deployment(1)["metadata"]["labels"][PHASE_LABEL].is_null());
    }
}
