//! `kubectl roadstead resume`: the pause of `pause` ends, or the queue of a policy goes on that a failure has paused.

use contract::ChangeId;
use kube::{
    ResourceExt as _,
    api::{DynamicObject, ListParams, Patch},
};
use policy::resource::Paused;
use serde_json::json;

use super::{
    PAUSE, args,
    scope::{Kind, Scope},
    thaw,
};
use crate::{
    failure::Failure,
    read::pages,
    screen::Screen,
    steer::{
        args::DryRun,
        desk::Desk,
        done::{Done, Report},
    },
    trouble::within,
};

/// How often a policy is read again where its status is written at the same time.
const ROUNDS: usize = 8;

/// Resumes.
///
/// # Errors
/// When nothing is paused, or the user may not.
pub async fn run(args: &args::Resume, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::open(&args.manner).await?;
    let scope = Scope::of(args.cluster);
    let several = args.policies.len().max(1);
    if args.change.is_some() && several > 1 {
        return Err(Failure::Usage("--change is of one policy: name one, or leave it away".to_owned()));
    }
    let mut report = Report::new(screen, args.manner.output, args.manner.dry_run, several);
    if args.policies.is_empty() {
        let ended = match thaw::end(&desk, scope, PAUSE).await {
            Err(Failure::NotFound(_)) => Err(nothing(&desk, scope).await?),
            ended => ended,
        };
        report.settle(ended, &desk.warnings.take())?;
        return report.end();
    }
    for name in &args.policies {
        let did = queue(&desk, scope, name, args.change.as_ref()).await;
        report.settle(did, &desk.warnings.take())?;
    }
    report.end()
}

/// `pause` has paused nothing: perhaps a failure did.
async fn nothing(desk: &Desk, scope: Scope) -> Result<Failure, Failure> {
    let mut paused = Vec::new();
    let keep = |policy: DynamicObject| {
        if let Some(why) = why(&policy) {
            let told = format!(
                "\n  kubectl roadstead resume {} {}: {}",
                policy.name_any(),
                scope.flag(desk),
                cause(&why)
            );
            paused.push(told);
        }
    };
    let listed = within(pages(&scope.api(desk, Kind::Policy), ListParams::default(), keep)).await;
    listed.map_err(|trouble| scope.failure(desk, "list policies", trouble))?;
    let place = scope.called(desk);
    Ok(Failure::NotFound(if paused.is_empty() {
        format!(
            "nothing is paused in {place}; a freeze is ended by: kubectl roadstead thaw {}",
            scope.flag(desk)
        )
    } else {
        format!(
            "`pause` has paused nothing in {place}, but failures have paused queues of policies:{}",
            paused.concat()
        )
    }))
}

/// Lets the queue of a policy go on that was paused by the failure which is read first, and by no later one.
async fn queue(desk: &Desk, scope: Scope, name: &str, meant: Option<&ChangeId>) -> Result<Done, Failure> {
    let api = scope.api(desk, Kind::Policy);
    let what = format!("resume {name} in {}", scope.called(desk));
    let mut about = meant.cloned();
    for _ in 0..ROUNDS {
        let policy = within(api.get(name)).await.map_err(|trouble| scope.failure(desk, &what, trouble))?;
        let Some(paused) = why(&policy) else {
            let kind = scope.resource(Kind::Policy);
            return Err(Failure::NotFound(format!(
                "the queue of {kind}/{name} in {} is not paused",
                scope.called(desk)
            )));
        };
        if about.get_or_insert_with(|| paused.change.clone()) != &paused.change {
            return Err(Failure::NotFound(format!(
                "nothing was done: {name} is paused by another failure: {}",
                cause(&paused)
            )));
        }
        let done = done(desk, scope, name, &paused);
        if desk.dry_run == DryRun::Client {
            return Ok(done);
        }
        let patch = Patch::Merge(json!({"metadata": {
            "resourceVersion": policy.metadata.resource_version,
            "annotations": {contract::key::RESUME: paused.change},
        }}));
        match within(api.patch(name, &desk.parameters(), &patch)).await {
            Ok(_) => return Ok(done),
            // Its status is written every few seconds.
            Err(trouble) if trouble.has_code(409) => {}
            Err(trouble) => return Err(scope.failure(desk, &what, trouble)),
        }
    }
    Err(Failure::Api(format!("{name} is written by others again and again: try once more")))
}

fn done(desk: &Desk, scope: Scope, name: &str, paused: &Paused) -> Done {
    Done {
        resource: scope.resource(Kind::Policy),
        namespace: scope.namespace(desk),
        name: name.to_owned(),
        change: Some(paused.change.clone()),
        did: "told to go on",
        message: format!("{}; an executor takes the pause away in a moment", cause(paused)),
    }
}

/// Why the queue of a policy is paused.
fn why(policy: &DynamicObject) -> Option<Paused> {
    serde_json::from_value(policy.data["status"]["paused"].clone()).ok()
}

fn cause(paused: &Paused) -> String {
    let Paused { namespace, deployment, change, reason, .. } = paused;
    format!("change {change} of {namespace}/{deployment} failed: {}", reason.replace(char::is_control, " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_queue_is_paused_is_read_from_its_status() {
        let policy = |status: serde_json::Value| -> DynamicObject {
            serde_json::from_value(json!({"metadata": {"name": "careful"}, "spec": {}, "status": status}))
                .unwrap()
        };
        let paused = json!({"paused": {
            "since": "2026-12-01T06:00:00Z", "namespace": "shop", "deployment": "web", "change": "abcdefghij",
            "reason": "no progress\nat all",
        }});
        let told = cause(&why(&policy(paused)).unwrap());
        assert_eq!(told, "change abcdefghij of shop/web failed: no progress at all");
        assert_eq!(why(&policy(json!({}))), None);
    }
}
