//! What can be seen of Roadstead itself when the change stands still, with the rights that the user has. What may not be
//! seen is not known, and no further failure.

use contract::key::ENABLED_LABEL;
use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    apps::v1::{Deployment, StatefulSet},
    core::v1::{ConfigMap, Namespace},
    events::v1::Event,
};
use kube::{Api, ResourceExt as _, api::ListParams, core::PartialObjectMeta};

use super::{args::SelfTest, blame::Seen};
use crate::{connection::Connection, trouble::within, uninstall::Release};

/// Looks at everything that may explain it.
pub async fn gather(connection: &Connection, name: &str, args: &SelfTest) -> Seen {
    let client = || connection.client.clone();
    let release = Release::new(&args.release, &args.release_namespace, args.fullname.as_deref());
    let namespace = &connection.namespace;
    let namespaces = Api::<Namespace>::all(client());
    let opted_in = within(namespaces.get_metadata_opt(namespace)).await.ok().flatten();
    let enabled = |namespace: PartialObjectMeta<Namespace>| {
        namespace.labels().get(ENABLED_LABEL).is_some_and(|value| value == "true")
    };
    let holds = Api::<MutatingWebhookConfiguration>::all(client());
    let gates = Api::<ValidatingWebhookConfiguration>::all(client());
    let record = Api::<ConfigMap>::namespaced(client(), &release.namespace);
    let record = within(record.get_opt(&release.part("namespaces"))).await.ok().flatten();
    let events = Api::<Event>::namespaced(client(), namespace);
    let about = ListParams::default().fields(&format!("regarding.kind=Deployment,regarding.name={name}"));
    let events = within(events.list(&about)).await.ok();
    Seen {
        namespace: namespace.clone(),
        opted_in: opted_in.map(enabled),
        hold: within(holds.get_metadata_opt(&release.hold())).await.ok().map(|found| found.is_some()),
        gate: within(gates.get_metadata_opt(&release.gate())).await.ok().map(|found| found.is_some()),
        swept: record.map(|record| record.data.unwrap_or_default().contains_key(namespace)),
        told: events.map(|events| {
            events.items.into_iter().filter_map(|event| Some((event.reason?, event.note?))).collect()
        }),
        parts: parts(connection, &release).await,
        release,
    }
}

/// How many pods of each part are ready, of how many.
async fn parts(connection: &Connection, release: &Release) -> Vec<(String, i32, i32)> {
    let mut parts = Vec::new();
    let deployments = Api::<Deployment>::namespaced(connection.client.clone(), &release.namespace);
    for part in ["webhook", "executor", "certs"] {
        let name = release.part(part);
        if let Ok(Some(found)) = within(deployments.get_opt(&name)).await {
            let ready = found.status.and_then(|status| status.ready_replicas).unwrap_or_default();
            parts.push((format!("deployment/{name}"), ready, found.spec.replicas.unwrap_or(1)));
        }
    }
    let name = release.part("nats");
    let sets = Api::<StatefulSet>::namespaced(connection.client.clone(), &release.namespace);
    if let Ok(Some(found)) = within(sets.get_opt(&name)).await {
        let ready = found.status.and_then(|status| status.ready_replicas).unwrap_or_default();
        parts.push((format!("statefulset/{name}"), ready, found.spec.replicas.unwrap_or(1)));
    }
    parts
}
