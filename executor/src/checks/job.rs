//! A check that is a Job, made from a CronJob's template as `kubectl create job --from` does. Its name follows from the
//! change and the check, so that however many executors look, one Job runs; and what it came to stands in its conditions.

use std::time::Duration;

use k8s_openapi::{
    api::batch::v1::{CronJob, Job, JobSpec},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{Api, Client, ResourceExt as _, api::PostParams};
use policy::resource::JobCheck;
use sha2::{Digest as _, Sha256};

use super::{Asked, Standing};
use crate::{deployments::within, error::Failure, live::Live};

/// Label with the change that a Job checks.
const CHANGE: &str = "roadstead.dev/checks-change";

/// As `kubectl create job --from` says it.
/// <https://github.com/kubernetes/kubectl/blob/v0.37.2/pkg/cmd/create/create_job.go>
const INSTANTIATE: (&str, &str) = ("cronjob.kubernetes.io/instantiate", "manual");

/// Longest name of a Job: its pods' names are longer.
const NAME: usize = 63;

/// How long a Job stays at least after its end, in seconds: what is gone before it was looked at would run again.
const STAYS: i32 = 3_600;

/// Looks how the Job stands; where there is none yet it is made.
pub(super) async fn look(
    client: &Client,
    live: &Live,
    asked: &Asked,
    check: &JobCheck,
    timeout: Duration,
) -> Standing {
    match job(client, live, asked, check, timeout).await {
        Ok(Ok(job)) => standing(&job, live),
        Ok(Err(standing)) => standing,
        Err(failure) => Standing::NotYet(failure.text()),
    }
}

async fn job(
    client: &Client,
    live: &Live,
    asked: &Asked,
    check: &JobCheck,
    timeout: Duration,
) -> Result<Result<Job, Standing>, Failure> {
    let jobs: Api<Job> = Api::namespaced(client.clone(), &live.namespace);
    let name = name(live, asked);
    if let Some(job) = within(jobs.get_opt(&name)).await? {
        return Ok(Ok(job));
    }
    let crons: Api<CronJob> = Api::namespaced(client.clone(), &live.namespace);
    let Some(cron) = within(crons.get_opt(&check.cron_job)).await? else {
        let (namespace, cron) = (&live.namespace, &check.cron_job);
        return Ok(Err(Standing::Failed(format!(
            "there is no CronJob {cron} in namespace {namespace} to make a Job from"
        ))));
    };
    let job = made(name, live, cron, timeout);
    match within(jobs.create(&PostParams::default(), &job)).await {
        Ok(job) => Ok(Ok(job)),
        Err(Failure::Api(kube::Error::Api(status))) if status.code == 409 => {
            Ok(Err(Standing::NotYet("another executor makes the Job".to_owned())))
        }
        Err(Failure::Api(kube::Error::Api(status))) if status.code == 422 => {
            Ok(Err(Standing::Failed(format!("the Job is not valid: {}", status.message))))
        }
        Err(failure) => Err(failure),
    }
}

/// The Job's name: one for each check of each attempt of a change.
fn name(live: &Live, asked: &Asked) -> String {
    let change = live.state.change.as_ref().map(ToString::to_string).unwrap_or_default();
    let (uid, attempt) = (&live.uid, live.state.attempt());
    let what = format!("{uid}.{change}.{attempt}.{}.{}", asked.policy, asked.check.name);
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(what)[..5]);
    let room = NAME - hash.len() - 1;
    let deployment = &live.name[..live.name.floor_char_boundary(room)];
    format!("{}-{hash}", deployment.trim_end_matches(['.', '-']))
}

/// The Job as it is made. It ends in time by itself, and goes with the Deployment.
fn made(name: String, live: &Live, cron: CronJob, timeout: Duration) -> Job {
    let template = cron.spec.job_template;
    let metadata = template.metadata.unwrap_or_default();
    let mut labels = metadata.labels.unwrap_or_default();
    if let Some(change) = &live.state.change {
        labels.insert(CHANGE.to_owned(), change.to_string());
    }
    let mut annotations = metadata.annotations.unwrap_or_default();
    annotations.insert(INSTANTIATE.0.to_owned(), INSTANTIATE.1.to_owned());
    let spec = template.spec.unwrap_or_default();
    let seconds = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX);
    Job {
        metadata: ObjectMeta {
            name: Some(name),
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: Some(vec![owner(live)]),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            ttl_seconds_after_finished: Some(spec.ttl_seconds_after_finished.unwrap_or(STAYS).max(STAYS)),
            active_deadline_seconds: Some(spec.active_deadline_seconds.unwrap_or(seconds).min(seconds)),
            ..spec
        }),
        status: None,
    }
}

fn owner(live: &Live) -> OwnerReference {
    OwnerReference {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        name: live.name.clone(),
        uid: live.uid.clone(),
        ..OwnerReference::default()
    }
}

/// What a Job has come to. One that somebody else made under its name says nothing.
fn standing(job: &Job, live: &Live) -> Standing {
    let name = job.name_any();
    let change = live.state.change.as_ref().map(ToString::to_string);
    let ours = job.owner_references().iter().any(|owner| owner.uid == live.uid)
        && job.labels().get(CHANGE) == change.as_ref();
    if !ours {
        return Standing::Failed(format!("Job {name} is there, but was not made for this change; delete it"));
    }
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    let is = |kind: &str| {
        let of_kind = |condition: &&k8s_openapi::api::batch::v1::JobCondition| {
            condition.type_ == kind && condition.status == "True"
        };
        conditions.into_iter().flatten().find(of_kind)
    };
    if is("Complete").is_some() {
        return Standing::Passed;
    }
    match is("Failed") {
        Some(failed) => {
            let said = [failed.reason.as_deref(), failed.message.as_deref()];
            let said: Vec<_> = said.into_iter().flatten().filter(|text| !text.is_empty()).collect();
            Standing::Failed(format!("Job {name} failed: {}", said.join(": ")))
        }
        None => Standing::NotYet(format!("Job {name} has not ended")),
    }
}

#[cfg(test)]
mod tests {
    use contract::{PolicyKind, PolicyRef};
    use policy::resource::Check;
    use serde_json::{Value, json};

    use super::*;
    use crate::live::tests::live;

    fn asked(policy: &str, check: &str) -> Asked {
        let policy = PolicyRef {
            kind: PolicyKind::ReleasePolicy,
            namespace: Some("shop".into()),
            name: policy.into(),
        };
        Asked { policy, check: Check { name: check.into(), ..Check::default() } }
    }

    fn cron(job: &Value) -> CronJob {
        let mut cron = json!({"spec": {"schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": {
            "metadata": {"labels": {"team": "a"}},
            "spec": {"backoffLimit": 0, "template": {"spec": {"containers": [{"name": "smoke"}]}}},
        }}});
        json_patch::merge(&mut cron["spec"]["jobTemplate"]["spec"], job);
        serde_json::from_value(cron).unwrap()
    }

    fn ended(condition: &Value) -> Standing {
        let live = live(&json!({}));
        let mut job = made("web-1".into(), &live, cron(&json!({})), Duration::from_mins(1));
        job.status = Some(serde_json::from_value(json!({"conditions": [condition]})).unwrap());
        standing(&job, &live)
    }

    #[test]
    fn its_name_is_its_own_and_fits() {
        let one = name(&live(&json!({})), &asked("a", "smoke"));
        assert!(one.starts_with("web-") && one.len() < NAME, "{one}");
        let long = live(&json!({"metadata": {"name": format!("{}.x", "a".repeat(51))}}));
        let long = name(&long, &asked("a", "smoke"));
        assert!(long.len() <= NAME && !long.contains('.'), "{long}");
        let other = live(&json!({"metadata": {"annotations": {"roadstead.dev/change": "bbbbbbbbbb"}}}));
        let again = live(&json!({"metadata": {"annotations": {"roadstead.dev/attempt": "2"}}}));
        for name in [
            name(&live(&json!({})), &asked("b", "smoke")),
            name(&live(&json!({})), &asked("a", "load")),
            name(&other, &asked("a", "smoke")),
            name(&again, &asked("a", "smoke")),
        ] {
            assert_ne!(name, one);
        }
    }

    #[test]
    fn it_is_as_its_template_says_ends_in_time_and_stays_until_it_was_looked_at() {
        for (what, template, ttl, deadline) in [
            ("nothing said", json!({}), 3_600, 60),
            (
                "longer and shorter",
                json!({"ttlSecondsAfterFinished": 9_000, "activeDeadlineSeconds": 9}),
                9_000,
                9,
            ),
            (
                "gone at once, and never",
                json!({"ttlSecondsAfterFinished": 0, "activeDeadlineSeconds": 999}),
                3_600,
                60,
            ),
        ] {
            let job = made("web-1".into(), &live(&json!({})), cron(&template), Duration::from_mins(1));
            let spec = job.spec.clone().unwrap();
            assert_eq!(spec.ttl_seconds_after_finished, Some(ttl), "{what}");
            assert_eq!(spec.active_deadline_seconds, Some(deadline), "{what}");
            assert_eq!(spec.backoff_limit, Some(0));
            assert_eq!(job.labels()["team"], "a");
            assert_eq!(job.annotations()[INSTANTIATE.0], INSTANTIATE.1);
            assert_eq!(job.owner_references()[0].uid, "u-1");
        }
    }

    #[test]
    fn what_it_came_to_stands_in_its_conditions() {
        let failed = json!({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "it has failed"});
        assert_eq!(ended(&json!({"type": "Complete", "status": "True"})), Standing::Passed);
        assert_eq!(
            ended(&failed),
            Standing::Failed("Job web-1 failed: BackoffLimitExceeded: it has failed".into())
        );
        for still in [
            json!({"type": "Complete", "status": "False"}),
            json!({"type": "Suspended", "status": "True"}),
            json!({"type": "SuccessCriteriaMet", "status": "True"}),
        ] {
            assert_eq!(ended(&still), Standing::NotYet("Job web-1 has not ended".into()), "{still}");
        }
    }

    #[test]
    fn a_job_that_somebody_else_made_says_nothing() {
        let live = live(&json!({}));
        let mut job = made("web-1".into(), &live, cron(&json!({})), Duration::from_mins(1));
        job.status = Some(
            serde_json::from_value(json!({"conditions": [{"type": "Complete", "status": "True"}]})).unwrap(),
        );
        assert_eq!(standing(&job, &live), Standing::Passed);
        job.metadata.owner_references = None;
        assert!(matches!(standing(&job, &live), Standing::Failed(_)));
    }
}
