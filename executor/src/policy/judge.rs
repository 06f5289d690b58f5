//! The judge: puts together what the rules have to know of a change, and asks them. What costs a request is asked only
//! where a policy wants to know it.

use std::{collections::HashMap, sync::Arc};

use ::policy::{
    expression::Subject,
    ruling::{Facts, Ruling, Standing, ruling},
    validation::{Finding, Moment, findings},
};
use contract::{ChangeId, Lane};
use futures::{StreamExt as _, TryStreamExt as _};
use ops::{namespaces::Namespaces, policies::Policies};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::Rules;
use crate::{
    deployments::Deployments,
    error::Failure,
    live::{Live, now, to_millis},
    slots::Slots,
    status::Reports,
};

/// Deployments that are read at a time to learn how they stand.
const AT_ONCE: usize = 4;

/// Says whether changes may be let through.
#[derive(Clone)]
pub struct Judge {
    /// The policies.
    pub policies: Policies,
    /// Who is opted in, and the labels of namespaces.
    pub namespaces: Namespaces,
    /// The Deployments.
    pub deployments: Deployments,
    /// The slots, and so what is in flight.
    pub slots: Slots,
    /// Who hears of an expression that failed.
    pub reports: Reports,
}

impl Judge {
    /// What selects a Deployment now; nothing where its namespace is not served.
    #[must_use]
    pub fn selected(&self, live: &Live) -> Rules {
        let Some(opted_in) = self.namespaces.get(&live.namespace) else { return Rules::default() };
        Rules::from(&self.policies.load().select(&live.namespace, &opted_in.labels, &live.labels))
    }

    /// What the rules say of the change that a Deployment carries; `None` where the object changed meanwhile.
    ///
    /// # Errors
    /// What the API server did not do.
    pub(crate) async fn judge(
        &self,
        live: &Live,
        rules: &Rules,
        lane: Lane,
    ) -> Result<Option<Ruling>, Failure> {
        let Some(change) = live.state.change.as_ref().filter(|_| !rules.is_empty()) else {
            return Ok(Some(Ruling::default()));
        };
        let standings = self.standings(live, rules).await?;
        let mut ruling = self.rule(live, change, rules, lane, &standings);
        Ok(self.validate(live, rules, &mut ruling).await?.then_some(ruling))
    }

    fn rule(
        &self,
        live: &Live,
        change: &ChangeId,
        rules: &Rules,
        lane: Lane,
        standings: &HashMap<String, Standing>,
    ) -> Ruling {
        let ledger = Arc::clone(&self.slots.ledger().borrow());
        let released_at = live.state.released_at.as_deref();
        let released_at = released_at.and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok());
        let facts = Facts {
            now: now(),
            namespace: &live.namespace,
            name: &live.name,
            change,
            requested_by: live.state.requested_by.as_deref(),
            lane,
            approvals: &live.state.approvals,
            last_release: released_at.map(to_millis),
            standing: &|name| standings.get(name).cloned().unwrap_or(Standing::Absent),
            in_flight: &|policy| ledger.in_flight(&policy.to_string(), &live.uid),
        };
        ruling(&rules.selected(), &facts)
    }

    /// How the Deployments stand that come first.
    async fn standings(&self, live: &Live, rules: &Rules) -> Result<HashMap<String, Standing>, Failure> {
        let mut names: Vec<String> = rules.after().into_iter().map(str::to_owned).collect();
        names.retain(|name| *name != live.name);
        let asked = names.into_iter().map(|name| async move {
            let found = self.deployments.get(&live.namespace, &name).await?;
            Ok::<_, Failure>((name, standing(found.as_ref())))
        });
        futures::stream::iter(asked).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Evaluates the validations over the object as it is stored; says whether it is still the one that was read.
    async fn validate(&self, live: &Live, rules: &Rules, ruling: &mut Ruling) -> Result<bool, Failure> {
        if !rules.validate() {
            return Ok(true);
        }
        let Some(opted_in) = self.namespaces.get(&live.namespace) else { return Ok(false) };
        let object = self.deployments.read(&live.namespace, &live.name).await?;
        let same = |metadata: &kube::api::ObjectMeta| {
            (metadata.uid.as_deref(), metadata.generation) == (Some(&*live.uid), Some(live.generation))
        };
        let Some(object) = object.filter(|object| same(&object.metadata)) else { return Ok(false) };
        let object = serde_json::to_value(&object)?;
        let subject = Subject::live(&object, &live.namespace, &opted_in.labels);
        let found = findings(&rules.selected().policies, &subject, Moment::Released);
        for Finding { policy, name, error, .. } in &found {
            if let Some(error) = error {
                tracing::debug!(namespace = live.namespace, %policy, rule = name, error, "an expression failed");
                self.reports.expression_failed(policy, name, error);
            }
        }
        ruling.deny(found);
        Ok(true)
    }
}

/// How a Deployment that comes first stands.
fn standing(live: Option<&Live>) -> Standing {
    live.filter(|live| !live.deleting).map_or(Standing::Absent, |live| Standing::of(&live.state))
}
