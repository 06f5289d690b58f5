//! What policies ask after the soak: a query to Prometheus, or a Job. What a check has come to is read from Prometheus
//! and from the Job each time, never remembered: an executor that dies is followed by one that asks again.

mod answer;
mod endpoint;
mod job;
mod prometheus;

use std::{sync::Arc, time::Duration};

use contract::PolicyRef;
use futures::{StreamExt as _, stream::FuturesUnordered};
use kube::Client;
use policy::{resource::Check, window};

pub use self::{
    endpoint::{Endpoint, Named, NotNamed},
    prometheus::Prometheus,
};
use crate::live::{Live, UnixMillis, now};

/// How long a check may take that does not say so.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Pause between two looks at the same check.
const PAUSE: Duration = Duration::from_secs(3);

/// A check is looked at for this long at least by a process that begins with it: what was not looked at has not failed.
const LEAST: UnixMillis = 30_000;

/// A check of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who asks.
    pub policy: PolicyRef,
    /// What.
    pub check: Check,
}

/// How a check stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It succeeded.
    Passed,
    /// It may still succeed; what it said this time.
    NotYet(String),
    /// It never will.
    Failed(String),
}

/// Runs checks.
#[derive(Clone)]
pub struct Checks {
    /// The API server.
    pub client: Client,
    /// Where queries go.
    pub prometheus: Arc<Prometheus>,
}

impl Asked {
    /// How long it may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        let read = self.check.timeout.as_deref().and_then(|text| window::duration(text).ok());
        read.unwrap_or(TIMEOUT)
    }
}

impl Checks {
    /// Runs all checks of a rollout at once; `begun` is when they could begin.
    ///
    /// # Errors
    /// What the first one said that failed.
    pub async fn run(&self, live: &Live, asked: &[Asked], begun: UnixMillis) -> Result<(), String> {
        let mut running: FuturesUnordered<_> =
            asked.iter().map(|asked| self.one(live, asked, begun)).collect();
        while let Some(result) = running.next().await {
            result?;
        }
        Ok(())
    }

    /// Looks again and again until a check has come to an end, or its time is over.
    async fn one(&self, live: &Live, asked: &Asked, begun: UnixMillis) -> Result<(), String> {
        let timeout = asked.timeout();
        let millis = UnixMillis::try_from(timeout.as_millis()).unwrap_or(UnixMillis::MAX);
        let end = begun.saturating_add(millis).max(now().saturating_add(millis.min(LEAST)));
        let failed = |said: &str| format!("check {} of {} failed: {said}", asked.check.name, asked.policy);
        loop {
            match self.look(live, asked, timeout).await {
                Standing::Passed => return Ok(()),
                Standing::Failed(said) => return Err(failed(&said)),
                Standing::NotYet(said) if now() >= end => {
                    let timeout = humantime::format_duration(timeout);
                    return Err(failed(&format!("{said} (for {timeout})")));
                }
                Standing::NotYet(said) => {
                    let (deployment, check) = (&live.name, &asked.check.name);
                    tracing::debug!(deployment, check, said, "a check has not succeeded yet");
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look(&self, live: &Live, asked: &Asked, timeout: Duration) -> Standing {
        match (&asked.check.promql, &asked.check.job) {
            (Some(query), None) => self.prometheus.ask(query, &live.namespace, &live.name).await,
            (None, Some(job)) => job::look(&self.client, live, asked, job, timeout).await,
            _ => Standing::Failed("it needs exactly one of promql and job".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::PolicyKind;

    use super::*;

    #[test]
    fn a_check_that_names_no_timeout_has_five_minutes() {
        let policy = PolicyRef { kind: PolicyKind::ReleasePolicy, namespace: None, name: "web".into() };
        assert_eq!(Asked { policy, check: Check::default() }.timeout(), Duration::from_mins(5));
    }
}
