//! First of all the two webhook configurations: from then on nothing is held or denied, whatever else is dead.

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::Api;

use super::{release::Release, work::Work};

/// Deletes both. By name, so that the right to do so need not cover those of others.
pub async fn delete(work: &mut Work<'_>, release: &Release) {
    let holds = Api::<MutatingWebhookConfiguration>::all(work.client.clone());
    work.delete(&holds, &format!("mutatingwebhookconfiguration {}", release.hold())).await;
    let gates = Api::<ValidatingWebhookConfiguration>::all(work.client.clone());
    work.delete(&gates, &format!("validatingwebhookconfiguration {}", release.gate())).await;
}
