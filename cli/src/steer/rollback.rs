//! `kubectl roadstead rollback`: the template of an earlier change is submitted again. It is a change like any other, and
//! waits; unless it is the way back from one that waits, rolls out or has failed, which never queues.

use contract::{ChangeId, Digest};

use super::{
    Order, Plan, args,
    desk::Desk,
    done::Done,
    each,
    edit::Edit,
    live::Live,
    revision::{self, Revision},
};
use crate::{failure::Failure, screen::Screen};

/// Most revisions that are named where the one that was typed is not there.
const NAMED: usize = 20;

/// Submits the templates of earlier changes.
///
/// # Errors
/// When there is no such change, or the user may not.
pub async fn run(args: &args::Rollback, screen: &mut Screen) -> Result<(), Failure> {
    let to = match (&args.to, args.to_revision) {
        (Some(change), _) => To::Change(change),
        (None, Some(number)) => To::Revision(number),
        (None, None) => To::Good,
    };
    if args.names.len() > 1 && !matches!(to, To::Good) {
        let names =
            "a change and a revision are of one Deployment: name one, or leave --to and --to-revision away";
        return Err(Failure::Usage(names.to_owned()));
    }
    let desk = Desk::open(&args.manner).await?;
    let found = desk.named(&args.names).await?;
    each(&desk, &Rollback { to }, found, &args.manner, screen).await
}

/// Back to what.
enum To<'a> {
    /// What succeeded before what stands there now.
    Good,
    /// The template of a change.
    Change(&'a ChangeId),
    /// The template of a revision.
    Revision(i64),
}

struct Rollback<'a> {
    to: To<'a>,
}

impl Order for Rollback<'_> {
    fn about(&self, live: &Live) -> Result<Option<ChangeId>, Failure> {
        if live.state.change.is_none() && live.state.released.is_none() {
            return Err(Failure::NotFound(format!(
                "Roadstead knows nothing of {}; if its namespace is not opted in: kubectl rollout undo deployment {}",
                live.called(),
                live.typed()
            )));
        }
        Ok(live.state.change.clone())
    }

    async fn plan(&self, desk: &Desk, live: &Live) -> Result<Plan, Failure> {
        let revisions = revision::of(desk, live).await?;
        let now = live.digest()?;
        let revision = self.choose(live, &now, &revisions)?;
        Ok(Plan {
            patch: Edit::of(live).template(live, revision.template.clone()).patch(),
            what: format!("roll {} back to revision {}", live.called(), revision.number),
            did: "rolled back",
            message: format!("to {}", revision.called(live)),
        })
    }

    fn done(&self, before: &Live, after: &Live, plan: &Plan) -> Result<Option<Done>, Failure> {
        let change =
            after.state.change.as_ref().filter(|change| before.state.change.as_ref() != Some(change));
        let goes = match change {
            Some(change) if after.state.is_closed() => format!("waits for its turn as change {change}"),
            Some(change) => format!("goes at once, because aborting never queues, as change {change}"),
            None => "goes at once: Roadstead's webhook is away, or the namespace is not opted in".to_owned(),
        };
        Ok(Some(after.done(plan.did, format!("{}; it {goes}", plan.message))))
    }
}

impl Rollback<'_> {
    fn choose<'r>(
        &self,
        live: &Live,
        now: &Digest,
        revisions: &'r [Revision],
    ) -> Result<&'r Revision, Failure> {
        let other = |revision: &&Revision| revision.digest != *now;
        let (found, problem) = match self.to {
            To::Change(change) => {
                let found = revisions.iter().find(|revision| revision.change.as_ref() == Some(change));
                (found, format!("no ReplicaSet of {} is of change {change}", live.called()))
            }
            To::Revision(number) => {
                let found = revisions.iter().find(|revision| revision.number == number);
                (found, format!("{} has no revision {number}", live.called()))
            }
            To::Good => {
                let good = good(live, now);
                let found = good.and_then(|good| revisions.iter().find(|revision| revision.digest == *good));
                (found, format!("nothing says which earlier template of {} succeeded", live.called()))
            }
        };
        match found {
            Some(revision) if other(&revision) => Ok(revision),
            Some(revision) => Err(Failure::NotFound(format!(
                "nothing was done: revision {} is what stands on {} now{}",
                revision.number,
                live.called(),
                listed(live, now, revisions)
            ))),
            None => Err(Failure::NotFound(format!("{problem}{}", listed(live, now, revisions)))),
        }
    }
}

/// What succeeded last, other than what stands there now. Once a rollout has succeeded, `good` still says what had before.
fn good<'a>(live: &'a Live, now: &Digest) -> Option<&'a Digest> {
    [live.state.last_good(), live.state.good.as_ref()].into_iter().flatten().find(|good| *good != now)
}

/// What can be typed instead, a line each.
fn listed(live: &Live, now: &Digest, revisions: &[Revision]) -> String {
    let good = good(live, now);
    let entry = |revision: &Revision| {
        let note = match &revision.digest {
            digest if Some(digest) == good => ", succeeded",
            digest if live.state.quarantined.contains(digest) => ", failed, and is quarantined",
            _ => "",
        };
        let change = revision.change.as_ref().map_or_else(String::new, |change| format!("--to {change} or "));
        format!("\n  {change}--to-revision {}: {}{note}", revision.number, revision.called(live))
    };
    let lines: String =
        revisions.iter().filter(|revision| revision.digest != *now).take(NAMED).map(entry).collect();
    if lines.is_empty() {
        "; and no ReplicaSet has an earlier template that it could go back to".to_owned()
    } else {
        format!("; what it can go back to:{lines}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{live::tests::*, revision::tests::revision},
        *,
    };

    fn digest(image: &str) -> Digest {
        Digest::of_value(&template(image)).unwrap()
    }

    /// `web:2` stands there; what was let through last and what is good, as images.
    fn web(gate: &str, phase: Option<&str>, released: &str, good: Option<&str>) -> Live {
        let keys = json!({
            "roadstead.dev/gate": gate, "roadstead.dev/released": digest(released), "roadstead.dev/good": good.map(digest),
        });
        live(&keys, phase)
    }

    fn chosen(live: &Live, to: To<'_>) -> Result<i64, Failure> {
        let revisions = [
            revision(3, "web:2", CHANGE),
            revision(2, "web:bad", "bbbbbbbbbb"),
            revision(1, "web:1", "aaaaaaaaaa"),
        ];
        let now = live.digest()?;
        Rollback { to }.choose(live, &now, &revisions).map(|revision| revision.number)
    }

    #[test]
    fn by_default_it_goes_back_to_what_succeeded_before() {
        for (gate, phase, released) in [
            ("open", None, "web:2"),
            ("open", Some("released"), "web:2"),
            ("open", Some("failed"), "web:2"),
            ("closed", Some("held"), "web:bad"),
            ("closed", Some("dead"), "web:1"),
        ] {
            let live = web(gate, phase, released, Some("web:1"));
            assert_eq!(chosen(&live, To::Good).unwrap(), 1, "{gate} {phase:?}");
        }
    }

    #[test]
    fn a_change_or_a_revision_that_is_not_there_is_answered_with_those_that_are() {
        let live = web("open", None, "web:2", Some("web:2"));
        let change: ChangeId = "bbbbbbbbbb".parse().unwrap();
        assert_eq!(chosen(&live, To::Change(&change)).unwrap(), 2);
        assert_eq!(chosen(&live, To::Revision(1)).unwrap(), 1);
        let unknown: ChangeId = "zzzzzzzzzz".parse().unwrap();
        for to in [To::Good, To::Change(&unknown), To::Revision(9), To::Revision(3)] {
            let failure = chosen(&live, to).unwrap_err();
            let told = failure.to_string();
            assert_eq!(failure.exit(), 3, "{told}");
            assert!(
                told.contains("\n  --to bbbbbbbbbb or --to-revision 2: revision 2 (web:2 → web:bad)"),
                "{told}"
            );
            assert!(told.contains("--to aaaaaaaaaa") && !told.contains(CHANGE), "{told}");
        }
    }

    #[test]
    fn what_roadstead_never_saw_is_left_to_kubectl() {
        let mut live = web("open", None, "web:2", None);
        (live.state.change, live.state.released) = (None, None);
        let failure = Rollback { to: To::Good }.about(&live).unwrap_err();
        assert!(failure.to_string().contains("kubectl rollout undo deployment web -n shop"), "{failure}");
    }
}
