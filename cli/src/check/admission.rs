//! The webhook configurations: both are there, and say what becomes of a request that nobody answers.

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use kube::Api;

use super::{Look, finding::Finding};
use crate::trouble::{Trouble, within};

/// Names of the webhooks that hold, and that keep what is held.
const HOLD: &str = "hold.roadstead.dev";
const GATE: &str = "gate.roadstead.dev";

/// One webhook of ours.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its name.
    pub name: String,
    /// What becomes of a request that nobody answers.
    pub failure_policy: Option<String>,
    /// Where it is, and whom to trust there.
    pub client: WebhookClientConfig,
}

/// Both configurations.
pub struct Configurations {
    /// The mutating one; `None`: it is not there.
    pub hold: Result<Option<Vec<Webhook>>, Trouble>,
    /// The validating one.
    pub gate: Result<Option<Vec<Webhook>>, Trouble>,
}

impl Configurations {
    /// Reads both.
    pub async fn read(look: &Look) -> Self {
        let holds = Api::<MutatingWebhookConfiguration>::all(look.client.clone());
        let gates = Api::<ValidatingWebhookConfiguration>::all(look.client.clone());
        let hold = within(holds.get_opt(&look.release.hold())).await.map(|found| {
            let webhooks = found?.webhooks.unwrap_or_default().into_iter();
            Some(webhooks.map(|w| Webhook::new(w.name, w.failure_policy, w.client_config)).collect())
        });
        let gate = within(gates.get_opt(&look.release.gate())).await.map(|found| {
            let webhooks = found?.webhooks.unwrap_or_default().into_iter();
            Some(webhooks.map(|w| Webhook::new(w.name, w.failure_policy, w.client_config)).collect())
        });
        Self { hold, gate }
    }

    /// Every webhook of ours.
    pub fn webhooks(&self) -> impl Iterator<Item = &Webhook> {
        [&self.hold, &self.gate]
            .into_iter()
            .flat_map(|found| found.as_ref().ok().into_iter().flatten().flatten())
    }

    /// Whether the API server asks a Service in the cluster.
    #[must_use]
    pub fn by_service(&self) -> bool {
        self.webhooks().any(|webhook| webhook.client.service.is_some())
    }

    /// Whether it is known that nothing is held any more.
    #[must_use]
    pub fn hold_is_gone(&self) -> bool {
        matches!(self.hold, Ok(None))
    }

    /// What they come to.
    #[must_use]
    pub fn findings(&self, look: &Look) -> Vec<Finding> {
        let right = |kind: &str| format!("get {kind}.admissionregistration.k8s.io");
        let hold = match &self.hold {
            Ok(found) => hold(found.as_deref(), &look.release.hold()),
            Err(trouble) => Finding::unseen("hold-webhook", &right("mutatingwebhookconfigurations"), trouble),
        };
        let gate = match &self.gate {
            Ok(found) => gate(found.as_deref(), &look.release.gate()),
            Err(trouble) => {
                Finding::unseen("gate-webhook", &right("validatingwebhookconfigurations"), trouble)
            }
        };
        vec![hold, gate]
    }
}

impl Webhook {
    fn new(name: String, failure_policy: Option<String>, client: WebhookClientConfig) -> Self {
        Self { name, failure_policy, client }
    }
}

/// The rest of what to do where a configuration is not there.
const AGAIN: &str =
    "install the chart again (helm upgrade --install), or name its release: --release, --release-namespace";

fn hold(found: Option<&[Webhook]>, name: &str) -> Finding {
    let Some(webhooks) = found else {
        let gone = format!("there is no MutatingWebhookConfiguration {name}: nothing is held");
        return Finding::fail("hold-webhook", gone, AGAIN);
    };
    match webhooks.iter().find(|webhook| webhook.name == HOLD) {
        None => {
            Finding::fail("hold-webhook", format!("{name} has no webhook {HOLD}: nothing is held"), AGAIN)
        }
        Some(webhook) if webhook.failure_policy.as_deref() == Some("Ignore") => Finding::ok(
            "hold-webhook",
            format!(
                "{name} is there; with every webhook away changes pass without being held (failurePolicy Ignore)"
            ),
        ),
        Some(_) => Finding::ok(
            "hold-webhook",
            format!("{name} is there; with every webhook away no Deployment is written (failurePolicy Fail)"),
        ),
    }
}

fn gate(found: Option<&[Webhook]>, name: &str) -> Finding {
    let Some(webhooks) = found else {
        let gone =
            format!("there is no ValidatingWebhookConfiguration {name}: what is held rolls out all the same");
        return Finding::fail("gate-webhook", gone, AGAIN);
    };
    match webhooks.iter().find(|webhook| webhook.name == GATE) {
        None => {
            let gone = format!("{name} has no webhook {GATE}: what is held rolls out all the same");
            Finding::fail("gate-webhook", gone, AGAIN)
        }
        Some(webhook) if webhook.failure_policy.as_deref() == Some("Ignore") => Finding::fail(
            "gate-webhook",
            format!("{name} has failurePolicy Ignore: what is held rolls out where no webhook answers"),
            "somebody changed it; install the chart again: helm upgrade",
        ),
        Some(_) => Finding::ok("gate-webhook", format!("{name} is there (failurePolicy Fail)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Status;

    fn webhook(name: &str, policy: &str) -> [Webhook; 1] {
        [Webhook::new(name.into(), Some(policy.into()), WebhookClientConfig::default())]
    }

    #[test]
    fn what_holds_has_to_be_there_and_the_gate_has_to_fail_closed() {
        assert_eq!(hold(None, "zz-r").status, Status::Fail);
        assert_eq!(hold(Some(&[]), "zz-r").status, Status::Fail);
        for policy in ["Ignore", "Fail"] {
            let found = hold(Some(&webhook(HOLD, policy)), "zz-r");
            assert!(found.status == Status::Ok && found.message.contains(policy), "{found:?}");
        }
        assert_eq!(gate(None, "r").status, Status::Fail);
        assert_eq!(gate(Some(&webhook(GATE, "Ignore")), "r").status, Status::Fail);
        assert_eq!(gate(Some(&webhook(GATE, "Fail")), "r").status, Status::Ok);
    }
}
