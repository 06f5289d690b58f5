//! `kubectl roadstead freeze` and `pause`: nothing of some Deployments is let through for a while, or until somebody resumes.
//! Both make a freeze of the namespace or of the cluster, so the queue knows one thing only.

use std::time::Duration;

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};
use kube::{
    ResourceExt as _,
    api::{DynamicObject, ObjectMeta, PostParams},
};
use policy::resource::{ClusterFreeze, ClusterFreezeSpec, Freeze, FreezeSpec};

use super::{
    PAUSE, args, owner,
    scope::{Kind, Scope},
};
use crate::{
    failure::Failure,
    screen::Screen,
    steer::{
        args::{DryRun, Manner},
        desk::{Desk, FIELD_MANAGER},
        done::{Done, Report},
    },
    trouble::{Trouble, within},
};

/// A pause ends by itself after ten years. Not later: NATS counts the nanoseconds until then in 64 bits.
const FAR: SignedDuration = SignedDuration::from_hours(24 * 3652);

/// Freezes.
///
/// # Errors
/// When it would be over already, the user may not, or there is one of that name.
pub async fn freeze(args: &args::Freeze, screen: &mut Screen) -> Result<(), Failure> {
    let now = Timestamp::now();
    let until = end(args, now)?;
    let desk = Desk::open(&args.manner).await?;
    let metadata = match &args.name {
        Some(name) => ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
        None => ObjectMeta { generate_name: Some("freeze-".to_owned()), ..ObjectMeta::default() },
    };
    let spec = spec(&desk, &args.what, args.from, until).await?;
    let made = make(&desk, &args.what, metadata, spec).await;
    let scope = Scope::of(args.what.cluster);
    let done = made.map(|object| {
        let name = if desk.dry_run == DryRun::Client { args.name.clone().unwrap_or("freeze-…".into()) } else { object.name_any() };
        let from = args.from.map_or_else(|| "at once".to_owned(), |from| format!("from {from}"));
        let message = format!(
            "nothing of {} is let through, {from} and until {until} (for {}); what rolls out already goes on; to end it \
             sooner: kubectl roadstead thaw {name} {}",
            selected(&desk, &args.what),
            lasts(args.from.unwrap_or(now), until),
            scope.flag(&desk)
        );
        did(&desk, scope, name, "created", message)
    });
    told(&desk, done, &args.manner, screen)
}

/// Pauses a namespace, or the cluster, until somebody resumes.
///
/// # Errors
/// When it is paused already, or the user may not.
pub async fn pause(args: &args::Pause, screen: &mut Screen) -> Result<(), Failure> {
    let until = Timestamp::now().saturating_add(FAR).unwrap_or(Timestamp::MAX);
    let desk = Desk::open(&args.manner).await?;
    let metadata = ObjectMeta { name: Some(PAUSE.to_owned()), ..ObjectMeta::default() };
    let spec = spec(&desk, &args.what, None, until).await?;
    let made = make(&desk, &args.what, metadata, spec).await;
    let scope = Scope::of(args.what.cluster);
    let done = made.map(|_| {
        let message = format!(
            "nothing of {} is let through until somebody resumes; what rolls out already goes on; to resume: kubectl \
             roadstead resume {}",
            selected(&desk, &args.what),
            scope.flag(&desk)
        );
        did(&desk, scope, PAUSE.to_owned(), "created", message)
    });
    told(&desk, done, &args.manner, screen)
}

fn did(desk: &Desk, scope: Scope, name: String, did: &'static str, message: String) -> Done {
    let (resource, namespace) = (scope.resource(Kind::Freeze), scope.namespace(desk));
    Done { resource, namespace, name, change: None, did, message }
}

fn told(
    desk: &Desk,
    done: Result<Done, Failure>,
    manner: &Manner,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut report = Report::new(screen, manner.output, manner.dry_run, 1);
    report.settle(done, &desk.warnings.take())?;
    report.end()
}

/// When it ends, to the second.
fn end(args: &args::Freeze, now: Timestamp) -> Result<Timestamp, Failure> {
    let begin = args.from.unwrap_or(now);
    let until = match (args.lasts, args.until) {
        (Some(lasts), _) => {
            SignedDuration::try_from(lasts).ok().and_then(|lasts| begin.checked_add(lasts).ok())
        }
        (None, until) => until,
    };
    let until = until.and_then(|until| Timestamp::from_second(until.as_second()).ok());
    match until {
        Some(until) if until > begin.max(now) => Ok(until),
        Some(until) => Err(Failure::Usage(format!("a freeze until {until} is over before it begins"))),
        None => Err(Failure::Usage("--for is longer than there is time".to_owned())),
    }
}

async fn spec(
    desk: &Desk,
    what: &args::What,
    from: Option<Timestamp>,
    until: Timestamp,
) -> Result<FreezeSpec, Failure> {
    let owner = match &what.owner {
        Some(owner) => owner.clone(),
        None => owner::whoami(desk).await?,
    };
    Ok(FreezeSpec {
        selector: what.selector.clone(),
        reason: what.reason.clone(),
        owner,
        from: from.map(Time),
        until: Time(until),
        allow_urgent: what.allow_urgent,
    })
}

/// Makes the object.
async fn make(
    desk: &Desk,
    what: &args::What,
    metadata: ObjectMeta,
    freeze: FreezeSpec,
) -> Result<DynamicObject, Failure> {
    let scope = Scope::of(what.cluster);
    let name = metadata.name.clone().unwrap_or_default();
    let object = match scope {
        Scope::Namespace => serde_json::to_value(Freeze { metadata, spec: freeze, status: None })?,
        Scope::Cluster => {
            let spec = ClusterFreezeSpec { namespace_selector: what.namespace_selector.clone(), freeze };
            serde_json::to_value(ClusterFreeze { metadata, spec, status: None })?
        }
    };
    let object: DynamicObject = serde_json::from_value(object)?;
    if desk.dry_run == DryRun::Client {
        return Ok(object);
    }
    let parameters =
        PostParams { dry_run: desk.dry_run == DryRun::Server, field_manager: Some(FIELD_MANAGER.to_owned()) };
    let api = scope.api(desk, Kind::Freeze);
    match within(api.create(&parameters, &object)).await {
        Ok(made) => Ok(made),
        Err(trouble) if trouble.has_code(409) => Err(exists(desk, scope, &name, &trouble)),
        Err(trouble) => Err(scope.failure(desk, &format!("freeze {}", scope.called(desk)), trouble)),
    }
}

fn exists(desk: &Desk, scope: Scope, name: &str, trouble: &Trouble) -> Failure {
    let flag = scope.flag(desk);
    let ends = if name == PAUSE { format!("resume {flag}") } else { format!("thaw {name} {flag}") };
    Failure::Api(format!(
        "{} is frozen so already: {trouble}; to see it: kubectl roadstead thaw {flag}, to end it: kubectl roadstead {ends}",
        scope.called(desk)
    ))
}

/// `2h`, as `--for` takes it.
fn lasts(from: Timestamp, until: Timestamp) -> String {
    let seconds = until.as_second().saturating_sub(from.as_second());
    humantime::format_duration(Duration::from_secs(seconds.unsigned_abs())).to_string()
}

/// What is frozen, in words.
fn selected(desk: &Desk, what: &args::What) -> String {
    let place = match (what.cluster, &what.namespace_selector) {
        (false, _) => format!("namespace {}", desk.namespace),
        (true, None) => "any namespace".to_owned(),
        (true, Some(_)) => "the namespaces selected".to_owned(),
    };
    let which = if what.selector.is_some() { format!("the Deployments selected in {place}") } else { place };
    if what.allow_urgent { format!("{which} but what is urgent") } else { which }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Typed {
        #[command(flatten)]
        freeze: args::Freeze,
    }

    fn ends(words: &str) -> Result<String, String> {
        let words = ["freeze", "--reason", "sale"].into_iter().chain(words.split(' '));
        let typed = Typed::try_parse_from(words).map_err(|error| error.to_string())?;
        let now = "2026-12-01T06:00:00.5Z".parse().unwrap();
        end(&typed.freeze, now).map(|until| until.to_string()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_freeze_ends_when_it_is_told_to_and_not_before_it_begins() {
        for (words, until) in [
            ("--for 2h", "2026-12-01T08:00:00Z"),
            ("--until 2026-12-24T07:00:00+01:00", "2026-12-24T06:00:00Z"),
            ("--from 2026-12-24T06:00:00Z --for 1day", "2026-12-25T06:00:00Z"),
        ] {
            assert_eq!(ends(words).as_deref(), Ok(until), "{words}");
        }
        for (words, says) in [
            ("--until 2026-12-01T06:00:00Z", "over before it begins"),
            ("--from 2026-12-24T06:00:00Z --until 2026-12-20T06:00:00Z", "over before it begins"),
            ("--for 99999years", "longer than there is time"),
            ("--until tomorrow", "a time has a date and a zone"),
            ("--for 2h --until 2026-12-24T06:00:00Z", "cannot be used with"),
            ("--cluster", "required"),
            ("--for 2h --namespace-selector a=b", "--cluster"),
        ] {
            let told = ends(words).unwrap_err();
            assert!(told.contains(says), "{words}: {told}");
        }
    }
}
