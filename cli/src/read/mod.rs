//! Reading, page by page and with the user's own rights. What a user may not read is left out, and noted once.

mod rules;

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use contract::{Lane, key};
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::Namespace,
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ListParams, ObjectMeta},
};
use serde::de::DeserializeOwned;

use crate::{
    connection::Connection,
    failure::{Attempt, Failure},
    row::{Found, Row},
    running::Running,
};

/// Objects a page, as kubectl asks for. Each page becomes rows before the next is read: a row is small.
const PAGE: u32 = 500;
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// Up to so many Deployments, the ReplicaSets of each are asked for; above, all of the namespace at once.
const ONE_BY_ONE: usize = 8;

/// What is looked at: one namespace or all, as one user.
pub struct Reader {
    /// The client.
    pub client: Client,
    server: String,
    /// `None`: all namespaces.
    pub namespace: Option<String>,
    seen: RefCell<BTreeMap<String, Option<Defaults>>>,
    policies: RefCell<Option<rules::Known>>,
    left_out: RefCell<Vec<&'static str>>,
}

/// What a Namespace says about lanes, and what policies select it by.
#[derive(Clone, Debug, Default)]
struct Defaults {
    lane: Option<String>,
    urgent: Option<String>,
    labels: BTreeMap<String, String>,
}

impl Defaults {
    fn of(metadata: &ObjectMeta) -> Self {
        let annotation = |key| metadata.annotations.as_ref().and_then(|map| map.get(key)).cloned();
        let labels = metadata.labels.clone().unwrap_or_default();
        Self { lane: annotation(key::LANE), urgent: annotation(key::URGENT), labels }
    }
}

impl Reader {
    /// A reader of the connection's namespace, or of all.
    #[must_use]
    pub fn new(connection: Connection, all_namespaces: bool) -> Self {
        let Connection { client, server, namespace, .. } = connection;
        let namespace = (!all_namespaces).then_some(namespace);
        Self {
            client,
            server,
            namespace,
            seen: RefCell::default(),
            policies: RefCell::default(),
            left_out: RefCell::default(),
        }
    }

    /// The API of a namespaced kind where this reader looks.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    /// What of the rows is left out because the user may not read it, one sentence each; told once.
    pub fn left_out(&self) -> Vec<&'static str> {
        self.left_out.take()
    }

    /// The Deployments of a selection.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn deployments(&self, params: ListParams) -> Result<Vec<Found>, Failure> {
        let mut found = Vec::new();
        let api = self.api::<Deployment>();
        let listed = pages(&api, params, |deployment| found.push(Found::of(deployment)));
        self.answer("list Deployments", listed).await?;
        Ok(found)
    }

    /// One Deployment.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn deployment(&self, namespace: &str, name: &str) -> Result<Option<Deployment>, Failure> {
        let api = Api::<Deployment>::namespaced(self.client.clone(), namespace);
        self.answer("get Deployments", api.get_opt(name)).await
    }

    /// Whether the reader's own namespace is opted in. `None`: there is not one, or it may not be read.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn is_opted_in(&self) -> Result<Option<bool>, Failure> {
        let Some(name) = &self.namespace else { return Ok(None) };
        let api = Api::<Namespace>::all(self.client.clone());
        let namespace = match self.answer("get Namespaces", api.get_metadata_opt(name)).await {
            Err(Failure::Forbidden(_)) => return Ok(None),
            read => read?,
        };
        let namespace = namespace.ok_or_else(|| {
            Failure::NotFound(format!("namespace {name} does not exist; see: kubectl get namespaces"))
        })?;
        Ok(Some(namespace.labels().get(key::ENABLED_LABEL).is_some_and(|value| value == "true")))
    }

    /// Adds lanes, the images that run and the rules that hold to what was found.
    ///
    /// # Errors
    /// When the API server fails; what the user may not read is left out.
    pub async fn complete(&self, mut found: Vec<Found>) -> Result<Vec<Row>, Failure> {
        self.learn_namespaces(&found).await?;
        for found in &mut found {
            found.row.lane = self.lane(found);
        }
        self.judge(&mut found).await?;
        let running = self.running(&found).await?;
        let complete = |mut found: Found| {
            if let Some(old) = running.before(&found.row.uid, found.row.change.as_ref()) {
                found.row.remember(old);
            }
            found.row
        };
        let mut rows: Vec<_> = found.into_iter().map(complete).collect();
        rows.sort_by(Row::order);
        Ok(rows)
    }

    /// The lane, where enough is known: normal and bulk need nobody's leave.
    fn lane(&self, found: &Found) -> Option<Lane> {
        let asked = found.lane_asked.as_deref();
        let policies = found.lane_by_policies;
        if let Some(Some(namespace)) = self.seen.borrow().get(&found.row.namespace) {
            let Defaults { lane, urgent, .. } = namespace;
            return Some(Lane::resolve(asked, policies, lane.as_deref(), urgent.as_deref()));
        }
        let asked = asked.and_then(|text| text.parse().ok()).or(policies);
        asked.filter(|lane| *lane != Lane::Urgent)
    }

    /// Reads the namespaces that are not known yet: one by its name, several by a list.
    async fn learn_namespaces(&self, found: &[Found]) -> Result<(), Failure> {
        let unknown = |found: &&Found| !self.seen.borrow().contains_key(&found.row.namespace);
        let Some(first) = found.iter().find(unknown).map(|found| found.row.namespace.clone()) else {
            return Ok(());
        };
        let api = Api::<Namespace>::all(self.client.clone());
        let mut known = BTreeMap::new();
        let read = if self.namespace.is_some() {
            let get = self.answer("get Namespaces", api.get_metadata_opt(&first)).await;
            get.map(|found| {
                known.insert(first, found.map(|namespace| Defaults::of(&namespace.metadata)));
            })
        } else {
            let learn = |namespace: Namespace| {
                known.insert(namespace.name_any(), Some(Defaults::of(&namespace.metadata)));
            };
            self.answer("list Namespaces", pages(&api, ListParams::default(), learn)).await
        };
        let note = "Some lanes are <unknown>: you may not read the namespaces that decide them.";
        self.allow_forbidden(read, note)?;
        self.seen.borrow_mut().extend(known);
        for found in found {
            // Not asked for again, whether it is gone or may not be read.
            self.seen.borrow_mut().entry(found.row.namespace.clone()).or_default();
        }
        Ok(())
    }

    async fn running(&self, found: &[Found]) -> Result<Running, Failure> {
        let mut running = Running::default();
        let note = "IMAGES shows the new ones only: you may not list ReplicaSets.";
        if found.len() > ONE_BY_ONE {
            let api = self.api::<ReplicaSet>();
            let listed = pages(&api, ListParams::default(), |set| running.add(set));
            let listed = self.answer("list ReplicaSets", listed).await;
            self.allow_forbidden(listed, note)?;
            return Ok(running);
        }
        for found in found {
            let api = Api::<ReplicaSet>::namespaced(self.client.clone(), &found.row.namespace);
            let listed = pages(&api, ListParams::default().labels(&found.selector), |set| running.add(set));
            let listed = self.answer("list ReplicaSets", listed).await;
            self.allow_forbidden(listed, note)?;
        }
        Ok(running)
    }

    /// What may not be read is left out, and noted.
    fn allow_forbidden(&self, read: Result<(), Failure>, note: &'static str) -> Result<(), Failure> {
        if let Err(Failure::Forbidden(_)) = read {
            self.note(note);
            return Ok(());
        }
        read
    }

    fn note(&self, note: &'static str) {
        let mut left_out = self.left_out.borrow_mut();
        if !left_out.contains(&note) {
            left_out.push(note);
        }
    }

    /// An answer within the limit of time.
    ///
    /// # Errors
    /// When there is none, or it is a refusal.
    pub async fn answer<T>(
        &self,
        what: &str,
        asked: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(ANSWER, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.failure(what, &error)),
            Err(_) => Err(Failure::Unreachable {
                server: self.server.clone(),
                cause: format!("no answer within {} s", ANSWER.as_secs()),
            }),
        }
    }

    /// The failure of an attempt where this reader looks.
    #[must_use]
    pub fn failure(&self, what: &str, error: &kube::Error) -> Failure {
        let attempt = Attempt { what, namespace: self.namespace.as_deref(), server: &self.server };
        Failure::of(error, attempt)
    }
}

/// Lists page by page, and gives each object away at once.
///
/// # Errors
/// When a page cannot be read.
pub async fn pages<K>(api: &Api<K>, params: ListParams, mut each: impl FnMut(K)) -> kube::Result<()>
where
    K: Clone + std::fmt::Debug + DeserializeOwned,
{
    let mut params = params.limit(PAGE);
    loop {
        let page = api.list(&params).await?;
        page.items.into_iter().for_each(&mut each);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(()),
        }
    }
}
