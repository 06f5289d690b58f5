//! Policies when a change is submitted: what they refuse, what they warn of, what they only record; and what people say of
//! a change that waits. As kubectl and Helm show it.

use std::fs;

use anyhow::{Result, ensure};
use contract::{Approvals, Key, Lane, key};
use serde_json::{Value, json};
use testbed::{DeploymentView as _, Options, Output, Stack, deployment, eventually};

use crate::{V1, V2, queue};

/// As on clusters where nobody has taken the urgent lane or the approvals from anybody.
fn options() -> Options {
    Stack::options()
}

/// Applies a policy of the test's namespace as administrator.
async fn apply(t: &Stack, name: &str, spec: Value) -> Result<Output> {
    let policy = json!({
        "apiVersion": "roadstead.dev/v1alpha1", "kind": "ReleasePolicy",
        "metadata": { "name": name, "namespace": t.namespace }, "spec": spec,
    });
    t.admin_kubectl_with(&["apply", "-f", "-"], &policy.to_string()).await
}

/// A rule that no image may have the tag of the second version.
fn no_second_version(action: &str) -> Value {
    json!([{
        "name": "no-second", "action": action, "message": "version 2 is withdrawn",
        "expression": "object.spec.template.spec.containers.all(c, !c.image.endsWith(':2'))",
    }])
}

/// Tries a second version as a dry run until its client is told so: a policy reaches the webhook a moment after it is
/// written.
async fn in_force(t: &Stack, name: &str, says: &str) -> Result<Output> {
    let yaml = deployment(name).image(V2).yaml();
    eventually("the policy is in force", testbed::PATIENCE, async || {
        let tried = t.kubectl_with(&["apply", "--dry-run=server", "-f", "-"], &yaml).await?;
        ensure!(tried.stderr.contains(says), "{tried}");
        Ok(tried)
    })
    .await
}

const DENIED: &str = "denied this change: rule no-second: version 2 is withdrawn";

#[tokio::test]
async fn what_a_policy_refuses_is_denied_to_kubectl_to_helm_and_in_a_dry_run() -> Result<()> {
    options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            let before = t.succeeded("web").await?;
            apply(t, "web", json!({ "validations": no_second_version("Deny") })).await?.ok()?;
            let says = format!("ReleasePolicy {}/web {DENIED}", t.namespace);
            in_force(t, "web", &says).await?.refused()?;
            let told = t.apply(&deployment("web").image(V2)).await?.refused()?;
            ensure!(told.contains(&says), "{told}");
            let told =
                t.kubectl(&["set", "image", "deployment/web", &format!("app={V2}")]).await?.refused()?;
            ensure!(told.contains(&says), "{told}");
            ensure!(t.deployment("web").await?.metadata.generation == before.metadata.generation);

            let chart = t.folder.join("denied-chart");
            fs::create_dir_all(chart.join("templates"))?;
            fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: other\nversion: 1.0.0\n")?;
            fs::write(chart.join("templates/deployment.yaml"), deployment("other").image(V2).yaml())?;
            let chart = chart.to_str().unwrap();
            for helm in
                [t.helm3(&["install", "three", chart]).await?, t.helm4(&["install", "four", chart]).await?]
            {
                let told = helm.refused()?;
                ensure!(told.contains(&says), "{told}");
            }
            // What is no change is not validated: it scales, and goes back.
            t.kubectl(&["scale", "deployment/web", "--replicas=2"]).await?.ok()?;
            t.rolled_out("web").await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_warning_is_shown_and_a_policy_that_observes_only_counts_and_tells_the_audit_log() -> Result<()> {
    options()
        .audit_log()
        .run(async |t| {
            apply(t, "warns", json!({ "validations": no_second_version("Warn") })).await?.ok()?;
            in_force(t, "web", "/warns: rule no-second: version 2 is withdrawn").await?.ok()?;
            let observing = json!({ "mode": "Observe", "validations": no_second_version("Deny") });
            apply(t, "observes", observing).await?.ok()?;
            let labels = [r#"action="deny""#, r#"mode="observe""#];
            let counted = async || t.webhook.metric_where("roadstead_policy_findings_total", &labels).await;
            let yaml = deployment("web").image(V2).yaml();
            eventually("the policy observes", testbed::PATIENCE, async || {
                let tried = t.kubectl_with(&["apply", "--dry-run=server", "-f", "-"], &yaml).await?;
                ensure!(!tried.stderr.contains("observes"), "{tried}");
                tried.ok()?;
                ensure!(counted().await? > 0.0, "nothing is counted");
                Ok(())
            })
            .await?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            t.succeeded("web").await?;
            let says = format!("ReleasePolicy {}/observes would have denied: rule no-second", t.namespace);
            eventually("the audit log says so", testbed::PATIENCE, async || {
                let told = t.control_plane.audit().iter().any(|event| {
                    let said = event["annotations"]["hold.roadstead.dev/policy-findings"].as_str();
                    said.is_some_and(|said| said.contains(&says))
                });
                ensure!(told, "no event has {says}");
                Ok(())
            })
            .await
        })
        .await
}

#[tokio::test]
async fn a_policy_that_cannot_be_obeyed_is_refused_with_the_field_and_the_reason() -> Result<()> {
    options()
        .without_executor()
        .run(async |t| {
            let window = |schedule: &str, duration: &str, zone: &str| {
                json!({ "windows": [{
                    "name": "w", "kind": "Allow", "schedule": schedule, "duration": duration, "timeZone": zone,
                }] })
            };
            let rule = |expression: &str| json!({ "validations": [{ "name": "r", "expression": expression }] });
            let expressions = json!([{ "key": "a", "operator": "Like", "values": ["b"] }]);
            for (spec, field) in [
                (rule("object.spec.replicas >"), "spec.validations[0].expression"),
                (rule("1 + 1"), "spec.validations[0].expression"),
                (window("61 * * * *", "8h", "UTC"), "spec.windows[0].schedule"),
                (window("0 9 * * *", "8 hours", "UTC"), "spec.windows[0].duration"),
                (window("0 9 * * *", "8h", "Europe/Atlantis"), "spec.windows[0].timeZone"),
                (json!({ "soak": "soon" }), "spec.soak"),
                (json!({ "selector": { "matchExpressions": expressions } }), "spec.selector"),
            ] {
                let told = apply(t, "bad", spec).await?.refused()?;
                ensure!(told.contains("is invalid") && told.contains(field), "{field}: {told}");
            }
            apply(t, "good", window("0 9 * * 1-5", "8h", "Europe/Berlin")).await?.ok()?;
            let said = t.webhook.metric_where("roadstead_reviews_total", &[r#"webhook="policies""#]).await?;
            ensure!(said > 0.0, "nobody has asked the webhook");
            Ok(())
        })
        .await
}

/// kubectl as somebody who may do everything.
async fn as_user(t: &Stack, user: &str, what: &[&str]) -> Result<Output> {
    let user = format!("--as={user}");
    t.admin_kubectl(&[&[&user, "--as-group=system:masters", "-n", &t.namespace][..], what].concat()).await
}

fn approvers(web: &impl testbed::DeploymentView) -> Vec<String> {
    Approvals::read(web.own(Key::Approvals.name())).0.into_iter().map(|approval| approval.by).collect()
}

#[tokio::test]
async fn approvals_are_recorded_their_order_is_taken_off_and_nobody_approves_his_own_change() -> Result<()> {
    options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            t.executor.freeze()?;
            as_user(t, "jane", &["set", "image", "deployment/web", &format!("app={V2}")]).await?.ok()?;
            let held = t.held("web").await?;
            let change = held.change().unwrap_or_default();
            let approve = format!("{}={change}", key::APPROVE);
            let told = as_user(t, "jane", &["annotate", "deployment/web", &approve]).await?.refused()?;
            ensure!(told.contains("was requested by jane"), "{told}");
            // Each writes it as if nobody had: no --overwrite.
            for (user, all) in [("ann", &["ann"][..]), ("bob", &["ann", "bob"])] {
                let told = as_user(t, user, &["annotate", "deployment/web", &approve]).await?;
                ensure!(told.stderr.contains("is approved by you"), "{told}");
                let web = t.deployment("web").await?;
                ensure!(approvers(&web) == all, "{}", web.summary());
                ensure!(web.own(key::APPROVE).is_none() && web.phase() == Some("held"), "{}", web.summary());
            }
            let other = format!("{}=zzzzzzzzzz", key::APPROVE);
            let told = as_user(t, "eve", &["annotate", "deployment/web", &other]).await?;
            ensure!(told.stderr.contains("nothing is approved") && told.success(), "{told}");
            let forged = format!(r#"{}=[{{"by":"dan","change":"{change}"}}]"#, Key::Approvals.name());
            as_user(t, "eve", &["annotate", "--overwrite", "deployment/web", &forged]).await?.ok()?;
            let none = format!("{}-", Key::Approvals.name());
            as_user(t, "eve", &["annotate", "deployment/web", &none]).await?.ok()?;
            let web = t.deployment("web").await?;
            ensure!(
                approvers(&web) == ["ann", "bob"] && web.own(key::APPROVE).is_none(),
                "{}",
                web.summary()
            );
            // The executor, which dates approvals, would do so now; here a new change ends them.
            as_user(t, "jane", &["set", "image", "deployment/web", &format!("app={}", crate::V3)])
                .await?
                .ok()?;
            let web = t.held("web").await?;
            ensure!(approvers(&web).is_empty() && web.change() != Some(change), "{}", web.summary());
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_release_order_needs_a_reason_and_stands_with_it_until_the_change_ends() -> Result<()> {
    options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            t.executor.freeze()?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            let held = t.held("web").await?;
            let change = held.change().unwrap_or_default();
            let order = |reason: &str| format!("{}={change}{reason}", key::RELEASE);
            let told = as_user(t, "ann", &["annotate", "deployment/web", &order("")]).await?.refused()?;
            ensure!(told.contains("the reason is missing"), "{told}");
            as_user(t, "ann", &["annotate", "deployment/web", &order(" payments are down")]).await?.ok()?;
            let web = t.deployment("web").await?;
            let recorded = web.own(Key::Override.name()).unwrap_or_default();
            ensure!(recorded.contains("ann") && recorded.contains("payments are down"), "{}", web.summary());
            ensure!(web.own(key::RELEASE).is_none(), "{}", web.summary());
            Ok(())
        })
        .await
}

#[tokio::test]
async fn the_lane_of_a_policy_is_that_of_a_change_whose_deployment_asks_for_none() -> Result<()> {
    options()
        .run(async |t| {
            apply(t, "slow", json!({ "lane": "bulk" })).await?.ok()?;
            eventually("the policy is in force", testbed::PATIENCE, async || {
                let yaml = deployment("web").image(V1).yaml();
                let tried = t
                    .kubectl_with(&["apply", "--dry-run=server", "-o=json", "-f", "-"], &yaml)
                    .await?
                    .ok()?;
                ensure!(tried.contains(Key::DefaultLane.name()), "{tried}");
                Ok(())
            })
            .await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.apply(&deployment("other").image(V1).lane("normal")).await?.ok()?;
            let changes = queue::has_changes(t, 2).await?;
            let lane =
                |name: &str| changes.iter().find(|change| change.name == name).map(|change| change.lane);
            ensure!(lane("web") == Some(Lane::Bulk) && lane("other") == Some(Lane::Normal), "{changes:?}");
            t.succeeded("web").await?;
            t.succeeded("other").await?;
            Ok(())
        })
        .await
}
