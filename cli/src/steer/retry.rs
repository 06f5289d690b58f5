//! `kubectl roadstead retry`: a change that was given up waits again, by the order that docs/retries.md describes; a rollout
//! that has failed is queued again, by the annotation that `kubectl rollout restart` writes.

use contract::{ChangeId, Phase, key};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{Order, Plan, args, desk::Desk, done::Done, each, edit::Edit, is_meant, live::Live, unread};
use crate::{failure::Failure, screen::Screen};

/// The annotation of a pod template by which kubectl restarts a rollout.
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";
/// Characters of a digest that name it well enough.
const LIFT: usize = 12;

/// Queues changes again.
///
/// # Errors
/// When there is nothing to retry, or the user may not.
pub async fn run(args: &args::Retry, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::open(&args.manner).await?;
    let found = desk.targets(&args.targets, "dead,failed").await?;
    each(&desk, &Retry { meant: args.change.as_ref() }, found, &args.manner, screen).await
}

struct Retry<'a> {
    meant: Option<&'a ChangeId>,
}

/// Whether the change was given up, and not let through and failed.
fn is_dead(live: &Live) -> bool {
    live.state.is_closed()
}

impl Order for Retry<'_> {
    fn about(&self, live: &Live) -> Result<Option<ChangeId>, Failure> {
        let ended = match live.state.phase {
            Some(Phase::Dead) => live.state.is_closed(),
            Some(Phase::Failed) => !live.state.is_closed(),
            _ => false,
        };
        let Some(change) = live.state.change.as_ref().filter(|_| ended) else {
            return Err(Failure::NotFound(format!("there is nothing to retry: {}", why_not(live))));
        };
        is_meant(live, change, self.meant)?;
        Ok(Some(change.clone()))
    }

    async fn plan(&self, _: &Desk, live: &Live) -> Result<Plan, Failure> {
        Ok(plan(live, Timestamp::now()))
    }

    fn done(&self, before: &Live, after: &Live, plan: &Plan) -> Result<Option<Done>, Failure> {
        if after.waiting().is_some() {
            let message = if is_dead(before) {
                format!("{}: attempt {}", plan.message, after.state.attempt())
            } else {
                let change = after.state.change.as_ref().map_or("", ChangeId::as_str);
                format!("{}: as change {change}", plan.message)
            };
            return Ok(Some(after.done(plan.did, message)));
        }
        if is_dead(before)
            && before.annotation(key::REPLAY).is_some()
            && after.annotation(key::REPLAY).is_none()
        {
            return Ok(None);
        }
        Err(unread(after, if is_dead(before) { key::REPLAY } else { RESTARTED }))
    }
}

fn plan(live: &Live, now: Timestamp) -> Plan {
    let change = live.state.change.as_ref().map_or("", ChangeId::as_str);
    let (edit, message) = match live.annotation(key::REPLAY) {
        _ if !is_dead(live) => {
            let edit = Edit::of(live).template(live, restarted(live.template(), now));
            (edit, format!("the template of change {change}, whose rollout has failed, waits again"))
        }
        // An order that stands is not obeyed again: it has to be given anew.
        Some(stands) if stands == change => {
            (Edit::of(live).forget(key::REPLAY), format!("change {change} waits again"))
        }
        _ => (Edit::of(live).annotate(key::REPLAY, change), format!("change {change} waits again")),
    };
    let what = format!("retry change {change} of {}", live.called());
    Plan { patch: edit.patch(), what, did: "queued again", message }
}

/// A template that differs by the time of its restart alone.
fn restarted(template: &Value, now: Timestamp) -> Value {
    let mut template = template.clone();
    let whole = Timestamp::from_second(now.as_second()).unwrap_or(now);
    json_patch::merge(&mut template, &json!({"metadata": {"annotations": {RESTARTED: whole.to_string()}}}));
    template
}

fn why_not(live: &Live) -> String {
    let state = &live.state;
    match state.quarantined.last() {
        Some(failed) if !state.is_closed() && state.phase.is_none() => format!(
            "{}; a template that failed and was rolled back is quarantined. To submit it again: kubectl annotate deployment \
             {} {}={} --overwrite, then apply it",
            live.stands(),
            live.typed(),
            key::LIFT,
            &failed.as_str()[..LIFT]
        ),
        _ => format!("{}: {}", live.called(), live.stands()),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::live::tests::*, *};

    fn dead(annotations: &Value) -> Live {
        let mut own = json!({"roadstead.dev/gate": "closed"});
        json_patch::merge(&mut own, annotations);
        live(&own, Some("dead"))
    }

    fn written(live: &Live) -> Value {
        let mut object = serde_json::to_value(&live.object).unwrap();
        json_patch::patch(&mut object, &plan(live, Timestamp::UNIX_EPOCH).patch).unwrap();
        object
    }

    #[test]
    fn a_dead_change_is_replayed_and_an_order_that_stands_is_given_anew() {
        assert_eq!(written(&dead(&json!({})))["metadata"]["annotations"][key::REPLAY], CHANGE);
        let stands = dead(&json!({key::REPLAY: CHANGE}));
        let taken = written(&stands);
        assert!(taken["metadata"]["annotations"].get(key::REPLAY).is_none(), "{taken}");
        let retry = Retry { meant: None };
        let done =
            |before: &Live, after: &Live| retry.done(before, after, &plan(before, Timestamp::UNIX_EPOCH));
        assert_eq!(done(&stands, &dead(&json!({}))).unwrap(), None, "it takes another write");
        let again = json!({"roadstead.dev/gate": "closed", "roadstead.dev/attempt": "2"});
        let again = done(&dead(&json!({})), &live(&again, Some("held"))).unwrap().unwrap();
        assert_eq!(again.message, "change abcdefghij waits again: attempt 2");
        assert_eq!(done(&dead(&json!({})), &stands).unwrap_err().exit(), 6);
    }

    #[test]
    fn a_failed_rollout_is_queued_again_as_a_restart() {
        let failed = live(&json!({"roadstead.dev/gate": "open"}), Some("failed"));
        assert!(Retry { meant: None }.about(&failed).is_ok());
        let mut wanted = template("web:2");
        wanted["metadata"]["annotations"] = json!({RESTARTED: "1970-01-01T00:00:00Z"});
        assert_eq!(written(&failed)["spec"]["template"], wanted);
    }

    #[test]
    fn where_there_is_nothing_to_retry_it_says_how_it_stands() {
        let digest = "ab".repeat(32);
        for (live, says) in [
            (live(&json!({"roadstead.dev/gate": "closed"}), Some("held")), "waits; to look at it"),
            (live(&json!({"roadstead.dev/gate": "open"}), Some("released")), "rolls out"),
            (live(&json!({"roadstead.dev/gate": "open"}), None), "no change of it waits"),
            (
                live(&json!({"roadstead.dev/quarantined": digest}), None),
                "kubectl annotate deployment web -n shop roadstead.dev/lift=abababababab --overwrite",
            ),
        ] {
            let failure = Retry { meant: None }.about(&live).unwrap_err();
            assert!(failure.exit() == 3 && failure.to_string().contains(says), "{failure}");
        }
    }
}
