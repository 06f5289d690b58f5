//! Let through between the look of the deployment controller and that of the gate: the ReplicaSet that still says
//! `closed` is denied once, the rollout begins from what the controller sees next, and Kubernetes counts its progress
//! deadline (docs/adr/0021-a-stale-replicaset-is-denied.md).

use anyhow::{Context as _, Result, bail, ensure};
use contract::{Key, key::PHASE_LABEL};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, ReplicaSet};
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use testbed::{DeploymentFixture, DeploymentView as _, Hold, Options, Stack, deployment, eventually};

use crate::{
    V1, V2,
    queue::{said, says},
    races::{asked, is_asked, webhook_reads_web, writes_web},
};

/// How many races of the same Deployment are run one after the other.
const RACES: u32 = 10;
/// How often a race is run that does not meet the gate.
const ATTEMPTS: usize = 5;

fn options() -> Options {
    Stack::options().executor_through_proxy().webhook_through_proxy()
}

/// Lets this change of `web` through while the gate is asked about it; the gate's read is held still.
/// With it, how often the gate had denied before it was asked.
async fn let_through(t: &Stack, web: &DeploymentFixture) -> Result<(Hold, u64)> {
    let release = t.proxy().hold_request(writes_web);
    let denied = said(t, "denied").await?;
    t.apply(web).await?.ok()?;
    release.held().await?;
    says(t, "denied", denied).await?;
    let denied = denials(t).await?;
    let read = asked(t).await?;
    release.release();
    t.deployment_that("web", "is open", |web| web.gate() == Some("open")).await?;
    Ok((read, denied))
}

/// The same, and the gate has answered. Whether it was asked by the attempt whose read is held cannot be told before: an
/// attempt that the controller made by itself a moment earlier is denied as the one before it. `false`: so it was, and the
/// race has to be run again.
async fn race(t: &Stack, web: &DeploymentFixture) -> Result<bool> {
    let (allowed, stale) = (said(t, "allowed").await?, said(t, "stale").await?);
    let (read, others) = let_through(t, web).await?;
    read.release();
    let met = eventually("the gate answers", testbed::PATIENCE, async || {
        let met = said(t, "stale").await? > stale;
        ensure!(met || denials(t).await? > others, "it has not");
        Ok(met)
    })
    .await?;
    ensure!(said(t, "allowed").await? == allowed, "a ReplicaSet was made from an older view");
    Ok(met)
}

/// Runs the race until it meets the gate half-way, each time with another template.
async fn let_through_and_answered(t: &Stack, web: &DeploymentFixture) -> Result<()> {
    let mut racing = web.clone();
    for attempt in 1..=ATTEMPTS {
        if race(t, &racing).await? {
            return Ok(());
        }
        racing = web.clone().env("ATTEMPT", &attempt.to_string());
    }
    bail!("none of {ATTEMPTS} races met the gate half-way")
}

/// How often the gate has denied for another reason.
async fn denials(t: &Stack) -> Result<u64> {
    Ok(said(t, "denied").await? + said(t, "unsure").await?)
}

fn progressing(web: &Deployment) -> Option<&DeploymentCondition> {
    let conditions = web.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_.as_deref() == Some("Progressing"))
}

/// Kubernetes has told of the progress of this rollout, and not only of the one before.
async fn progress_was_counted(t: &Stack, web: &Deployment) -> Result<()> {
    let sets = t.replica_sets("web").await?;
    let image = |set: &&ReplicaSet| {
        let pod = set.spec.template.as_ref().and_then(|template| template.spec.as_ref());
        pod.and_then(|pod| pod.containers[0].image.as_deref()) == Some(web.image())
    };
    let newest = sets.iter().find(image).and_then(|set| set.metadata.name.as_deref());
    let newest = newest.context("the rollout has no ReplicaSet")?;
    let told = progressing(web).and_then(|condition| condition.message.as_deref()).unwrap_or_default();
    ensure!(told.contains(newest), "the condition tells of another ReplicaSet than {newest}: {told}");
    Ok(())
}

#[tokio::test]
async fn released_while_the_gate_is_asked_has_its_progress_counted_each_time() -> Result<()> {
    options()
        .run(async |t| {
            let good = deployment("web").image(V1);
            t.apply(&good).await?.ok()?;
            t.succeeded("web").await?;
            for race in 0..RACES {
                // Pods that become ready would have it counted, however it began.
                let image = format!("registry.test/web:race-{race}");
                let_through_and_answered(t, &deployment("web").image(&image).unschedulable()).await?;
                eventually(&format!("race {race} is counted"), testbed::PATIENCE, async || {
                    progress_was_counted(t, &t.deployment("web").await?).await
                })
                .await?;
                t.apply(&good).await?.ok()?;
                ensure!(t.succeeded("web").await?.image() == V1);
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn released_while_the_gate_is_asked_fails_at_its_progress_deadline() -> Result<()> {
    options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            let broken = deployment("web").image(V2).progress_deadline(2).unschedulable();
            let_through_and_answered(t, &broken).await?;
            let told = t.kubectl(&["rollout", "status", "deployment/web"]).await?;
            ensure!(told.stderr.contains("exceeded its progress deadline"), "{told:?}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn an_old_replica_set_that_grows_again_begins_from_what_the_controller_sees_next() -> Result<()> {
    options()
        .run(async |t| {
            for image in [V1, V2] {
                t.apply(&deployment("web").image(image)).await?.ok()?;
                t.succeeded("web").await?;
            }
            // From the one to the other and back: each has a ReplicaSet already.
            for image in [V1, V2].into_iter().cycle().take(ATTEMPTS) {
                let met = race(t, &deployment("web").image(image)).await?;
                let web = t.succeeded("web").await?;
                let sets = t.replica_sets("web").await?.len();
                ensure!(web.image() == image && sets == 2, "{sets} ReplicaSets: {}", web.summary());
                if met {
                    return progress_was_counted(t, &web).await;
                }
            }
            bail!("none of {ATTEMPTS} races met the gate half-way")
        })
        .await
}

#[tokio::test]
async fn a_first_rollout_that_is_opened_by_hand_while_the_gate_is_asked_begins_whatever_its_strategy()
-> Result<()> {
    Stack::options()
        .webhook_through_proxy()
        .without_executor()
        .run(async |t| {
            let executor = format!("{}-executor", t.fullname);
            let by_hand = t.service_account_client(&t.release, &executor).await?;
            let by_hand = Api::<Deployment>::namespaced(by_hand, &t.namespace);
            // As docs/break-glass.md does it.
            let open = Patch::Merge(json!({ "metadata": {
                "labels": { PHASE_LABEL: null }, "annotations": { Key::Gate.name(): "open" },
            } }));
            for web in [deployment("web"), deployment("web").recreate()] {
                let stale = said(t, "stale").await?;
                let read = t.proxy().hold_request(webhook_reads_web);
                t.apply(&web.image(V1)).await?.ok()?;
                is_asked(t).await?;
                by_hand.patch("web", &PatchParams::default(), &open).await?;
                read.release();
                says(t, "stale", stale).await?;
                progress_was_counted(t, &t.rolled_out("web").await?).await?;
                t.kubectl(&["delete", "deployment/web", "--cascade=foreground"]).await?.ok()?;
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn paused_by_its_user_as_well_it_waits_for_the_user_and_no_longer() -> Result<()> {
    options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            let stale = said(t, "stale").await?;
            let (read, _) = let_through(t, &deployment("web").image(V2)).await?;
            t.patch("web", json!({ "spec": { "paused": true } })).await?;
            read.release();
            says(t, "stale", stale).await?;
            let paused = |web: &Deployment| {
                progressing(web).is_some_and(|now| now.reason.as_deref() == Some("DeploymentPaused"))
            };
            t.deployment_that("web", "is seen as paused", paused).await?;
            ensure!(t.replica_sets("web").await?.len() == 1, "a paused Deployment rolls out");
            t.patch("web", json!({ "spec": { "paused": false } })).await?;
            ensure!(t.succeeded("web").await?.image() == V2);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_controller_that_stops_or_dies_right_then_goes_on_by_itself() -> Result<()> {
    options()
        .own_control_plane()
        .run(async |t| {
            let controllers = &t.control_plane.controllers;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            let stale = said(t, "stale").await?;
            let (read, _) = let_through(t, &deployment("web").image(V2)).await?;
            controllers.freeze()?;
            read.release();
            says(t, "stale", stale).await?;
            // It finds the denial and the release at once.
            controllers.thaw()?;
            let web = t.succeeded("web").await?;
            ensure!(web.image() == V2, "{}", web.summary());
            progress_was_counted(t, &web).await?;
            let_through_and_answered(t, &deployment("web").image(V1)).await?;
            controllers.restart().await?;
            // Whether its progress is counted is not ours to say: a controller that dies before it wrote the status, and
            // then finds the ReplicaSet there, leaves the condition of the rollout before.
            let web = t.succeeded("web").await?;
            ensure!(web.image() == V1, "{}", web.summary());
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_closed_replica_set_adopted_by_what_nobody_held_grows() -> Result<()> {
    Stack::options()
        .value("webhook.failurePolicy", "Ignore")
        .run(async |t| {
            for image in [V1, V2] {
                t.apply(&deployment("web").image(image)).await?.ok()?;
                t.succeeded("web").await?;
            }
            t.executor.freeze()?;
            let denied = said(t, "denied").await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            says(t, "denied", denied).await?;
            t.kubectl(&["delete", "deployment/web", "--cascade=orphan"]).await?.ok()?;
            t.webhook.kill()?;
            // Nobody holds it, so nobody will open it; its ReplicaSet says closed for ever.
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            ensure!(t.deployment("web").await?.gate().is_none(), "it was held");
            t.webhook.start().await?;
            let web = t.rolled_out("web").await?;
            ensure!(web.image() == V1, "{}", web.summary());
            let sets = t.replica_sets("web").await?;
            let closed = |set: &ReplicaSet| {
                let annotations = set.metadata.annotations.as_ref();
                annotations.and_then(|all| all.get("roadstead.dev/gate")).is_some_and(|gate| gate == "closed")
            };
            ensure!(sets.iter().filter(|set| closed(set)).count() == 1, "no ReplicaSet says closed any more");
            Ok(())
        })
        .await
}
