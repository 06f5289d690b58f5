//! What policies ask for after the release: a rollout that has to stay complete for a while, and checks.

use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, ensure};
use axum::{Router, extract::RawQuery, routing::get};
use contract::{ChangeProgress, envelope::open, stream::EVENTS};
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        batch::v1::{CronJob, Job},
    },
    jiff::Timestamp,
};
use kube::{
    ResourceExt as _,
    api::{ListParams, PostParams},
};
use policy::resource::{PolicyStatus, ReleasePolicy};
use serde_json::{Value, json};
use testbed::{DeploymentView as _, Stack, deployment, eventually};

use crate::{V1, V2, events, queue};

/// Makes a policy, or edits it, and waits until the executors know it.
pub(crate) async fn policy(t: &Stack, name: &str, spec: Value) -> Result<()> {
    let object = json!({
        "apiVersion": "roadstead.dev/v1alpha1", "kind": "ReleasePolicy",
        "metadata": { "name": name, "namespace": t.namespace }, "spec": spec,
    });
    t.admin_kubectl_with(&["apply", "-f", "-"], &object.to_string()).await?.ok()?;
    let generation = t.api::<ReleasePolicy>().get(name).await?.metadata.generation;
    status_that(t, name, "is known", |status| status.observed_generation == generation).await?;
    Ok(())
}

/// Waits until the status of a policy is as `is` says.
pub(crate) async fn status_that(
    t: &Stack,
    name: &str,
    what: &str,
    is: impl Fn(&PolicyStatus) -> bool,
) -> Result<PolicyStatus> {
    eventually(&format!("policy {name} {what}"), testbed::PATIENCE, async || {
        let status = t.api::<ReleasePolicy>().get(name).await?.status.unwrap_or_default();
        ensure!(is(&status), "{status:?}");
        Ok(status)
    })
    .await
}

/// Since when a rollout is complete, as the deployment controller says.
fn complete_since(web: &Deployment) -> Result<Timestamp> {
    let conditions = web.status.as_ref().and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    let progressing = conditions.find(|condition| condition.type_.as_deref() == Some("Progressing"));
    let updated = progressing.and_then(|condition| condition.last_update_time.as_ref());
    Ok(updated.context("it has no condition Progressing")?.0)
}

/// Every word about how far a rollout is.
async fn progress(t: &Stack, name: &str) -> Result<Vec<ChangeProgress>> {
    let subject = contract::subject::progress(&t.cluster, &t.namespace, name)?;
    let stream = t.jetstream().await?.get_stream(EVENTS).await?;
    let (mut next, mut told) = (1, Vec::new());
    while let Ok(raw) = stream.raw_message_builder().sequence(next).next_by_subject(&subject).send().await {
        told.push(open(&raw.payload)?);
        next = raw.sequence + 1;
    }
    Ok(told)
}

#[tokio::test]
async fn a_complete_rollout_succeeds_when_it_has_stayed_so_also_if_the_executor_dies_meanwhile() -> Result<()>
{
    Stack::options()
        .run(async |t| {
            policy(t, "calm", json!({ "soak": "20s" })).await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            let web = t.rolled_out("web").await?;
            let since = complete_since(&web)?;
            let told = eventually("it is told that it soaks", testbed::PATIENCE, async || {
                let told = progress(t, "web").await?;
                told.into_iter().find_map(|told| told.soaking_until).context("nothing of a soak")
            })
            .await?;
            let until: Timestamp = told.parse()?;
            ensure!((20..=22).contains(&(until.as_second() - since.as_second())), "{told} for {since}");
            status_that(t, "calm", "counts it", |status| status.in_flight == Some(1)).await?;
            // Near the end of the soak; one that began anew would take twice as long.
            eventually("most of the soak is over", testbed::PATIENCE, async || {
                let soaked = Timestamp::now().as_second() - since.as_second();
                ensure!(soaked >= 12, "{soaked} s");
                Ok(())
            })
            .await?;
            let web = t.deployment("web").await?;
            ensure!(web.phase() == Some("released"), "{}", web.summary());
            t.executor.kill()?;
            t.executor.start().await?;
            let web = t.succeeded("web").await?;
            let took = Timestamp::now().as_second() - since.as_second();
            ensure!((20..32).contains(&took), "it took {took} s: {}", web.summary());
            let note = events::has(t, "web", "ChangeSucceeded").await?;
            ensure!(note.contains("stayed complete for 20s"), "{note}");
            status_that(t, "calm", "counts it no more", |status| status.in_flight == Some(0)).await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn pods_that_fall_begin_the_soak_anew() -> Result<()> {
    Stack::options()
        .run(async |t| {
            policy(t, "calm", json!({ "soak": "15s" })).await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            let since = complete_since(&t.rolled_out("web").await?)?;
            eventually("a part of the soak is over", testbed::PATIENCE, async || {
                let soaked = Timestamp::now().as_second() - since.as_second();
                ensure!(soaked >= 5, "{soaked} s");
                Ok(())
            })
            .await?;
            t.kubectl(&["delete", "pods", "-l", "app=web", "--wait=false"]).await?.ok()?;
            let fell = Timestamp::now().as_second();
            t.succeeded("web").await?;
            let took = Timestamp::now().as_second() - fell;
            ensure!(took >= 14, "it succeeded {took} s after its pod had fallen");
            Ok(())
        })
        .await
}

/// What answers as Prometheus does.
struct Prometheus {
    url: String,
    value: Arc<Mutex<&'static str>>,
    queries: Arc<Mutex<Vec<String>>>,
}

impl Prometheus {
    /// <https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries>
    async fn start(value: &'static str) -> Result<Self> {
        let (value, queries) = (Arc::new(Mutex::new(value)), Arc::new(Mutex::new(Vec::new())));
        let (values, asked) = (Arc::clone(&value), Arc::clone(&queries));
        let answer = async move |RawQuery(query): RawQuery| {
            let query = query.unwrap_or_default();
            let query = query.split('&').find_map(|pair| pair.strip_prefix("query=")).unwrap_or_default();
            let query = percent_encoding::percent_decode_str(query).decode_utf8_lossy().into_owned();
            asked.lock().unwrap().push(query);
            let sample = json!({ "metric": { "job": "web" }, "value": [1.5, *values.lock().unwrap()] });
            let data = json!({ "resultType": "vector", "result": [sample] });
            json!({ "status": "success", "data": data }).to_string()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().route("/api/v1/query", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, value, queries })
    }
}

fn asks(query: &str, timeout: &str) -> Value {
    json!([{
        "name": "errors", "promql": { "endpoint": "main", "query": query }, "timeout": timeout,
    }])
}

#[tokio::test]
async fn a_query_decides_whether_a_rollout_succeeds_and_one_that_fails_brings_the_last_good_back()
-> Result<()> {
    let prometheus = Prometheus::start("0").await?;
    Stack::options()
        .executor_env("ROADSTEAD_PROMETHEUS", &format!("main={}", prometheus.url))
        .run(async |t| {
            let query = r#"up{namespace="$namespace", app="$deployment"} == bool 1"#;
            let spec = |timeout| json!({ "checks": asks(query, timeout), "onFailure": "Rollback" });
            policy(t, "proven", spec("10m")).await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            eventually("it is asked again", testbed::PATIENCE, async || {
                let queries = prometheus.queries.lock().unwrap().clone();
                ensure!(queries.len() > 1, "{queries:?}");
                let wanted = query.replace("$namespace", &t.namespace).replace("$deployment", "web");
                ensure!(queries.iter().all(|query| *query == wanted), "{queries:?}");
                Ok(())
            })
            .await?;
            let web = t.rolled_out("web").await?;
            ensure!(web.phase() == Some("released"), "{}", web.summary());
            let told = progress(t, "web").await?;
            ensure!(told.iter().any(|told| told.checking == ["errors"]), "{told:?}");
            *prometheus.value.lock().unwrap() = "1";
            t.succeeded("web").await?;

            *prometheus.value.lock().unwrap() = "0";
            policy(t, "proven", spec("1s")).await?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            let back = |web: &Deployment| web.image() == V1 && web.phase().is_none();
            let released = |web: &Deployment| web.image() == V2 && web.phase() == Some("released");
            t.deployment_that("web", "is released", released).await?;
            t.deployment_that("web", "is rolled back", back).await?;
            let note = events::has(t, "web", "ChangeFailed").await?;
            ensure!(note.contains("check errors of ReleasePolicy") && note.contains("are 0"), "{note}");
            let failed = t.executor.metric_where("roadstead_checks_total", &["result=\"failed\""]).await?;
            ensure!((failed - 1.0).abs() < 0.1, "{failed} checks failed");
            Ok(())
        })
        .await
}

/// A CronJob that never runs by itself.
async fn smoke(t: &Stack) -> Result<()> {
    let container = json!({ "name": "smoke", "image": V1 });
    let pod = json!({ "spec": { "restartPolicy": "Never", "containers": [container] } });
    let template = json!({ "metadata": { "labels": { "team": "a" } }, "spec": { "template": pod } });
    let cron = json!({
        "metadata": { "name": "smoke" },
        "spec": { "schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": template },
    });
    t.api::<CronJob>().create(&PostParams::default(), &serde_json::from_value(cron)?).await?;
    Ok(())
}

#[tokio::test]
async fn one_job_of_two_executors_decides_and_goes_with_its_deployment() -> Result<()> {
    Stack::options()
        .executors(2)
        .run(async |t| {
            smoke(t).await?;
            policy(t, "proven", json!({ "checks": [{ "name": "smoke", "job": { "cronJob": "smoke" } }] }))
                .await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            let web = t.succeeded("web").await?;
            let jobs = t.api::<Job>().list(&ListParams::default()).await?.items;
            ensure!(jobs.len() == 1, "{} Jobs", jobs.len());
            let job = &jobs[0];
            ensure!(job.owner_references()[0].uid == web.metadata.uid.clone().unwrap_or_default(), "{job:?}");
            ensure!(job.labels()["team"] == "a" && job.name_any().starts_with("web-"), "{job:?}");
            let complete = job.status.as_ref().and_then(|status| status.succeeded);
            ensure!(complete == Some(1), "it succeeded before its Job: {:?}", job.status);
            // A second change has a Job of its own.
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            t.deployment_that("web", "has succeeded", |web| web.image() == V2 && web.phase().is_none())
                .await?;
            ensure!(t.api::<Job>().list(&ListParams::default()).await?.items.len() == 2);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_check_without_its_cron_job_fails_with_words_and_the_next_change_goes() -> Result<()> {
    Stack::options()
        .run(async |t| {
            policy(t, "proven", json!({ "checks": [{ "name": "smoke", "job": { "cronJob": "smoke" } }] }))
                .await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.deployment_that("web", "has failed", |web| web.phase() == Some("failed")).await?;
            let note = events::has(t, "web", "ChangeFailed").await?;
            ensure!(note.contains("there is no CronJob smoke in namespace"), "{note}");
            smoke(t).await?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            t.succeeded("web").await?;
            let phases = queue::phases(t, "web").await?;
            ensure!(phases.len() == 6, "{phases:?}");
            Ok(())
        })
        .await
}
