//! Reads what etcd's watch tells, as JSON over HTTP: keys and objects in base64, the objects themselves as JSON because
//! the API server was told so. <https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/>

use std::borrow::Cow;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use contract::key::{ENABLED_LABEL, LANE, URGENT};
use contract::{Digest, State};
use serde::Deserialize;
use serde_json::Value;

use super::history::{Deployment, Name, Namespace, ReplicaSet, Revision, What};

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    result: Option<Watched<'a>>,
}

#[derive(Deserialize)]
struct Watched<'a> {
    #[serde(borrow, default)]
    events: Vec<Raw<'a>>,
    #[serde(default)]
    canceled: bool,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    kv: Pair<'a>,
}

#[derive(Deserialize)]
struct Pair<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    mod_revision: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Cow<'a, str>,
}

/// One write, of whatever kind of object.
pub(super) struct Event {
    pub(super) revision: Revision,
    key: String,
    gone: bool,
    value: Vec<u8>,
}

/// The writes in one answer of the watch.
pub(super) fn events(line: &[u8]) -> anyhow::Result<Vec<Event>> {
    let answer: Answer<'_> = serde_json::from_slice(line).context("etcd answers in another way")?;
    let Some(watched) = answer.result else {
        anyhow::bail!("etcd refuses the watch: {}", String::from_utf8_lossy(line));
    };
    ensure!(!watched.canceled, "etcd ended the watch: {}", String::from_utf8_lossy(line));
    let mut events = Vec::with_capacity(watched.events.len());
    for raw in watched.events {
        let key = String::from_utf8(BASE64_STANDARD.decode(raw.kv.key.as_ref())?)?;
        let wanted = ["/registry/deployments/", "/registry/replicasets/", "/registry/namespaces/"];
        let is_wanted = wanted.iter().any(|prefix| key.starts_with(prefix));
        let value = if is_wanted { BASE64_STANDARD.decode(raw.kv.value.as_ref())? } else { Vec::new() };
        let revision = raw.kv.mod_revision.parse()?;
        events.push(Event { revision, key, gone: raw.kind == "DELETE", value });
    }
    Ok(events)
}

impl Event {
    /// What was written, where it is of a kind that is recorded.
    pub(super) fn what(&self) -> anyhow::Result<Option<What>> {
        let parts: Vec<_> = self.key.split('/').collect();
        let read = || serde_json::from_slice(&self.value).with_context(|| format!("{} is no JSON", self.key));
        Ok(match (parts[..].get(2..), self.gone) {
            (Some(["deployments", namespace, name]), true) => {
                Some(What::DeploymentGone(Name::new(namespace, name)))
            }
            (Some(["replicasets", namespace, name]), true) => {
                Some(What::ReplicaSetGone(Name::new(namespace, name)))
            }
            (Some(["deployments", namespace, name]), false) => {
                let stored = deployment(Name::new(namespace, name), &read()?)?;
                Some(What::Deployment(Box::new(stored)))
            }
            (Some(["replicasets", namespace, name]), false) => {
                replica_set(Name::new(namespace, name), &read()?)?.map(What::ReplicaSet)
            }
            (Some(["namespaces", name]), false) => Some(What::Namespace(self::namespace(name, &read()?))),
            _ => None,
        })
    }
}

fn text<'a>(map: &'a Value, key: &str) -> Option<&'a str> {
    map.get(key).and_then(Value::as_str)
}

/// A Deployment, from its JSON.
pub(super) fn deployment(name: Name, object: &Value) -> anyhow::Result<Deployment> {
    let (metadata, spec) = (&object["metadata"], &object["spec"]);
    let (annotations, labels) = (&metadata["annotations"], &metadata["labels"]);
    let container = &spec["template"]["spec"]["containers"][0];
    Ok(Deployment {
        name,
        uid: text(metadata, "uid").unwrap_or_default().to_owned(),
        generation: metadata["generation"].as_i64().unwrap_or_default(),
        digest: Digest::of_value(&spec["template"])?,
        state: State::read(|key| text(annotations, key), |key| text(labels, key)),
        paused: spec["paused"] == true,
        lane: text(annotations, LANE).map(str::to_owned),
        looks: format!(
            "{} {}x, {} of it new, {} serve",
            text(container, "image").unwrap_or_default().trim_start_matches("registry.test/"),
            spec["replicas"],
            object["status"]["updatedReplicas"].as_i64().unwrap_or_default(),
            object["status"]["availableReplicas"].as_i64().unwrap_or_default(),
        ),
    })
}

/// A ReplicaSet that a Deployment owns.
fn replica_set(name: Name, object: &Value) -> anyhow::Result<Option<ReplicaSet>> {
    let owners = object["metadata"]["ownerReferences"].as_array();
    let owner = owners.into_iter().flatten().find(|owner| owner["kind"] == "Deployment");
    let Some(owner) = owner.and_then(|owner| text(owner, "uid")) else { return Ok(None) };
    Ok(Some(ReplicaSet {
        name,
        owner: owner.to_owned(),
        digest: Digest::of_value(&object["spec"]["template"])?,
        replicas: object["spec"]["replicas"].as_i64().unwrap_or(1),
    }))
}

fn namespace(name: &str, object: &Value) -> Namespace {
    let (annotations, labels) = (&object["metadata"]["annotations"], &object["metadata"]["labels"]);
    Namespace {
        name: name.to_owned(),
        enabled: text(labels, ENABLED_LABEL) == Some("true"),
        lane: text(annotations, LANE).map(str::to_owned),
        urgent: text(annotations, URGENT).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(kind: &str, key: &str, value: &Value) -> Vec<u8> {
        let encoded = |text: String| BASE64_STANDARD.encode(text);
        let kv = json!({ "key": encoded(key.to_owned()), "mod_revision": "7", "value": encoded(value.to_string()) });
        json!({ "result": { "events": [{ "type": kind, "kv": kv }] } }).to_string().into_bytes()
    }

    #[test]
    fn what_etcd_tells_is_read() {
        let object = json!({
            "metadata": {
                "uid": "u-1", "generation": 3,
                "annotations": { "roadstead.dev/gate": "closed", "roadstead.dev/change": "aaaaaaaaaa" },
            },
            "spec": { "replicas": 2, "template": { "spec": { "containers": [{ "image": "registry.test/web:1" }] } } },
        });
        let read = |kind: &str| {
            let events = events(&line(kind, "/registry/deployments/shop/web", &object)).unwrap();
            assert_eq!(events[0].revision, 7);
            events[0].what().unwrap().unwrap()
        };
        let What::Deployment(web) = read("PUT") else { panic!("it is a Deployment") };
        assert!(web.state.is_closed() && web.uid == "u-1" && web.looks.starts_with("web:1 2x"));
        assert_eq!(web.digest, Digest::of_value(&object["spec"]["template"]).unwrap());
        assert_eq!(read("DELETE"), What::DeploymentGone(Name::new("shop", "web")));
    }

    #[test]
    fn other_objects_are_passed_over_and_the_end_of_a_watch_is_an_error() {
        let events = |line: &[u8]| super::events(line);
        assert!(
            events(&line("PUT", "/registry/pods/shop/web", &json!({}))).unwrap()[0].what().unwrap().is_none()
        );
        assert!(events(br#"{"result": {"canceled": true}}"#).is_err());
        assert!(events(br#"{"error": {"code": 11}}"#).is_err());
    }
}
