//! What is known of a change that was given up: from the Deployment, and from NATS as far as the credentials go. The
//! event says why; the letter, which holds the whole Deployment, is for fewer eyes.

use contract::{
    ChangeEvent, DeadLetter, Phase, State, envelope,
    stream::{DEAD, EVENTS},
    subject,
};
use k8s_openapi::{api::apps::v1::Deployment, apimachinery::pkg::apis::meta::v1::Time};
use kube::ResourceExt as _;
use serde::Serialize;

use crate::nats::{Absence, Nats};

/// What is printed of one; `-o json` prints exactly these fields (docs/cli/dead.md).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenUp {
    /// Namespace of the Deployment.
    pub namespace: String,
    /// Name of the Deployment.
    pub name: String,
    /// Id of the change.
    pub change: Option<String>,
    /// Who submitted it.
    pub requested_by: Option<String>,
    /// When it was given up.
    pub buried_at: Option<Time>,
    /// How often it was tried.
    pub attempts: Option<u64>,
    /// Why it could not be let through the last time.
    pub error: Option<String>,
    /// The letter, where it may be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letter: Option<DeadLetter>,
}

impl GivenUp {
    /// What the Deployment says; `None` where its change was not given up.
    #[must_use]
    pub fn of(deployment: &Deployment) -> Option<Self> {
        let metadata = &deployment.metadata;
        let state = State::of(metadata.annotations.as_ref(), metadata.labels.as_ref());
        (state.phase == Some(Phase::Dead)).then(|| Self {
            namespace: deployment.namespace().unwrap_or_default(),
            name: deployment.name_any(),
            change: state.change.map(|change| change.to_string()),
            requested_by: state.requested_by,
            buried_at: None,
            attempts: None,
            error: None,
            letter: None,
        })
    }

    /// Adds what the last event about it says.
    ///
    /// # Errors
    /// When NATS does not say.
    pub async fn explain(&mut self, nats: &Nats) -> Result<(), Absence> {
        if !nats.reads_history() {
            return Err(Absence::Forbidden(
                "the credentials are of one namespace, and see what happens from now on only".to_owned(),
            ));
        }
        let about = subject::event(&nats.cluster, &self.namespace, &self.name, Phase::Dead);
        let about = about.map_err(|error| Absence::Away(error.to_string()))?;
        let Some(stored) = nats.last(EVENTS, &about).await? else { return Ok(()) };
        if let Ok(event) = envelope::open::<ChangeEvent>(&stored.payload) {
            self.learn(&event, Time(stored.time));
        }
        Ok(())
    }

    fn learn(&mut self, event: &ChangeEvent, time: Time) {
        if self.change.as_deref() == Some(event.change.as_str()) {
            self.buried_at = Some(time);
            self.attempts = event.attempts.map(u64::from);
            self.error = Some(event.error.clone().unwrap_or_else(|| event.message.clone()));
        }
    }

    /// Adds the letter.
    ///
    /// # Errors
    /// When NATS does not say, or the user may not.
    pub async fn open(&mut self, nats: &Nats) -> Result<(), Absence> {
        let about = subject::dead(&nats.cluster, &self.namespace, &self.name);
        let about = about.map_err(|error| Absence::Away(error.to_string()))?;
        let Some(stored) = nats.last(DEAD, &about).await? else { return Ok(()) };
        if let Ok(letter) = envelope::open::<DeadLetter>(&stored.payload) {
            self.letter = Some(letter).filter(|letter| {
                letter.change.as_ref().map(|change| change.change.as_str()) == self.change.as_deref()
            });
        }
        Ok(())
    }
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;
    use crate::row::tests::held;

    /// A Deployment whose change was given up.
    pub fn dead() -> Deployment {
        let mut deployment = held();
        deployment.labels_mut().insert("roadstead.dev/phase".into(), "dead".into());
        deployment
    }

    #[test]
    fn an_event_explains_the_change_that_it_is_about_and_no_other() {
        assert_eq!(GivenUp::of(&held()), None);
        let event = |change: &str| -> ChangeEvent {
            serde_json::from_value(json!({
                "cluster": "east", "namespace": "shop", "name": "web", "uid": "u-1", "change": change,
                "phase": "dead", "message": "given up", "attempts": 10, "error": "no on a Friday",
            }))
            .unwrap()
        };
        let time = || Time("2026-01-01T10:00:00Z".parse().unwrap());
        let mut given_up = GivenUp::of(&dead()).unwrap();
        given_up.learn(&event("zzzzzzzzzz"), time());
        assert_eq!(given_up.error, None);
        given_up.learn(&event("abcdefghij"), time());
        assert_eq!((given_up.error.as_deref(), given_up.attempts), (Some("no on a Friday"), Some(10)));
    }
}
