//! Every gate opens. A list says what is to be written, eight are written at a time, and it is listed again until
//! nothing is left: API servers need a moment to notice that the webhook is gone, and undo what is written until then;
//! others write, too.

use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Client,
    api::{ListParams, ObjectMeta, Patch, PatchParams},
};
use tokio::time::Instant;

use super::{
    open,
    progress::Progress,
    tried::{Found, Tried, Written},
    work::{PAUSE, Work},
};
use crate::trouble::within;

/// Written at the same time.
const AT_ONCE: usize = 8;
/// How long an API server may go on calling a webhook whose configuration is gone. A list that was asked for earlier
/// does not prove that nothing is held any more.
const NOTICED: Duration = Duration::from_secs(2);
/// Who wrote a field, in `managedFields`.
const FIELD_MANAGER: &str = "roadstead-uninstall";

/// Opens all, in these namespaces or everywhere. `deleted` is when the webhook configurations went.
pub async fn open(work: &mut Work<'_>, namespaces: &[String], deleted: Instant) {
    let mut places: Vec<_> = namespaces.iter().map(|name| Some(name.clone())).collect();
    if places.is_empty() {
        places.push(None);
    }
    let (mut opened, mut pause, mut tried) = (0, PAUSE.0, Tried::default());
    loop {
        let began = Instant::now();
        let mut found = list(work, &mut places).await;
        if work.dry_run {
            for Found { namespace, name, .. } in found {
                work.did(&format!("deployment {namespace}/{name} opened"));
            }
            return;
        }
        tried.forget_all_but(&found);
        found.retain(|one| !tried.is_given_up(one));
        let noticed = began >= deleted + NOTICED;
        if found.is_empty() {
            if noticed || work.done == 0 && opened == 0 {
                break;
            }
            tokio::time::sleep_until(deleted + NOTICED).await;
            continue;
        }
        if Instant::now() >= work.until {
            for one in &found {
                tried.no_time(one);
            }
            break;
        }
        let now = pass(work, found, opened, noticed, &mut tried).await;
        opened += now;
        pause = if now > 0 { PAUSE.0 } else { (pause * 2).min(PAUSE.1) };
        tokio::time::sleep(pause).await;
    }
    if opened > 0 {
        let what = if opened == 1 { "Deployment" } else { "Deployments" };
        work.did(&format!("{opened} {what} opened"));
    }
    for ((namespace, name), why) in tried.last() {
        work.left(format!("deployment {name} in namespace {namespace}: {why}"));
    }
}

/// What is to be written. A place that may not be listed is told of once and left out from then on.
async fn list(work: &mut Work<'_>, places: &mut Vec<Option<String>>) -> Vec<Found> {
    let mut found = Vec::new();
    for place in std::mem::take(places) {
        let (api, whose) = match &place {
            None => (Api::<Deployment>::all(work.client.clone()), "the cluster".to_owned()),
            Some(namespace) => {
                (Api::namespaced(work.client.clone(), namespace), format!("namespace {namespace}"))
            }
        };
        let to_write = |metadata: ObjectMeta| {
            let patch = open::plan(&metadata)?;
            Some(Found { namespace: metadata.namespace?, name: metadata.name?, patch })
        };
        match work.list(&api, &ListParams::default(), to_write).await {
            Ok(listed) => {
                found.extend(listed);
                places.push(place);
            }
            Err(trouble) => {
                let hint = if place.is_none() && trouble.is_forbidden() {
                    "; name the namespaces that it serves: --namespaces"
                } else {
                    ""
                };
                work.left(format!("the Deployments of {whose}: {trouble}{hint}"));
            }
        }
    }
    found
}

/// Writes each once; how many are open now. `counts`: whether a refusal is one of the few tries.
async fn pass(
    work: &mut Work<'_>,
    found: Vec<Found>,
    opened: usize,
    counts: bool,
    tried: &mut Tried,
) -> usize {
    let all = opened + found.len();
    let mut now = 0;
    let mut progress = Progress::new(work.screen.terminal(), Instant::now());
    let client = work.client.clone();
    let writes = found.into_iter().map(|one| write(client.clone(), one));
    let mut writes = futures::stream::iter(writes).buffer_unordered(AT_ONCE);
    while let Some((namespace, name, written)) = writes.next().await {
        now += usize::from(tried.settle(&namespace, &name, written, counts));
        if let Some(text) = progress.at(Instant::now(), opened + now, all) {
            work.tell(&text);
        }
        // What is not written by then is listed once more, and told of.
        if Instant::now() >= work.until {
            break;
        }
    }
    if let Some(text) = progress.end() {
        work.tell(text);
    }
    now
}

async fn write(client: Client, one: Found) -> (String, String, Written) {
    let Found { namespace, name, patch } = one;
    let api = Api::<Deployment>::namespaced(client, &namespace);
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let written = match within(api.patch_metadata(&name, &parameters, &Patch::Json::<()>(patch))).await {
        Ok(stored) if open::plan(&stored.metadata).is_some() => Written::Undone,
        Ok(_) => Written::Opened,
        Err(trouble) => Written::Trouble(trouble),
    };
    (namespace, name, written)
}
