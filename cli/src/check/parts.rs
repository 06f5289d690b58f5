//! What runs in the namespace of the release: pods of each part that are ready, and whether the API server has a webhook
//! to ask; and whether the executor knows the namespaces that are opted in.

use std::collections::BTreeMap;

use contract::key::ENABLED_LABEL;
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{ConfigMap, Namespace},
    discovery::v1::EndpointSlice,
};
use kube::{Api, ResourceExt, api::ListParams};

use super::{Look, finding::Finding};
use crate::{
    trouble::{Trouble, within},
    uninstall::Release,
};

/// The setting with the namespaces that are served.
const SERVED: &str = "ROADSTEAD_NAMESPACES";

/// Looks at all of it; `by_service`: whether the API server asks a Service.
pub async fn look(look: &Look, by_service: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (check, part) in [("webhook", "webhook"), ("executor", "executor"), ("certs", "certs")] {
        findings.push(deployment(look, check, part).await);
    }
    findings.push(servers(look).await);
    if by_service {
        findings.push(endpoints(look).await);
    }
    findings.push(swept(look).await);
    findings
}

async fn deployment(look: &Look, check: &'static str, part: &str) -> Finding {
    let deployments = Api::<Deployment>::namespaced(look.client.clone(), &look.release.namespace);
    let name = look.release.part(part);
    match within(deployments.get_opt(&name)).await {
        Ok(Some(found)) => {
            let ready = found.status.and_then(|status| status.ready_replicas).unwrap_or_default();
            pods(check, &look.release, &format!("deployment/{name}"), ready, found.spec.replicas.unwrap_or(1))
        }
        Ok(None) => absent(check, &look.release, &format!("Deployment {name}")),
        Err(trouble) => Finding::unseen(check, &right("deployments.apps", &look.release), &trouble),
    }
}

async fn servers(look: &Look) -> Finding {
    let sets = Api::<StatefulSet>::namespaced(look.client.clone(), &look.release.namespace);
    let name = look.release.part("nats");
    match within(sets.get_opt(&name)).await {
        Ok(Some(found)) => {
            let ready = found.status.and_then(|status| status.ready_replicas).unwrap_or_default();
            pods(
                "nats",
                &look.release,
                &format!("statefulset/{name}"),
                ready,
                found.spec.replicas.unwrap_or(1),
            )
        }
        Ok(None) => absent("nats", &look.release, &format!("StatefulSet {name}")),
        Err(trouble) => Finding::unseen("nats", &right("statefulsets.apps", &look.release), &trouble),
    }
}

fn right(kind: &str, release: &Release) -> String {
    format!("get {kind} in namespace {}", release.namespace)
}

/// It may run elsewhere: then nothing here says how it is.
fn absent(check: &'static str, release: &Release, what: &str) -> Finding {
    let namespace = &release.namespace;
    Finding::skipped(
        check,
        format!("there is no {what} in namespace {namespace}: it runs elsewhere, or not at all"),
        None,
    )
}

fn pods(check: &'static str, release: &Release, what: &str, ready: i32, wanted: i32) -> Finding {
    let said = format!("{what}: {ready} of {wanted} ready");
    let namespace = &release.namespace;
    let fix = format!("see: kubectl -n {namespace} describe {what}; kubectl -n {namespace} logs {what}");
    match ready {
        0 if wanted == 0 => {
            Finding::fail(check, said, format!("kubectl -n {namespace} scale {what} --replicas=2"))
        }
        0 => Finding::fail(check, said, fix),
        _ if ready < wanted => Finding::warn(check, said, fix),
        _ => Finding::ok(check, said),
    }
}

async fn endpoints(look: &Look) -> Finding {
    let (name, namespace) = (look.release.part("webhook"), &look.release.namespace);
    let slices = Api::<EndpointSlice>::namespaced(look.client.clone(), namespace);
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={name}"));
    let slices = match within(slices.list(&of_service)).await {
        Ok(slices) => slices,
        Err(trouble) => {
            let right = format!("list endpointslices.discovery.k8s.io in namespace {namespace}");
            return Finding::unseen("endpoints", &right, &trouble);
        }
    };
    let ready = slices.items.iter().flat_map(|slice| slice.endpoints.iter().flatten()).filter(|endpoint| {
        endpoint.conditions.as_ref().and_then(|conditions| conditions.ready) != Some(false)
    });
    match ready.count() {
        0 => Finding::fail(
            "endpoints",
            format!("Service {name} has no webhook to ask"),
            "see docs/runbooks/webhook-absent.md",
        ),
        count => Finding::ok("endpoints", format!("Service {name}: {count} to ask")),
    }
}

/// The executor writes down which namespaces it has looked at.
async fn swept(look: &Look) -> Finding {
    let namespaces = Api::<Namespace>::all(look.client.clone());
    let enabled = ListParams::default().labels(&format!("{ENABLED_LABEL}=true"));
    let enabled = match within(namespaces.list_metadata(&enabled)).await {
        Ok(found) => found.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(),
        Err(trouble) => return Finding::unseen("namespaces", "list namespaces", &trouble),
    };
    let (settings, record) = match (read(look, "settings").await, read(look, "namespaces").await) {
        (Ok(settings), Ok(record)) => (settings, record),
        (Err(trouble), _) | (_, Err(trouble)) => {
            let right = format!("get configmaps in namespace {}", look.release.namespace);
            return Finding::unseen("namespaces", &right, &trouble);
        }
    };
    let served = settings.get(SERVED).map(String::as_str).unwrap_or_default();
    let enabled = only(enabled, served);
    let left: Vec<_> =
        enabled.iter().filter(|name| !record.contains_key(*name)).map(String::as_str).collect();
    opted_in(enabled.len(), &left)
}

/// What a ConfigMap of the release holds.
async fn read(look: &Look, part: &str) -> Result<BTreeMap<String, String>, Trouble> {
    let maps = Api::<ConfigMap>::namespaced(look.client.clone(), &look.release.namespace);
    let map = within(maps.get_opt(&look.release.part(part))).await?;
    Ok(map.and_then(|map| map.data).unwrap_or_default())
}

/// Those that a release serves: separated by commas, or all.
fn only(enabled: Vec<String>, served: &str) -> Vec<String> {
    enabled
        .into_iter()
        .filter(|name| served.is_empty() || served.split(',').any(|other| other == name))
        .collect()
}

/// So many are opted in; of those, these are not known to the executor.
fn opted_in(count: usize, left: &[&str]) -> Finding {
    match (count, left) {
        (0, _) => Finding::warn(
            "namespaces",
            "no namespace is opted in: nothing is held",
            "kubectl label namespace NAMESPACE roadstead.dev/enabled=true",
        ),
        (count, []) => Finding::ok("namespaces", format!("{count} opted in, and known to the executor")),
        (count, left) => {
            let (some, more) =
                (left[..left.len().min(3)].join(", "), if left.len() > 3 { ", …" } else { "" });
            Finding::warn(
                "namespaces",
                format!("{count} opted in; the executor does not know {} of them: {some}{more}", left.len()),
                "it has not swept them yet, does not run, or does not serve them (chart value `namespaces`)",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Status;

    #[test]
    fn pods_that_are_not_ready_are_told_of_and_none_is_a_failure() {
        let release = Release::new("roadstead", "ships", None);
        for (ready, wanted, status) in
            [(2, 2, Status::Ok), (1, 2, Status::Warn), (0, 2, Status::Fail), (0, 0, Status::Fail)]
        {
            assert_eq!(pods("executor", &release, "deployment/e", ready, wanted).status, status);
        }
    }

    #[test]
    fn a_release_for_some_namespaces_is_asked_for_those_alone() {
        let enabled = || vec!["shop".to_owned(), "pay".to_owned()];
        assert_eq!(only(enabled(), ""), ["shop", "pay"]);
        assert_eq!(only(enabled(), "pay,other"), ["pay"]);
    }

    #[test]
    fn a_namespace_that_the_executor_does_not_know_is_named() {
        assert_eq!(opted_in(0, &[]).status, Status::Warn);
        assert_eq!(opted_in(2, &[]).status, Status::Ok);
        let left = opted_in(5, &["a", "b", "c", "d"]);
        assert!(left.status == Status::Warn && left.message.ends_with("4 of them: a, b, c, …"), "{left:?}");
    }
}
