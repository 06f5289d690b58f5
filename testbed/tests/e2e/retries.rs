//! What cannot be let through: tried again, given up where everybody sees it, and put back by the commands of
//! docs/retries.md.

use anyhow::{Context as _, Result, ensure};
use contract::{DeadLetter, Phase, envelope::open, stream::DEAD, subject};
use serde_json::json;
use testbed::{DeploymentView as _, Stack, deployment, eventually};

use crate::{V1, V2, events, queue};

/// A label that the policy denies to everybody: so it is seen whether the API server knows the policy yet.
const PROBE: [&str; 4] = ["label", "deployment/web", "probe=yes", "--dry-run=server"];

/// A policy that denies that a gate is opened in the test's namespace.
pub(crate) async fn freeze(t: &Stack) -> Result<()> {
    let name = format!("freeze-{}", t.namespace);
    let gate = "object.metadata.?annotations[?'roadstead.dev/gate'].orValue('')";
    let probe = "object.metadata.?labels[?'probe'].orValue('')";
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [{
                "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"],
            }]},
            "validations": [{
                "expression": format!("{probe} == '' && ({gate} != 'open' || {} == 'open')", gate.replace("object", "oldObject")),
                "message": "nothing is let through on a Friday",
            }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {
            "policyName": name, "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": t.namespace}}},
        },
    });
    for object in [policy, binding] {
        t.admin_kubectl_with(&["apply", "-f", "-"], &object.to_string()).await?.ok()?;
    }
    eventually("the policy denies", testbed::PATIENCE, async || {
        let denied = t.kubectl(&PROBE).await?.refused()?;
        ensure!(denied.contains("on a Friday"), "{denied}");
        Ok(())
    })
    .await
}

pub(crate) async fn thaw(t: &Stack) -> Result<()> {
    let name = format!("freeze-{}", t.namespace);
    for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy"] {
        t.admin_kubectl(&["delete", kind, &name]).await?.ok()?;
    }
    eventually("the policy denies no more", testbed::PATIENCE, async || {
        t.kubectl(&PROBE).await?.ok().map(drop)
    })
    .await
}

async fn letter(t: &Stack, name: &str) -> Result<DeadLetter> {
    let dead = t.jetstream().await?.get_stream(DEAD).await?;
    let subject = subject::dead(&t.cluster, &t.namespace, name)?;
    Ok(open(&dead.get_last_raw_message_by_subject(&subject).await?.payload)?)
}

#[tokio::test]
async fn a_change_that_a_policy_refuses_is_given_up_and_rolls_out_once_it_is_replayed() -> Result<()> {
    Stack::options()
        .value("attempts", 2)
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            freeze(t).await?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            let retrying = events::has(t, "web", "ChangeRetrying").await?;
            ensure!(
                retrying.contains("refused 1 of 2 times") && retrying.contains("on a Friday"),
                "{retrying}"
            );
            let dead = t.deployment_that("web", "is dead", |web| web.phase() == Some("dead")).await?;
            ensure!(
                dead.gate() == Some("closed") && t.replica_sets("web").await?.len() == 1,
                "{}",
                dead.summary()
            );
            let change = dead.change().context("it has no change")?.to_owned();
            let note = events::has(t, "web", "ChangeDead").await?;
            ensure!(note.contains("on a Friday") && note.contains(&format!("app {V1} → {V2}")), "{note}");
            let letter = letter(t, "web").await?;
            let given_up = letter.change.context("the letter has no change")?;
            ensure!(given_up.change.as_str() == change && letter.attempts == 2, "{given_up:?}");
            ensure!(letter.error.contains("on a Friday"), "{}", letter.error);

            let listed = ["get", "deployments", "-A", "-l", "roadstead.dev/phase=dead", "-o", "name"];
            ensure!(t.admin_kubectl(&listed).await?.ok()?.contains("deployment.apps/web"));
            let path = r"jsonpath={.metadata.annotations.roadstead\.dev/change}";
            let named = t.kubectl(&["get", "deployment", "web", "-o", path]).await?.ok()?;
            ensure!(named == change, "{named}");

            thaw(t).await?;
            let wrong = t.kubectl(&["annotate", "deployment/web", "roadstead.dev/replay=zzzzzzzzzz"]).await?;
            ensure!(wrong.stderr.contains(&format!("the dead change is {change}")), "{wrong}");
            ensure!(t.deployment("web").await?.phase() == Some("dead"));
            let order = format!("roadstead.dev/replay={change}");
            t.kubectl(&["annotate", "deployment/web", &order, "--overwrite"]).await?.ok()?;
            let done = t.succeeded("web").await?;
            ensure!(done.image() == V2 && done.own("roadstead.dev/replay").is_none(), "{}", done.summary());
            let queued = queue::has_changes(t, 3).await?;
            ensure!((queued[2].change.as_str(), queued[2].attempt) == (&*change, 2), "{queued:?}");
            let phases = queue::phases(t, "web").await?;
            let ends = phases.iter().filter(|phase| [Phase::Dead, Phase::Succeeded].contains(phase));
            ensure!(ends.eq(&[Phase::Succeeded, Phase::Dead, Phase::Succeeded]), "{phases:?}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn after_a_dead_change_a_new_template_and_the_way_back_are_as_ever() -> Result<()> {
    Stack::options()
        .value("attempts", 1)
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            freeze(t).await?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            t.deployment_that("web", "is dead", |web| web.phase() == Some("dead")).await?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            ensure!(t.deployment("web").await?.phase() == Some("dead"), "the same again is the same change");
            thaw(t).await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            let back = t.succeeded("web").await?;
            ensure!(back.image() == V1 && t.replica_sets("web").await?.len() == 1, "{}", back.summary());
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            ensure!(t.succeeded("web").await?.image() == V2);
            Ok(())
        })
        .await
}
