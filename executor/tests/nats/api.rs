//! An API server that answers at once: it keeps Deployments, applies JSON Patches as the real one does, and tells
//! the watch of what rolls out. A rollout is over as soon as it begins, unless a test holds it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use contract::{ChangeId, Digest};
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Frame},
};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::broadcast;

/// The namespace of every test.
pub(crate) const NAMESPACE: &str = "shop";

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

#[derive(Clone)]
pub(crate) struct ApiServer {
    state: Arc<Mutex<State>>,
    watch: broadcast::Sender<Value>,
}

#[derive(Default)]
struct State {
    /// Namespaces beside [`NAMESPACE`].
    namespaces: Vec<String>,
    deployments: BTreeMap<String, Value>,
    /// What the watch of held Deployments is told, from the beginning; its length is the resource version.
    held: Vec<Value>,
    patched: Vec<String>,
    hold_rollouts: bool,
    /// Kubernetes Events by name: the Deployment, and the reason.
    events: BTreeMap<String, (String, String)>,
    /// Status codes that the next patches are refused with.
    refusals: Vec<u16>,
    /// Deployments whose gate must not be opened.
    denied: Vec<String>,
    /// Whether no Deployment can be read or written.
    away: bool,
}

impl ApiServer {
    pub(crate) fn new() -> Self {
        Self { state: Arc::default(), watch: broadcast::Sender::new(65_536) }
    }

    pub(crate) fn client(&self) -> kube::Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                if server.is_away(&request) {
                    Err("connection refused")
                } else {
                    Ok(server.answer(request).await)
                }
            }
        });
        kube::Client::new(service, NAMESPACE)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// One more namespace, opted in and swept.
    pub(crate) fn add_namespace(&self, name: &str) {
        self.state().namespaces.push(name.to_owned());
    }

    /// Rollouts that begin from now on do not end by themselves.
    pub(crate) fn hold_rollouts(&self) {
        self.state().hold_rollouts = true;
    }

    /// The next patch is refused.
    pub(crate) fn refuse_next_patch(&self, code: u16) {
        self.state().refusals.push(code);
    }

    /// Deployments cannot be read nor written from now on; or can be again.
    pub(crate) fn set_away(&self, away: bool) {
        self.state().away = away;
    }

    fn is_away(&self, request: &Request<Body>) -> bool {
        self.state().away && request.uri().path().contains("/deployments/")
    }

    /// A policy denies that the gate of a Deployment is opened.
    pub(crate) fn deny(&self, name: &str) {
        self.state().denied.push(name.to_owned());
    }

    /// The policy is gone.
    pub(crate) fn allow(&self) {
        self.state().denied.clear();
    }

    /// A dead change waits again, as the webhook obeys the order.
    pub(crate) fn replay(&self, name: &str) {
        let mut state = self.state();
        let state = &mut *state;
        let deployment = state.deployments.get_mut(name).unwrap();
        let metadata = &mut deployment["metadata"];
        assert_eq!(metadata["labels"]["roadstead.dev/phase"], "dead");
        metadata["labels"]["roadstead.dev/phase"] = json!("held");
        metadata["annotations"]["roadstead.dev/attempt"] = json!("2");
        metadata["annotations"]["roadstead.dev/replay"] =
            metadata["annotations"]["roadstead.dev/change"].clone();
        metadata["generation"] = json!(metadata["generation"].as_i64().unwrap() + 1);
        tell_held(&mut state.held, "ADDED", deployment);
    }

    /// Writes an annotation on a held Deployment, as the webhook does where an order is obeyed.
    pub(crate) fn annotate(&self, name: &str, key: &str, value: &str) {
        let mut state = self.state();
        let state = &mut *state;
        let deployment = state.deployments.get_mut(name).unwrap();
        let metadata = &mut deployment["metadata"];
        metadata["annotations"][key] = json!(value);
        metadata["generation"] = json!(metadata["generation"].as_i64().unwrap() + 1);
        tell_held(&mut state.held, "MODIFIED", deployment);
    }

    /// Ends a rollout that was held.
    pub(crate) fn roll_out(&self, name: &str) {
        let mut state = self.state();
        let deployment = state.deployments.get_mut(name).unwrap();
        complete(deployment);
        self.watch.send(json!({"type": "MODIFIED", "object": deployment})).unwrap();
    }

    /// Stores a Deployment with a held change, as the webhook leaves it; what a newer one replaces leaves the watch.
    pub(crate) fn hold(&self, namespace: &str, name: &str, image: &str, lane: &str) -> (ChangeId, Digest) {
        let template = json!({"spec": {"containers": [{"name": "web", "image": image}]}});
        let digest = Digest::of_value(&template).unwrap();
        let change = ChangeId::derive(namespace, name, &digest, None);
        let mut state = self.state();
        let old = state.deployments.remove(name);
        let generation = old.as_ref().map_or(0, |old| old["metadata"]["generation"].as_i64().unwrap()) + 1;
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "namespace": namespace, "name": name, "uid": format!("{name}-uid"), "generation": generation,
                "resourceVersion": "1",
                "labels": {"roadstead.dev/phase": "held"},
                "annotations": {
                    "roadstead.dev/gate": "closed", "roadstead.dev/change": change, "roadstead.dev/lane": lane,
                },
            },
            "spec": {"replicas": 1, "template": template},
        });
        tell_held(&mut state.held, "ADDED", &deployment);
        state.deployments.insert(name.to_owned(), deployment);
        if let Some(old) = old.filter(|old| old["metadata"]["labels"]["roadstead.dev/phase"] == "released") {
            self.watch.send(json!({"type": "DELETED", "object": old})).unwrap();
        }
        (change, digest)
    }

    /// Reasons of the Kubernetes Events that were written on a Deployment.
    pub(crate) fn events(&self, name: &str) -> Vec<String> {
        let state = self.state();
        let events = state.events.values().filter(|(deployment, _)| deployment == name);
        events.map(|(_, reason)| reason.clone()).collect()
    }

    pub(crate) fn annotation(&self, name: &str, key: &str) -> Option<String> {
        let state = self.state();
        Some(state.deployments.get(name)?["metadata"]["annotations"][key].as_str()?.to_owned())
    }

    pub(crate) fn phase(&self, name: &str) -> Option<String> {
        let state = self.state();
        Some(state.deployments.get(name)?["metadata"]["labels"]["roadstead.dev/phase"].as_str()?.to_owned())
    }

    /// Deployments in the order in which they were let through.
    pub(crate) fn released(&self) -> Vec<String> {
        self.state().patched.clone()
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let query = parts.uri.query().unwrap_or_default();
        let (watched, of_held) = (query.contains("watch=true"), query.contains("phase%3Dheld"));
        let name = path.rsplit('/').next().unwrap_or_default();
        match (&parts.method, watched) {
            (&Method::POST, _) if path.ends_with("/events") => {
                let text = body.collect().await.unwrap().to_bytes();
                self.event(&serde_json::from_slice(&text).unwrap())
            }
            (&Method::PATCH, _) if path.contains("/deployments/") => {
                let text = body.collect().await.unwrap().to_bytes();
                self.patch(name, &serde_json::from_slice(&text).unwrap())
            }
            (_, _) if of_held => self.held(watched, query),
            (_, true) if path.ends_with("/deployments") => self.changes(),
            (_, true) => stream(futures::stream::pending()),
            (_, false) if path.ends_with("/namespaces") => list(
                "PartialObjectMetadata",
                &self.namespaces().iter().map(|name| json!({
                    "metadata": {"name": name, "uid": uid(name), "annotations": {"roadstead.dev/urgent": "allowed"}},
                })).collect::<Vec<_>>(),
            ),
            (_, false) if path.contains("/configmaps/") => {
                let swept: BTreeMap<_, _> = self.namespaces().into_iter().map(|name| (name.clone(), uid(&name))).collect();
                found(&json!({"metadata": {"name": "swept"}, "data": swept}))
            }
            (_, false) if path.ends_with("/deployments") => list("Deployment", &[]),
            _ => self.state().deployments.get(name).map_or_else(|| refused(404), found),
        }
    }

    fn patch(&self, name: &str, patch: &json_patch::Patch) -> Answer {
        let mut state = self.state();
        if let Some(code) = state.refusals.pop() {
            return refused(code);
        }
        let opens = json!(patch).as_array().unwrap().iter().any(|operation| operation["value"] == "open");
        if opens && state.denied.iter().any(|denied| denied == name) {
            let policy = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: not on a Friday";
            return status(
                json!({"code": 422, "message": policy, "details": {"causes": [{"message": policy}]}}),
            );
        }
        let (hold, state) = (state.hold_rollouts, &mut *state);
        let Some(deployment) = state.deployments.get_mut(name) else { return refused(404) };
        let before = deployment.clone();
        if json_patch::patch(deployment, patch).is_err() {
            return refused(422);
        }
        let (old, new) = (&before["metadata"], &deployment["metadata"]);
        let labels = |metadata: &Value| metadata["labels"]["roadstead.dev/phase"] == "released";
        let (was, is) = (labels(old), labels(new));
        if old["annotations"] != new["annotations"] || before["spec"] != deployment["spec"] {
            deployment["metadata"]["generation"] = json!(old["generation"].as_i64().unwrap() + 1);
        }
        if is && !was {
            state.patched.push(name.to_owned());
            if !hold {
                complete(deployment);
            }
        }
        let kind = if deployment["metadata"]["labels"]["roadstead.dev/phase"] == "held" {
            "MODIFIED"
        } else {
            "DELETED"
        };
        tell_held(&mut state.held, kind, deployment);
        let kind = match (was, is) {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) => return found(deployment),
        };
        let _ = self.watch.send(json!({"type": kind, "object": deployment}));
        found(deployment)
    }

    fn namespaces(&self) -> Vec<String> {
        [&[NAMESPACE.to_owned()], &*self.state().namespaces].concat()
    }

    /// The list of held Deployments, or what happened to them since.
    fn held(&self, watched: bool, query: &str) -> Answer {
        let state = self.state();
        if !watched {
            let is_held = |object: &&Value| object["metadata"]["labels"]["roadstead.dev/phase"] == "held";
            let items: Vec<_> = state.deployments.values().filter(is_held).cloned().collect();
            let version = json!({"resourceVersion": state.held.len().to_string()});
            return found(&json!({"metadata": version, "items": items}));
        }
        let since = query.split('&').find_map(|pair| pair.strip_prefix("resourceVersion="));
        let since: usize = since.unwrap().parse().unwrap();
        let server = self.clone();
        stream(futures::stream::unfold((server, since), async |(server, next)| {
            let event = loop {
                let event = server.state().held.get(next).cloned();
                match event {
                    Some(event) => break event,
                    None => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            };
            Some((event, (server, next + 1)))
        }))
    }

    fn event(&self, event: &Value) -> Answer {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (deployment, reason) = (text(&event["regarding"]["name"]), text(&event["reason"]));
        match self.state().events.entry(text(&event["metadata"]["name"])) {
            Entry::Occupied(_) => refused(409),
            Entry::Vacant(place) => {
                place.insert((deployment, reason));
                found(event)
            }
        }
    }

    fn changes(&self) -> Answer {
        let receiver = self.watch.subscribe();
        stream(futures::stream::unfold(receiver, async |mut receiver| {
            let event = receiver.recv().await.ok()?;
            Some((event, receiver))
        }))
    }
}

fn tell_held(held: &mut Vec<Value>, kind: &str, deployment: &Value) {
    let mut object = deployment.clone();
    object["metadata"]["resourceVersion"] = json!((held.len() + 1).to_string());
    held.push(json!({"type": kind, "object": object}));
}

fn uid(namespace: &str) -> String {
    format!("{namespace}-uid")
}

/// What the deployment controller writes at the end of a rollout.
fn complete(deployment: &mut Value) {
    deployment["status"] = json!({
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
    });
}

fn found(object: &Value) -> Answer {
    Response::new(Full::from(object.to_string()).boxed_unsync())
}

fn refused(code: u16) -> Answer {
    status(json!({"code": code, "message": "refused"}))
}

fn status(mut status: Value) -> Answer {
    json_patch::merge(&mut status, &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure"}));
    let code = u16::try_from(status["code"].as_u64().unwrap()).unwrap();
    let mut answer = found(&status);
    *answer.status_mut() = code.try_into().unwrap();
    answer
}

fn list(kind: &str, items: &[Value]) -> Answer {
    found(
        &json!({"apiVersion": "v1", "kind": format!("{kind}List"), "metadata": {"resourceVersion": "1"}, "items": items}),
    )
}

fn stream(events: impl futures::Stream<Item = Value> + Send + 'static) -> Answer {
    let lines = events.map(|event| Ok(Frame::data(Bytes::from(format!("{event}\n")))));
    Response::new(StreamBody::new(lines).boxed_unsync())
}
