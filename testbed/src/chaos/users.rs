//! Users: do what the plan says, as people and their tools do. What the API server could not answer is asked again,
//! for a while.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::plan::{Act, Action, Manifest, Strategy, deployment_name};
use crate::fixtures::DeploymentFixture;
use crate::{Stack, deployment};

/// How long one request may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a user asks again before he gives up.
const TRIES: Duration = Duration::from_secs(25);
/// Pause before he asks again.
const AGAIN: Duration = Duration::from_millis(250);
/// A rollout that makes no progress fails after so many seconds.
const DEADLINE: u32 = 8;

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was done.
    Done,
    /// It was refused: nothing of that name, a conflict, something that cannot be done.
    Refused,
    /// There was no answer for a long time.
    GaveUp,
}

/// Why a try came to nothing.
enum Failure {
    Refused,
    /// Asking again may help.
    Trouble,
}

/// The users.
pub struct Users<'a> {
    stack: &'a Stack,
    developer: kube::Client,
}

impl<'a> Users<'a> {
    /// Developers in these namespaces; what is done to a namespace an administrator does.
    ///
    /// # Errors
    /// When the developer's kubeconfig cannot be read.
    pub async fn of(stack: &'a Stack) -> anyhow::Result<Self> {
        Ok(Self { stack, developer: stack.developer_client().await? })
    }

    /// Does what the plan says.
    pub async fn act(&self, act: &Act) -> Answer {
        let deadline = Instant::now() + TRIES;
        while Instant::now() < deadline {
            match tokio::time::timeout(ANSWER, self.once(act)).await {
                Ok(Ok(())) => return Answer::Done,
                Ok(Err(Failure::Refused)) => return Answer::Refused,
                Ok(Err(Failure::Trouble)) | Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
        Answer::GaveUp
    }

    async fn once(&self, act: &Act) -> Result<(), Failure> {
        let namespace = &self.stack.namespaces[act.namespace];
        let name = &deployment_name(act.deployment);
        let api = Api::<Deployment>::namespaced(self.developer.clone(), namespace);
        let patched = match act.action {
            Action::Create(manifest) => return create(&api, namespace, name, manifest).await,
            Action::Put(manifest) => {
                let whole = fixture(namespace, name, manifest).object();
                api.replace(name, &PostParams::default(), &whole).await.map(drop)
            }
            Action::Delete => api.delete(name, &DeleteParams::default()).await.map(drop),
            Action::Recreate(manifest) => {
                if let Err(Failure::Trouble) =
                    answer(api.delete(name, &DeleteParams::default()).await.map(drop))
                {
                    return Err(Failure::Trouble);
                }
                return create(&api, namespace, name, manifest).await;
            }
            Action::Restart => return self.kubectl(namespace, name, "restart").await,
            Action::Undo => return self.kubectl(namespace, name, "undo").await,
            Action::OptOut | Action::OptIn | Action::DefaultLane(_) => {
                let all = Api::<Namespace>::all(self.stack.client.clone());
                let patch = Patch::Merge(of_namespace(act.action));
                all.patch(namespace, &PatchParams::default(), &patch).await.map(drop)
            }
            action => {
                let patch = Patch::Strategic(of_deployment(action));
                api.patch(name, &PatchParams::default(), &patch).await.map(drop)
            }
        };
        answer(patched)
    }

    async fn kubectl(&self, namespace: &str, name: &str, what: &str) -> Result<(), Failure> {
        let target = format!("deployment/{name}");
        let args = ["rollout", what, &target, "-n", namespace, "--request-timeout=8s"];
        let output = self.stack.kubectl(&args).await.map_err(|_| Failure::Trouble)?;
        if output.success() {
            return Ok(());
        }
        let trouble =
            ["failed calling webhook", "onnection", "EOF", "imeout", "deadline", "handshake", "unable to"];
        let is_trouble = trouble.iter().any(|sign| output.stderr.contains(sign));
        Err(if is_trouble { Failure::Trouble } else { Failure::Refused })
    }
}

async fn create(
    api: &Api<Deployment>,
    namespace: &str,
    name: &str,
    manifest: Manifest,
) -> Result<(), Failure> {
    let whole = fixture(namespace, name, manifest).object();
    answer(api.create(&PostParams::default(), &whole).await.map(drop))
}

fn answer(answered: Result<(), kube::Error>) -> Result<(), Failure> {
    match answered {
        Ok(()) => Ok(()),
        Err(kube::Error::Api(status)) if status.code < 500 && status.code != 429 => Err(Failure::Refused),
        Err(_) => Err(Failure::Trouble),
    }
}

/// The Deployment of a manifest.
pub(super) fn fixture(namespace: &str, name: &str, manifest: Manifest) -> DeploymentFixture {
    let template = manifest.template;
    let whole = deployment(name).namespace(namespace).replicas(manifest.replicas);
    let whole = whole.image(&image(template.image)).progress_deadline(DEADLINE);
    let whole = if template.env == 0 { whole } else { whole.env("VALUE", &template.env.to_string()) };
    let whole = if template.broken { whole.unschedulable() } else { whole };
    match manifest.strategy {
        Strategy::Rolling => whole,
        Strategy::NoSurge => whole.max_surge(0).max_unavailable(1),
        Strategy::Recreate => whole.recreate(),
    }
}

fn image(tag: u32) -> String {
    format!("registry.test/web:{tag}")
}

fn of_namespace(action: Action) -> Value {
    let enabled = match action {
        Action::DefaultLane(lane) => {
            return json!({ "metadata": { "annotations": { contract::key::LANE: lane } } });
        }
        Action::OptOut => Value::Null,
        _ => json!("true"),
    };
    json!({ "metadata": { "labels": { contract::key::ENABLED_LABEL: enabled } } })
}

fn of_deployment(action: Action) -> Value {
    let annotate = |key: &str, value: &str| json!({ "metadata": { "annotations": { key: value } } });
    let container = |with: Value| json!({ "spec": { "template": { "spec": { "containers": [with] } } } });
    match action {
        Action::Image(tag) => container(json!({ "name": "app", "image": image(tag) })),
        Action::Env(value) => {
            container(json!({ "name": "app", "env": [{ "name": "VALUE", "value": value.to_string() }] }))
        }
        Action::Break => {
            json!({ "spec": { "template": { "spec": { "nodeSelector": { "testbed": "nowhere" } } } } })
        }
        Action::Scale(replicas) => json!({ "spec": { "replicas": replicas } }),
        Action::Replace(strategy) => json!({ "spec": { "strategy": match strategy {
            Strategy::Recreate => json!({ "$retainKeys": ["type"], "type": "Recreate" }),
            Strategy::NoSurge => rolling(0, 1),
            Strategy::Rolling => rolling(1, 0),
        } } }),
        Action::Lane(lane) => annotate(contract::key::LANE, lane),
        Action::Forge => annotate(contract::Key::Gate.name(), "open"),
        Action::Pause => json!({ "spec": { "paused": true } }),
        _ => json!({ "spec": { "paused": false } }),
    }
}

fn rolling(surge: u32, unavailable: u32) -> Value {
    json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": surge, "maxUnavailable": unavailable } })
}
