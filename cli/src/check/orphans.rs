//! What an install that is gone has left, and what others have put in the way: Deployments that are held and nobody lets
//! through, and mutating webhooks that come after ours or are of another release.

use std::collections::BTreeMap;

use contract::{
    Phase,
    key::{ENABLED_LABEL, PHASE_LABEL},
};
use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, RuleWithOperations},
    apps::v1::Deployment,
    core::v1::Namespace,
};
use kube::{Api, ResourceExt, api::ListParams};

use super::{Look, admission::Configurations, finding::Finding};
use crate::trouble::{Trouble, within};

/// Objects a page.
const PAGE: u32 = 500;

/// Looks for both.
pub async fn look(look: &Look, configurations: &Configurations) -> Vec<Finding> {
    let mut findings = vec![match held(look).await {
        Ok(held) if configurations.hold_is_gone() => left(&held),
        Ok(held) => opted_out(&held, enabled(look).await.as_deref()),
        Err(trouble) => Finding::unseen("orphans", "list deployments.apps in all namespaces", &trouble),
    }];
    findings.push(others(look).await);
    findings
}

/// Deployments that carry a label of ours, by namespace.
pub async fn held(look: &Look) -> Result<BTreeMap<String, usize>, Trouble> {
    let api = Api::<Deployment>::all(look.client.clone());
    let phases = [Phase::Held, Phase::Released, Phase::Dead].map(Phase::as_str).join(",");
    let mut params = ListParams::default().labels(&format!("{PHASE_LABEL} in ({phases})")).limit(PAGE);
    let mut held = BTreeMap::new();
    loop {
        let page = within(api.list_metadata(&params)).await?;
        for deployment in &page.items {
            *held.entry(deployment.namespace().unwrap_or_default()).or_default() += 1;
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(held),
        }
    }
}

/// Where nothing holds any more, nobody lets through either.
#[must_use]
pub fn left(held: &BTreeMap<String, usize>) -> Finding {
    match held.values().sum() {
        0 => Finding::ok("orphans", "nothing is left of an older install"),
        count => Finding::fail(
            "orphans",
            format!("{count} Deployments carry a change of an install that is gone, {}", some(held)),
            "kubectl roadstead uninstall opens them; by hand: docs/break-glass.md",
        ),
    }
}

/// The executor opens what is in a namespace that was opted out. `enabled`: those that are opted in, where known.
fn opted_out(held: &BTreeMap<String, usize>, enabled: Option<&[String]>) -> Finding {
    let Some(enabled) = enabled else {
        return Finding::skipped(
            "orphans",
            "you may not list namespaces: it is not known which are opted in",
            None,
        );
    };
    let outside: BTreeMap<_, _> = held
        .iter()
        .filter(|(name, _)| !enabled.contains(name))
        .map(|(name, count)| (name.clone(), *count))
        .collect();
    match outside.values().sum::<usize>() {
        0 => Finding::ok("orphans", "what carries a change is in namespaces that are opted in"),
        count => Finding::warn(
            "orphans",
            format!(
                "{count} Deployments carry a change in namespaces that are not opted in, {}",
                some(&outside)
            ),
            "the executor opens them if it serves those namespaces; by hand: docs/break-glass.md, \"One namespace\"",
        ),
    }
}

fn some(held: &BTreeMap<String, usize>) -> String {
    let names: Vec<_> = held.keys().take(3).map(String::as_str).collect();
    let more = if held.len() > 3 { ", …" } else { "" };
    format!("in {}{more}", names.join(", "))
}

async fn enabled(look: &Look) -> Option<Vec<String>> {
    let namespaces = Api::<Namespace>::all(look.client.clone());
    let enabled = ListParams::default().labels(&format!("{ENABLED_LABEL}=true"));
    let found = within(namespaces.list_metadata(&enabled)).await.ok()?;
    Some(found.items.iter().map(ResourceExt::name_any).collect())
}

/// Mutating webhooks of others that change what ours has seen.
pub async fn others(look: &Look) -> Finding {
    let configurations = Api::<MutatingWebhookConfiguration>::all(look.client.clone());
    match within(configurations.list(&ListParams::default())).await {
        Ok(found) => in_the_way(&look.release.hold(), &found.items),
        Err(trouble) => {
            let right = "list mutatingwebhookconfigurations.admissionregistration.k8s.io";
            Finding::unseen("other-webhooks", right, &trouble)
        }
    }
}

fn in_the_way(own: &str, all: &[MutatingWebhookConfiguration]) -> Finding {
    let others = || all.iter().filter(|other| other.name_any() != own);
    let ours = |other: &&MutatingWebhookConfiguration| {
        other.labels().get("app.kubernetes.io/name").is_some_and(|name| name == "roadstead")
    };
    let names = |found: Vec<&MutatingWebhookConfiguration>| {
        found.iter().map(|other| other.name_any()).collect::<Vec<_>>().join(", ")
    };
    let releases: Vec<_> = others().filter(ours).collect();
    if !releases.is_empty() {
        return Finding::warn(
            "other-webhooks",
            format!("other releases of Roadstead hold Deployments: {}", names(releases)),
            "two releases must serve different namespaces (chart value `namespaces`); one that is gone: kubectl roadstead \
             uninstall --release RELEASE --namespace ITS-NAMESPACE",
        );
    }
    let later: Vec<_> =
        others().filter(|other| other.name_any().as_str() > own && touches_deployments(other)).collect();
    if later.is_empty() {
        return Finding::ok("other-webhooks", "no other comes after the one that holds");
    }
    Finding::warn(
        "other-webhooks",
        format!(
            "these see a Deployment after it was held, and may change what was decided on: {}",
            names(later)
        ),
        "give them a name that sorts before ours; where they change the template, the change is looked at again",
    )
}

fn touches_deployments(configuration: &MutatingWebhookConfiguration) -> bool {
    let has = |list: &Option<Vec<String>>, word: &str| {
        list.iter().flatten().any(|entry| entry == word || entry == "*" || entry == "*/*")
    };
    let touches =
        |rule: &RuleWithOperations| has(&rule.api_groups, "apps") && has(&rule.resources, "deployments");
    let webhooks = configuration.webhooks.iter().flatten();
    webhooks.into_iter().any(|webhook| webhook.rules.iter().flatten().any(touches))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::finding::Status;

    fn configuration(name: &str, label: &str, resource: &str) -> MutatingWebhookConfiguration {
        serde_json::from_value(json!({
            "metadata": {"name": name, "labels": {"app.kubernetes.io/name": label}},
            "webhooks": [{
                "name": "x.example", "admissionReviewVersions": ["v1"], "sideEffects": "None", "clientConfig": {},
                "rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": [resource]}],
            }],
        }))
        .unwrap()
    }

    #[test]
    fn a_webhook_that_comes_after_ours_or_is_of_another_release_is_named() {
        let own = configuration("zz-roadstead", "roadstead", "deployments");
        let judge = |other: MutatingWebhookConfiguration| in_the_way("zz-roadstead", &[own.clone(), other]);
        assert_eq!(judge(configuration("aa-mesh", "mesh", "deployments")).status, Status::Ok);
        assert_eq!(judge(configuration("zzz-mesh", "mesh", "pods")).status, Status::Ok);
        for (name, label) in [("zzz-mesh", "mesh"), ("zz-old", "roadstead")] {
            let found = judge(configuration(name, label, "deployments"));
            assert!(found.status == Status::Warn && found.message.contains(name), "{found:?}");
        }
    }

    #[test]
    fn what_nobody_lets_through_is_told_of() {
        let held: BTreeMap<_, _> = [("shop".to_owned(), 2), ("pay".to_owned(), 1)].into();
        assert_eq!(left(&BTreeMap::new()).status, Status::Ok);
        let orphans = left(&held);
        assert!(orphans.status == Status::Fail && orphans.message.contains("3 Deployments"), "{orphans:?}");
        assert_eq!(opted_out(&held, Some(&["shop".into(), "pay".into()])).status, Status::Ok);
        let outside = opted_out(&held, Some(&["shop".into()]));
        assert!(outside.status == Status::Warn && outside.message.ends_with("in pay"), "{outside:?}");
        assert_eq!(opted_out(&held, None).status, Status::Skipped);
    }
}
