//! `kubectl roadstead release`: break-glass for one change. It passes every rule of every policy and freeze, so a person is
//! asked first.

use contract::{ChangeId, key};

use super::{
    Order, Plan, approve::requested, args, confirm, desk::Desk, done::Done, each, edit::Edit, live::Live,
    unread, waiting,
};
use crate::{failure::Failure, screen::Screen};

/// Has a change let through past every rule.
///
/// # Errors
/// When nothing waits, nobody agrees, the user may not, or it was not recorded.
pub async fn run(args: &args::Release, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::open(&args.manner).await?;
    let found = desk.targets(&args.targets, "held").await?;
    let release = Release { meant: args.change.as_ref(), reason: &args.reason };
    let question = question(&release, &found);
    if let (Some(question), false, args::DryRun::None) = (question, args.yes, args.manner.dry_run) {
        confirm::ask(&question)?;
    }
    each(&desk, &release, found, &args.manner, screen).await
}

/// What is asked; nothing where nothing would be done.
fn question(release: &Release<'_>, found: &[Result<Live, Failure>]) -> Option<String> {
    let one = |live: &Live| {
        let change = waiting(live, release.meant).ok()?;
        Some(format!("  change {change} of {}{}", live.called(), requested(live)))
    };
    let all: Vec<_> = found.iter().flatten().filter_map(one).collect();
    (!all.is_empty())
        .then(|| format!("Past every rule of every policy and freeze, this goes next:\n{}", all.join("\n")))
}

struct Release<'a> {
    meant: Option<&'a ChangeId>,
    reason: &'a str,
}

impl Order for Release<'_> {
    fn about(&self, live: &Live) -> Result<Option<ChangeId>, Failure> {
        waiting(live, self.meant).map(Some)
    }

    async fn plan(&self, _: &Desk, live: &Live) -> Result<Plan, Failure> {
        let change = waiting(live, self.meant)?;
        Ok(Plan {
            patch: Edit::of(live).annotate(key::RELEASE, &format!("{change} {}", self.reason)).patch(),
            what: format!("release change {change} of {}", live.called()),
            did: "ordered to be released",
            message: format!("change {change}{} goes past every rule", requested(live)),
        })
    }

    fn done(&self, before: &Live, after: &Live, plan: &Plan) -> Result<Option<Done>, Failure> {
        if after.annotation(key::RELEASE).is_some() {
            return Err(unread(after, key::RELEASE));
        }
        if before.annotation(key::RELEASE).is_some() {
            return Ok(None);
        }
        let Some(order) = &after.state.r#override else {
            return Err(Failure::Partly(format!("no order to release is recorded on {}", after.called())));
        };
        let message = format!(
            "{}, when a slot of its lane is free; recorded of {}: {}",
            plan.message, order.by, order.reason
        );
        Ok(Some(after.done(plan.did, message)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::live::tests::*, *};

    fn release() -> Release<'static> {
        Release { meant: None, reason: "fire" }
    }

    #[test]
    fn a_person_is_asked_about_what_would_be_let_through_and_nothing_else() {
        let held = live(
            &json!({"roadstead.dev/gate": "closed", "roadstead.dev/requested-by": "jane"}),
            Some("held"),
        );
        let open = live(&json!({"roadstead.dev/gate": "open"}), None);
        let asked = question(&release(), &[Ok(held), Ok(open.clone())]).unwrap();
        assert_eq!(asked.lines().count(), 2, "{asked}");
        assert!(
            asked.contains("change abcdefghij of Deployment web in namespace shop, requested by jane"),
            "{asked}"
        );
        assert_eq!(question(&release(), &[Ok(open), Err(Failure::NotFound("no".into()))]), None);
    }

    #[test]
    fn the_record_is_told_of_as_it_stands() {
        let plan = || Plan {
            patch: json_patch::Patch::default(),
            what: String::new(),
            did: "ordered to be released",
            message: "it".into(),
        };
        let before = live(&json!({"roadstead.dev/gate": "closed"}), Some("held"));
        let order = format!(r#"{{"by":"ann","change":"{CHANGE}","reason":"fire"}}"#);
        let after =
            live(&json!({"roadstead.dev/gate": "closed", "roadstead.dev/override": order}), Some("held"));
        let done = release().done(&before, &after, &plan()).unwrap().unwrap();
        assert!(done.message.ends_with("recorded of ann: fire"), "{}", done.message);
        assert_eq!(release().done(&before, &before, &plan()).unwrap_err().exit(), 6);
    }
}
