//! The rollback of a rollout that failed, where its owner asks for it: the last good template is restored, the failed
//! one is quarantined. All of it is on the object, so it outlives NATS. No field changes its owner.

pub(crate) mod ownership;
mod patch;
mod template;

use async_nats::jetstream::Context;
use json_patch::{Patch, PatchOperation, ReplaceOperation, TestOperation, jsonptr::PointerBuf};
use kube::api::DynamicObject;
use ops::chain;
use serde_json::{Value, json};

use crate::{
    deployments::Deployments,
    error::{Failure, Remedy},
    event::images,
    live::Live,
    outcome::Reason,
};

/// Times that the owners of fields are given back anew because the object changed in between.
const ROUNDS: usize = 10;

/// What a rollback would do.
pub(crate) struct Plan {
    /// The object as it was read.
    object: DynamicObject,
    /// What decides about it.
    pub(crate) live: Live,
    patch: Patch,
    /// What it does to the images.
    pub(crate) images: String,
}

/// Whether there can be a rollback.
pub(crate) enum Prepared {
    /// The last good template is found.
    Ready(Box<Plan>),
    /// There is nothing to go back to: why.
    Impossible(String),
    /// The object changed meanwhile.
    Lost,
}

/// What came of a rollback.
#[derive(Debug)]
pub(crate) enum Rollback {
    /// The last good template is stored.
    Done,
    /// It cannot be stored: why.
    Refused(String),
    /// The object changed meanwhile.
    Lost,
}

/// What a rollback needs.
pub(crate) struct Rollbacks<'a> {
    pub(crate) deployments: &'a Deployments,
    pub(crate) context: &'a Context,
    pub(crate) cluster: &'a str,
}

impl Rollbacks<'_> {
    /// Finds the last good template of a Deployment whose rollout failed.
    ///
    /// # Errors
    /// What the API server or NATS did not do and may do later.
    pub(crate) async fn prepare(&self, failed: &Live) -> Result<Prepared, Failure> {
        let Some(good) = failed.state.last_good().filter(|good| **good != failed.digest) else {
            return Ok(Prepared::Impossible("no earlier template has succeeded".to_owned()));
        };
        let Some(object) = self.deployments.read(&failed.namespace, &failed.name).await? else {
            return Ok(Prepared::Lost);
        };
        let live = Live::of(&object)?;
        if live.generation != failed.generation || live.state != failed.state {
            return Ok(Prepared::Lost);
        }
        let client = self.deployments.client();
        let found = template::find(client, self.context, self.cluster, (&object, &live), good).await?;
        let Some(template) = found else {
            let gone = "neither a ReplicaSet nor the history on NATS has the last good template any more";
            return Ok(Prepared::Impossible(gone.to_owned()));
        };
        let version = object.metadata.resource_version.as_deref().unwrap_or_default();
        let Some(patch) = patch::patch(&live, version, &template, good) else { return Ok(Prepared::Lost) };
        let images = images::changes(Some(&object.data["spec"]["template"]), &template);
        Ok(Prepared::Ready(Box::new(Plan { object, live, patch, images })))
    }

    /// Restores the last good template.
    ///
    /// # Errors
    /// What the API server did not do and may do later.
    pub(crate) async fn apply(&self, plan: Plan) -> Result<Rollback, Failure> {
        match self.deployments.write(&plan.live, plan.patch, ownership::MANAGER).await {
            Ok(after) => {
                self.give_back(&plan.object, after).await;
                Ok(Rollback::Done)
            }
            Err(failure) => self.not_written(&plan.object, &plan.live, failure).await,
        }
    }

    /// Whether the write lost a race, is refused for good, or may be done later.
    async fn not_written(
        &self,
        object: &DynamicObject,
        live: &Live,
        failure: Failure,
    ) -> Result<Rollback, Failure> {
        match failure.remedy() {
            Remedy::Gone => Ok(Rollback::Lost),
            Remedy::ReadAgain => {
                let now = self.deployments.read(&live.namespace, &live.name).await?;
                let stands =
                    now.is_some_and(|now| now.metadata.resource_version == object.metadata.resource_version);
                // Every test would have held: it is the object that the API server will not have.
                Ok(if stands { Rollback::Refused(chain(&failure)) } else { Rollback::Lost })
            }
            Remedy::Retry(reason) if reason.needs_somebody() => Ok(Rollback::Refused(chain(&failure))),
            _ => Err(failure),
        }
    }

    /// Gives every field back to who owned it. What is not done here, because somebody is faster again and again or
    /// the API server is away, is done by [`Rollbacks::let_go`] at the end of the rollout: nobody owns the fields then.
    async fn give_back(&self, before: &DynamicObject, after: DynamicObject) {
        let (old, taken) = (entries(before), entries(&after));
        let change = |object: &DynamicObject| Live::of(object).ok().and_then(|live| live.state.change);
        let ours = change(&after);
        let mut now = after;
        for _ in 0..ROUNDS {
            // Whoever submitted another template since owns what he wrote.
            let old = if change(&now) == ours { &*old } else { &[] };
            match self.disown(&now, ownership::given_back(old, &taken, &entries(&now))).await {
                Ok(()) => return,
                Err(failure) if matches!(failure.remedy(), Remedy::ReadAgain) => {}
                Err(failure) => {
                    tracing::debug!(error = chain(&failure), "the owners of fields are not given back yet");
                }
            }
            let namespace = now.metadata.namespace.clone().unwrap_or_default();
            let name = now.metadata.name.clone().unwrap_or_default();
            match self.deployments.read(&namespace, &name).await {
                Ok(Some(again)) => now = again,
                Ok(None) => return,
                Err(_) => tokio::time::sleep(Reason::Unreachable.pause(1)).await,
            }
        }
        tracing::warn!(deployment = now.metadata.name, "a rollback still owns the fields that it wrote");
    }

    /// Takes the entry of a rollback away that a process left behind when it died.
    pub(crate) async fn let_go(&self, live: &Live) -> Result<(), Failure> {
        let Some(object) = self.deployments.read(&live.namespace, &live.name).await? else { return Ok(()) };
        let entries = entries(&object);
        self.disown(&object, ownership::given_back(&[], &entries, &entries)).await
    }

    async fn disown(&self, object: &DynamicObject, entries: Vec<Value>) -> Result<(), Failure> {
        let member = |name: &str| PointerBuf::from_tokens(["metadata", name]);
        let version = json!(object.metadata.resource_version);
        let patch = Patch(vec![
            PatchOperation::Test(TestOperation { path: member("resourceVersion"), value: version }),
            PatchOperation::Replace(ReplaceOperation {
                path: member("managedFields"),
                value: entries.into(),
            }),
        ]);
        let live = Live::of(object)?;
        self.deployments.write(&live, patch, ownership::MANAGER).await.map(drop)
    }
}

fn entries(object: &DynamicObject) -> Vec<Value> {
    let entries = object.metadata.managed_fields.iter().flatten();
    // What the API server sent has a JSON form.
    entries.filter_map(|entry| serde_json::to_value(entry).ok()).collect()
}
