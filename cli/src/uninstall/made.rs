//! What Roadstead itself made in its namespace while it ran, and Helm knows nothing of: Secrets, and the volumes of its
//! NATS. What is needed to read the queue and the history again stays, unless they are to go.

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret};
use kube::{
    Api,
    api::{ListParams, ObjectMeta},
};

use super::{release::Release, work::Work};
use crate::trouble::{Remedy, within};

/// Who made a Secret, in its labels.
const MADE_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "roadstead-certs");
/// The setting that names the Secret of the webhook's certificate.
const LEAF: &str = "ROADSTEAD_CERTS_LEAF";

/// Deletes; what is kept for the streams, as kubectl would name it.
pub async fn delete(work: &mut Work<'_>, release: &Release, streams: bool) -> Vec<String> {
    let mut names = release.secrets();
    names.extend(leaf(work, release).await.filter(|name| !names.contains(name)));
    for name in names {
        secret(work, release, &name).await;
    }
    if streams {
        volumes(work, release).await;
        secret(work, release, &release.keys()).await;
        return vec![];
    }
    if made(work, release, &release.keys()).await {
        return vec![
            format!("secret {}", release.keys()),
            format!("the volumes of {}", release.part("nats")),
        ];
    }
    vec![]
}

/// Deletes a Secret of ours. One of that name that somebody else made stays.
async fn secret(work: &mut Work<'_>, release: &Release, name: &str) {
    if made(work, release, name).await {
        let secrets = Api::<Secret>::namespaced(work.client.clone(), &release.namespace);
        work.delete(&secrets, &format!("secret {name}")).await;
    }
}

/// Whether there is a Secret of that name that `roadstead-certs` made; its content is not asked for.
async fn made(work: &mut Work<'_>, release: &Release, name: &str) -> bool {
    let secrets = Api::<Secret>::namespaced(work.client.clone(), &release.namespace);
    match work.patiently(async || within(secrets.get_metadata(name)).await).await {
        Ok(secret) => {
            let labels = secret.metadata.labels.unwrap_or_default();
            labels.get(MADE_BY.0).is_some_and(|by| by == MADE_BY.1)
        }
        Err(trouble) if trouble.remedy() == Remedy::Gone => false,
        Err(trouble) => {
            work.left(format!("secret {name}: {trouble}"));
            false
        }
    }
}

/// The Secret of the webhook's certificate may have a name of its own. Who may not read that misses only this one.
async fn leaf(work: &Work<'_>, release: &Release) -> Option<String> {
    let settings = Api::<ConfigMap>::namespaced(work.client.clone(), &release.namespace);
    let name = release.part("settings");
    let settings = work.patiently(async || within(settings.get(&name)).await).await.ok()?;
    settings.data?.remove(LEAF)
}

async fn volumes(work: &mut Work<'_>, release: &Release) {
    let claims = Api::<PersistentVolumeClaim>::namespaced(work.client.clone(), &release.namespace);
    let is_ours = |claim: ObjectMeta| claim.name.filter(|name| release.is_volume(name));
    let names = match work.list(&claims, &ListParams::default(), is_ours).await {
        Ok(names) => names,
        Err(trouble) => {
            work.left(format!("the volumes of {}: {trouble}", release.part("nats")));
            return;
        }
    };
    for name in names {
        work.delete(&claims, &format!("persistentvolumeclaim {name}")).await;
    }
}
