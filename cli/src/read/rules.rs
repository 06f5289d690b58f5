//! Which rules hold a change: the policies that the executor obeys, read with the user's own rights and asked here, in
//! the same words. What the user may not read has no say, and that is noted.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use contract::{Lane, Obstacle, State};
use futures::FutureExt as _;
use k8s_openapi::{api::apps::v1::Deployment, jiff::Timestamp};
use kube::{Api, api::ListParams};
use policy::{
    expression::Subject,
    resource::{ClusterFreeze, ClusterReleasePolicy, Freeze, ReleasePolicy},
    ruling::{Facts, Standing, ruling},
    set::{Frost, Policy, Selected, Set},
    validation::{Moment, findings},
};
use serde::de::DeserializeOwned;

use super::{Reader, pages};
use crate::{
    failure::Failure,
    row::{Found, Waiting},
};

/// What is said where rules are left out.
const RULES: &str = "Rules are left out: you may not list ReleasePolicies and Freezes.";
const OF_CLUSTER: &str = "Rules of the cluster may be left out: you may not list ClusterReleasePolicies and ClusterFreezes, or not read the namespaces that they select.";
const COMES_FIRST: &str = "Some Deployments that come first are left out: you may not get them.";

/// How long what was read is taken as true, in a watch.
const FRESH: Duration = Duration::from_secs(2);

/// Namespace and name of a Deployment.
type Place = (String, String);

/// What was read of the policies, and when.
pub(super) struct Known {
    set: Rc<Set>,
    read: Instant,
}

impl Reader {
    /// Says of each change that waits which rules let it wait.
    ///
    /// # Errors
    /// When the API server fails; what the user may not read is left out.
    pub(super) async fn judge(&self, found: &mut [Found]) -> Result<(), Failure> {
        let waits =
            |found: &Found| found.waiting.as_ref().is_some_and(|waiting| waiting.state.r#override.is_none());
        if !found.iter().any(waits) {
            return Ok(());
        }
        let set = self.policies().await?;
        let standings = self.standings(&set, found).await?;
        for found in found.iter_mut().filter(|found| waits(found)) {
            if let Some(waiting) = found.waiting.take() {
                found.row.waits_for(self.obstacles(&set, &standings, found, &waiting)?);
            }
        }
        Ok(())
    }

    fn obstacles(
        &self,
        set: &Set,
        standings: &BTreeMap<Place, Standing>,
        found: &Found,
        Waiting { state, object }: &Waiting,
    ) -> Result<Vec<Obstacle>, Failure> {
        let row = &found.row;
        let (Some(change), namespace) = (&state.change, self.labels(&row.namespace)) else {
            return Ok(Vec::new());
        };
        let selected = select(set, found, object, &namespace);
        let released_at = state.released_at.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
        let facts = Facts {
            now: Timestamp::now().as_millisecond(),
            namespace: &row.namespace,
            name: &row.name,
            change,
            requested_by: state.requested_by.as_deref(),
            lane: row.lane.unwrap_or(Lane::Normal),
            approvals: &state.approvals,
            last_release: released_at.map(Timestamp::as_millisecond),
            standing: &|name| {
                let place = (row.namespace.clone(), name.to_owned());
                standings.get(&place).cloned().unwrap_or(Standing::Succeeded)
            },
            in_flight: &|policy| {
                let said = set.policy(policy).and_then(|policy| policy.status.in_flight);
                said.and_then(|count| u32::try_from(count).ok()).unwrap_or_default()
            },
        };
        let mut ruling = ruling(&selected, &facts);
        if selected.policies.iter().any(|policy| !policy.validations.is_empty()) {
            let object = serde_json::to_value(object)?;
            let subject = Subject::live(&object, &row.namespace, &namespace);
            ruling.deny(findings(&selected.policies, &subject, Moment::Released));
        }
        Ok(ruling.obstacles)
    }

    /// How the Deployments stand that come before one of these; each is read once.
    async fn standings(&self, set: &Set, found: &[Found]) -> Result<BTreeMap<Place, Standing>, Failure> {
        let mut places = BTreeSet::new();
        for found in found {
            let Some(Waiting { object, .. }) = found.waiting.as_deref() else { continue };
            let selected = select(set, found, object, &self.labels(&found.row.namespace));
            let after = selected.policies.iter().flat_map(|policy| &policy.after);
            places.extend(after.map(|name| (found.row.namespace.clone(), name.clone())));
        }
        let mut standings = BTreeMap::new();
        for place in places {
            let standing = match self.deployment(&place.0, &place.1).await {
                Err(Failure::Forbidden(_)) => {
                    self.note(COMES_FIRST);
                    continue;
                }
                read => standing(read?.as_ref()),
            };
            standings.insert(place, standing);
        }
        Ok(standings)
    }

    async fn policies(&self) -> Result<Rc<Set>, Failure> {
        if let Some(Known { set, read }) = &*self.policies.borrow()
            && read.elapsed() < FRESH
        {
            return Ok(Rc::clone(set));
        }
        let mut set = Set::default();
        let (policies, freezes, of_cluster, freezes_of_cluster) = futures::join!(
            self.rules(self.api::<ReleasePolicy>(), RULES).boxed_local(),
            self.rules(self.api::<Freeze>(), RULES).boxed_local(),
            self.rules(Api::<ClusterReleasePolicy>::all(self.client.clone()), OF_CLUSTER).boxed_local(),
            self.rules(Api::<ClusterFreeze>::all(self.client.clone()), OF_CLUSTER).boxed_local(),
        );
        policies?.iter().for_each(|policy| set.put(Arc::new(Policy::of(policy))));
        of_cluster?.iter().for_each(|policy| set.put(Arc::new(Policy::of_cluster(policy))));
        freezes?.iter().for_each(|freeze| set.put_freeze(Arc::new(Frost::of(freeze))));
        freezes_of_cluster?.iter().for_each(|freeze| set.put_freeze(Arc::new(Frost::of_cluster(freeze))));
        let set = Rc::new(set);
        *self.policies.borrow_mut() = Some(Known { set: Rc::clone(&set), read: Instant::now() });
        Ok(set)
    }

    /// The objects of a kind of rules; none where its definition is not installed.
    async fn rules<K>(&self, api: Api<K>, note: &'static str) -> Result<Vec<K>, Failure>
    where
        K: Clone + Debug + DeserializeOwned,
    {
        let mut found = Vec::new();
        let listed = async {
            match pages(&api, ListParams::default(), |rule| found.push(rule)).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                listed => listed,
            }
        };
        let listed = self.answer("list release policies and freezes", listed).await;
        self.allow_forbidden(listed, note)?;
        Ok(found)
    }

    /// Labels of a namespace; none where they may not be read.
    fn labels(&self, namespace: &str) -> BTreeMap<String, String> {
        let seen = self.seen.borrow();
        seen.get(namespace).and_then(Option::as_ref).map(|known| known.labels.clone()).unwrap_or_default()
    }
}

fn select<'a>(
    set: &'a Set,
    found: &Found,
    object: &Deployment,
    namespace: &BTreeMap<String, String>,
) -> Selected<'a> {
    let labels = object.metadata.labels.as_ref();
    set.select(&found.row.namespace, namespace, labels.unwrap_or(&BTreeMap::new()))
}

/// How a Deployment that comes first stands.
fn standing(live: Option<&Deployment>) -> Standing {
    let live = live.map(|live| &live.metadata).filter(|live| live.deletion_timestamp.is_none());
    live.map_or(Standing::Absent, |live| {
        Standing::of(&State::of(live.annotations.as_ref(), live.labels.as_ref()))
    })
}
