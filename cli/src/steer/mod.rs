//! The verbs that steer one change: `approve`, `release`, `cancel`, `retry`, `rollback`. Each is a write on the Deployment
//! with the user's own rights, for the change that was read and for no other. What came of it is read from the answer.

mod approve;
pub mod args;
mod cancel;
mod confirm;
pub mod desk;
pub mod done;
mod edit;
mod live;
mod release;
mod retry;
mod revision;
mod rollback;

use contract::ChangeId;
use json_patch::Patch;

pub use self::{
    approve::run as approve, cancel::run as cancel, release::run as release, retry::run as retry,
    rollback::run as rollback,
};
use self::{
    args::{DryRun, Manner},
    desk::Desk,
    done::{Done, Report},
    live::Live,
};
use crate::{failure::Failure, screen::Screen};

/// How often it is read again where others write at the same time.
const ROUNDS: usize = 8;

/// What is to be written, and how it is told of.
struct Plan {
    patch: Patch,
    /// Completes "you cannot …".
    what: String,
    /// One word.
    did: &'static str,
    /// A sentence.
    message: String,
}

/// One of the verbs.
trait Order {
    /// The change that it is about, or why there is nothing to do. `None` where no change was ever made.
    fn about(&self, live: &Live) -> Result<Option<ChangeId>, Failure>;

    /// What is to be written.
    async fn plan(&self, desk: &Desk, live: &Live) -> Result<Plan, Failure>;

    /// What came of it. `None`: it takes another write.
    fn done(&self, before: &Live, after: &Live, plan: &Plan) -> Result<Option<Done>, Failure>;
}

/// Gives an order for each of several Deployments.
async fn each(
    desk: &Desk,
    order: &impl Order,
    found: Vec<Result<Live, Failure>>,
    manner: &Manner,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut report = Report::new(screen, manner.output, manner.dry_run, found.len());
    for live in found {
        let did = match live {
            Ok(live) => give(desk, order, live).await,
            Err(failure) => Err(failure),
        };
        report.settle(did, &desk.warnings.take())?;
    }
    report.end()
}

/// Gives an order for one Deployment: for the change that was read first, however often it is read again.
async fn give(desk: &Desk, order: &impl Order, mut live: Live) -> Result<Done, Failure> {
    let about = order.about(&live)?;
    for _ in 0..ROUNDS {
        let plan = order.plan(desk, &live).await?;
        if desk.dry_run == DryRun::Client {
            return Ok(live.done(plan.did, plan.message));
        }
        if let Some(after) = desk.write(&live, plan.patch.clone(), &plan.what).await? {
            match order.done(&live, &after, &plan)? {
                Some(done) => return Ok(done),
                // What it takes before another write was not done.
                None if desk.dry_run == DryRun::Server => return Ok(live.done(plan.did, plan.message)),
                None => {}
            }
        }
        live = desk.read(&live.name()).await?;
        if live.state.change != about {
            return Err(overtaken(&live, about.as_ref()));
        }
        order.about(&live)?;
    }
    Err(Failure::Api(format!("{} is written by others again and again: try once more", live.called())))
}

/// Another change stands there than was read.
fn overtaken(live: &Live, about: Option<&ChangeId>) -> Failure {
    let was = about.map_or_else(|| "what was read".to_owned(), |change| format!("change {change}"));
    Failure::NotFound(format!(
        "nothing was done: {was} of {} was overtaken; {}",
        live.called(),
        live.stands()
    ))
}

/// The change that waits, if it is the one that is meant.
fn waiting(live: &Live, meant: Option<&ChangeId>) -> Result<ChangeId, Failure> {
    let nothing = || Failure::NotFound(format!("no change of {} waits: {}", live.called(), live.stands()));
    let waiting = live.waiting().ok_or_else(nothing)?;
    is_meant(live, waiting, meant)?;
    Ok(waiting.clone())
}

/// Whether a change is the one that is meant.
fn is_meant(live: &Live, change: &ChangeId, meant: Option<&ChangeId>) -> Result<(), Failure> {
    match meant {
        Some(meant) if meant != change => Err(Failure::NotFound(format!(
            "change {meant} of {} does not stand there (any more): {}",
            live.called(),
            live.stands()
        ))),
        _ => Ok(()),
    }
}

/// The order stands on the object: no webhook has read it.
fn unread(live: &Live, key: &str) -> Failure {
    Failure::Partly(format!(
        "{key} stands on {} and nobody obeyed it: Roadstead's webhook is away, or the namespace is not opted in. To see \
         which: kubectl roadstead self-test -n {}",
        live.called(),
        live.namespace()
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{live::tests::*, *};

    #[test]
    fn an_order_is_for_the_change_that_waits_and_for_the_one_that_is_meant() {
        let held = live(&json!({"roadstead.dev/gate": "closed"}), Some("held"));
        assert_eq!(waiting(&held, None).unwrap().as_str(), CHANGE);
        let meant: ChangeId = CHANGE.parse().unwrap();
        assert!(waiting(&held, Some(&meant)).is_ok());
        let other = waiting(&held, "zzzzzzzzzz".parse().ok().as_ref()).unwrap_err();
        assert!(other.exit() == 3 && other.to_string().contains("change abcdefghij waits"), "{other}");
        let open = live(&json!({"roadstead.dev/gate": "open"}), Some("released"));
        let none = waiting(&open, None).unwrap_err();
        assert!(none.exit() == 3 && none.to_string().contains("rolls out"), "{none}");
    }
}
