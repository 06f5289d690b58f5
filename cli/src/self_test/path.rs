//! The way of the change, step by step, as the API server shows it.

use std::time::Duration;

use contract::{Gate, Phase, State};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams},
};
use tokio::time::Instant;

use super::{
    blame::Stage,
    object::{self, LABEL},
};
use crate::{
    connection::Connection,
    failure::{Attempt, Failure},
    screen::Screen,
    trouble::{GRANTED, Remedy, Trouble, within},
};

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);
/// How long the webhook may take to be asked about a namespace that was just labelled, or to come back from a restart.
const HOLD: Duration = Duration::from_secs(15);
/// How long its Deployment may take to be removed.
const REMOVE: Duration = Duration::from_secs(20);

/// Why the change went no further.
pub enum Stop {
    /// It stands before this stage.
    At(Stage),
    /// It could not be seen.
    Failure(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// One change on its way.
pub struct Path<'a> {
    client: Client,
    namespace: String,
    server: String,
    name: String,
    screen: &'a mut Screen,
    began: Instant,
    until: Instant,
    /// Whether the Deployment may be there.
    created: bool,
}

impl<'a> Path<'a> {
    /// A change of a Deployment that is not there yet.
    pub fn new(connection: &Connection, screen: &'a mut Screen, began: Instant, limit: Duration) -> Self {
        Self {
            client: connection.client.clone(),
            namespace: connection.namespace.clone(),
            server: connection.server.clone(),
            name: object::name(),
            screen,
            began,
            until: began + limit,
            created: false,
        }
    }

    /// Name of the Deployment.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Goes the whole way.
    ///
    /// # Errors
    /// Where it stands still.
    pub async fn go(&mut self) -> Result<(), Stop> {
        self.holds_a_dry_run().await?;
        let held = self.create().await?;
        let change = held.change.map(|change| format!(", change {change}")).unwrap_or_default();
        self.tell(&format!("held: deployment {} in namespace {}{change}", self.name, self.namespace))?;
        self.is_released().await?;
        self.tell("released: it was queued, its turn came, and its gate was opened")?;
        self.is_rolled_out().await?;
        self.tell("rolled out, and followed to its end")?;
        Ok(())
    }

    /// The API server asks the webhook, and gets an answer: nothing is stored by that.
    async fn holds_a_dry_run(&self) -> Result<(), Stop> {
        let until = (Instant::now() + HOLD).min(self.until);
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        let probe = object::deployment(&self.name)?;
        loop {
            let said = match within(self.deployments().create(&dry, &probe)).await {
                Ok(answer) if state(&answer).is_closed() => return Ok(()),
                Ok(_) => None,
                Err(trouble) if trouble.remedy() == Remedy::Again => Some(trouble.to_string()),
                Err(trouble) if trouble.is_forbidden() && self.began.elapsed() < GRANTED => None,
                Err(trouble) => return Err(self.failure("create Deployments", trouble).into()),
            };
            if Instant::now() >= until {
                return Err(Stop::At(Stage::Held { said }));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn create(&mut self) -> Result<State, Stop> {
        let deployment = object::deployment(&self.name)?;
        self.created = true;
        let created = within(self.deployments().create(&PostParams::default(), &deployment)).await;
        let created = created.map_err(|trouble| self.failure("create Deployments", trouble))?;
        let state = state(&created);
        if state.is_closed() && state.phase == Some(Phase::Held) {
            return Ok(state);
        }
        Err(Stop::At(Stage::Held { said: None }))
    }

    /// Until the gate opens no ReplicaSet may exist.
    async fn is_released(&self) -> Result<(), Stop> {
        loop {
            // In this order: a ReplicaSet that was there before the gate was seen closed is one too many.
            let made = self.replica_sets().await?;
            let state = state(&self.read().await?);
            if state.gate == Some(Gate::Open) {
                return Ok(());
            }
            if made > 0 {
                return Err(Stop::At(Stage::Denied));
            }
            if state.phase == Some(Phase::Dead) {
                return Err(Stop::At(Stage::Released { dead: true }));
            }
            if Instant::now() >= self.until {
                return Err(Stop::At(Stage::Released { dead: false }));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn is_rolled_out(&self) -> Result<(), Stop> {
        loop {
            let deployment = self.read().await?;
            let observed = deployment.status.as_ref().and_then(|status| status.observed_generation);
            let rolled_out = observed >= deployment.metadata.generation && self.replica_sets().await? > 0;
            if rolled_out && state(&deployment).phase.is_none() {
                return Ok(());
            }
            if Instant::now() >= self.until {
                return Err(Stop::At(if rolled_out { Stage::Followed } else { Stage::RolledOut }));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Removes the Deployment. One whose creation was interrupted may appear a moment later.
    ///
    /// # Errors
    /// When it may still be there; with the command that removes it.
    pub async fn remove(&self) -> Result<(), Failure> {
        if !self.created {
            return Ok(());
        }
        let until = Instant::now() + REMOVE;
        let mut last = None;
        let mut gone = 0;
        while gone < 2 && Instant::now() < until {
            match within(self.deployments().delete(&self.name, &DeleteParams::background())).await {
                Ok(_) => return Ok(()),
                Err(trouble) if trouble.remedy() == Remedy::Gone => gone += 1,
                Err(trouble) => last = Some(trouble),
            }
            tokio::time::sleep(5 * LOOK).await;
        }
        let Some(trouble) = last.filter(|_| gone < 2) else { return Ok(()) };
        let Self { name, namespace, .. } = self;
        Err(Failure::Api(format!(
            "deployment {name} is left ({trouble}); remove it: kubectl delete deployment {name} -n {namespace}"
        )))
    }

    fn tell(&mut self, step: &str) -> Result<(), Failure> {
        self.screen.print(&format!("{:6.1}s  {step}\n", self.began.elapsed().as_secs_f64()))
    }

    fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Its Deployment. An API server that is away for a moment is waited for.
    async fn read(&self) -> Result<Deployment, Failure> {
        self.patiently("get Deployments", async || within(self.deployments().get(&self.name)).await).await
    }

    async fn replica_sets(&self) -> Result<usize, Failure> {
        let sets = Api::<ReplicaSet>::namespaced(self.client.clone(), &self.namespace);
        let own = ListParams::default().labels(&format!("{LABEL}={}", self.name));
        let listed =
            self.patiently("list ReplicaSets", async || within(sets.list_metadata(&own)).await).await?;
        Ok(listed.items.len())
    }

    async fn patiently<T>(
        &self,
        what: &str,
        ask: impl AsyncFn() -> Result<T, Trouble>,
    ) -> Result<T, Failure> {
        loop {
            match ask().await {
                Err(trouble) if trouble.remedy() == Remedy::Again && Instant::now() < self.until => {
                    tokio::time::sleep(LOOK).await;
                }
                answered => return answered.map_err(|trouble| self.failure(what, trouble)),
            }
        }
    }

    fn failure(&self, what: &str, trouble: Trouble) -> Failure {
        match trouble {
            Trouble::Api(kube::Error::Api(status)) if status.code == 404 => Failure::NotFound(format!(
                "{} in namespace {}: {}; name one that is opted in: -n NAMESPACE",
                what, self.namespace, status.message
            )),
            Trouble::Api(error) => {
                Failure::of(&error, Attempt { what, namespace: Some(&self.namespace), server: &self.server })
            }
            Trouble::NoAnswer => {
                Failure::Unreachable { server: self.server.clone(), cause: trouble.to_string() }
            }
        }
    }
}

fn state(deployment: &Deployment) -> State {
    State::of(deployment.metadata.annotations.as_ref(), deployment.metadata.labels.as_ref())
}
