//! `kubectl roadstead cancel`: a change that waits, or was given up, is taken back. The template that was let through last is
//! written in its place, which the webhook knows as the way back: the gate opens, and the change is cancelled.

use contract::{ChangeId, Key};

use super::{
    Order, Plan, args,
    desk::Desk,
    done::Done,
    each,
    edit::Edit,
    is_meant,
    live::Live,
    revision::{self, Revision, difference},
};
use crate::{failure::Failure, screen::Screen};

/// Takes changes back.
///
/// # Errors
/// When nothing waits, there is nothing to go back to, or the user may not.
pub async fn run(args: &args::Cancel, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::open(&args.manner).await?;
    let found = desk.targets(&args.targets, "held,dead").await?;
    each(&desk, &Cancel { meant: args.change.as_ref() }, found, &args.manner, screen).await
}

struct Cancel<'a> {
    meant: Option<&'a ChangeId>,
}

impl Order for Cancel<'_> {
    fn about(&self, live: &Live) -> Result<Option<ChangeId>, Failure> {
        let Some(change) = live.state.change.as_ref().filter(|_| live.state.is_closed()) else {
            return Err(Failure::NotFound(format!(
                "no change of {} waits: {}",
                live.called(),
                live.stands()
            )));
        };
        is_meant(live, change, self.meant)?;
        Ok(Some(change.clone()))
    }

    async fn plan(&self, desk: &Desk, live: &Live) -> Result<Plan, Failure> {
        plan(live, revision::of(desk, live).await?)
    }

    fn done(&self, before: &Live, after: &Live, plan: &Plan) -> Result<Option<Done>, Failure> {
        if after.state.is_closed() {
            let change = before.state.change.as_ref().map_or("", ChangeId::as_str);
            return Err(Failure::Partly(format!(
                "the template that was let through last stands on {} again, in place of change {change}, but its gate did not \
                 open: {}",
                after.called(),
                after.stands()
            )));
        }
        let goes_on = if after.state.phase.is_some() { "; that rollout goes on" } else { "" };
        Ok(Some(before.done(plan.did, format!("{}{goes_on}", plan.message))))
    }
}

fn plan(live: &Live, revisions: Vec<Revision>) -> Result<Plan, Failure> {
    let change = live.state.change.as_ref().map_or("", ChangeId::as_str);
    let Some(released) = &live.state.released else {
        return Err(Failure::NotFound(format!(
            "change {change} is the first of {}: nothing was let through before that it could go back to; to give it up: \
             kubectl delete deployment {}",
            live.called(),
            live.typed()
        )));
    };
    let Some(last) = revisions.into_iter().find(|revision| revision.digest == *released) else {
        return Err(Failure::NotFound(format!(
            "no ReplicaSet of {} has the template any more that was let through last ({} {}…): apply its manifest again",
            live.called(),
            Key::Released.name(),
            &released.as_str()[..12]
        )));
    };
    let images = difference(&last.template, live.template());
    let message = format!(
        "change {change} ({images}) is taken back; what was let through last stands there again: revision {}",
        last.number
    );
    Ok(Plan {
        patch: Edit::of(live).template(live, last.template).patch(),
        what: format!("cancel change {change} of {}", live.called()),
        did: "cancelled",
        message,
    })
}

#[cfg(test)]
mod tests {
    use contract::Digest;
    use serde_json::json;

    use super::{
        super::{live::tests::*, revision::tests::revision},
        *,
    };

    fn held(released: Option<&str>) -> Live {
        let digest = released.map(|image| Digest::of_value(&template(image)).unwrap());
        live(&json!({"roadstead.dev/gate": "closed", "roadstead.dev/released": digest}), Some("held"))
    }

    #[test]
    fn what_was_let_through_last_is_written_back() {
        let revisions = vec![revision(2, "web:0", "bbbbbbbbbb"), revision(1, "web:1", "aaaaaaaaaa")];
        let live = held(Some("web:1"));
        let plan = plan(&live, revisions).unwrap();
        assert!(
            plan.message.starts_with("change abcdefghij (web:1 → web:2) is taken back"),
            "{}",
            plan.message
        );
        assert!(plan.message.ends_with("revision 1"), "{}", plan.message);
        let mut object = serde_json::to_value(&live.object).unwrap();
        json_patch::patch(&mut object, &plan.patch).unwrap();
        assert_eq!(object["spec"]["template"], template("web:1"));
    }

    #[test]
    fn where_there_is_nothing_to_go_back_to_the_way_on_is_named() {
        for (released, says) in
            [(None, "kubectl delete deployment web -n shop"), (Some("web:9"), "apply its manifest again")]
        {
            let Err(failure) = plan(&held(released), vec![revision(1, "web:1", "aaaaaaaaaa")]) else {
                panic!("{says}")
            };
            assert!(failure.exit() == 3 && failure.to_string().contains(says), "{failure}");
        }
    }

    #[test]
    fn what_waits_or_was_given_up_can_be_taken_back_and_nothing_else() {
        let cancel = Cancel { meant: None };
        for (gate, phase, may) in [
            ("closed", Some("held"), true),
            ("closed", Some("dead"), true),
            ("open", Some("released"), false),
            ("open", None, false),
        ] {
            let live = live(&json!({"roadstead.dev/gate": gate}), phase);
            assert_eq!(cancel.about(&live).is_ok(), may, "{gate} {phase:?}");
        }
    }
}
