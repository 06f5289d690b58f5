//! `kubectl roadstead approve`: the change that waits is approved, by the annotation that docs/policies/approvals.md
//! describes. What counts is what the webhook recorded.

use contract::{ChangeId, key};

use super::{Order, Plan, args, desk::Desk, done::Done, each, edit::Edit, live::Live, unread, waiting};
use crate::{failure::Failure, screen::Screen};

/// Approves.
///
/// # Errors
/// When nothing waits, the user may not, or it was not recorded.
pub async fn run(args: &args::Approve, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::open(&args.manner).await?;
    let found = desk.targets(&args.targets, "held").await?;
    each(&desk, &Approve { meant: args.change.as_ref() }, found, &args.manner, screen).await
}

struct Approve<'a> {
    meant: Option<&'a ChangeId>,
}

impl Order for Approve<'_> {
    fn about(&self, live: &Live) -> Result<Option<ChangeId>, Failure> {
        waiting(live, self.meant).map(Some)
    }

    async fn plan(&self, _: &Desk, live: &Live) -> Result<Plan, Failure> {
        let change = waiting(live, self.meant)?;
        Ok(Plan {
            patch: Edit::of(live).annotate(key::APPROVE, change.as_str()).patch(),
            what: format!("approve change {change} of {}", live.called()),
            did: "approved",
            message: format!("change {change}{}", requested(live)),
        })
    }

    fn done(&self, before: &Live, after: &Live, plan: &Plan) -> Result<Option<Done>, Failure> {
        if after.annotation(key::APPROVE).is_some() {
            return Err(unread(after, key::APPROVE));
        }
        // One that stood there from before, when no webhook was there, is taken off unread.
        if before.annotation(key::APPROVE).is_some() {
            return Ok(None);
        }
        let state = &after.state;
        let Some(change) = &state.change else { return Err(unread(after, key::APPROVE)) };
        let by: Vec<_> =
            state.approvals.of(change, state.requested_by.as_deref()).map(|approval| &*approval.by).collect();
        if by.is_empty() {
            return Err(Failure::Partly(format!(
                "no approval of change {change} is recorded on {}",
                after.called()
            )));
        }
        let message = format!("{}; approved so far by {}", plan.message, by.join(", "));
        Ok(Some(after.done(plan.did, message)))
    }
}

/// Who asked for the change.
pub(super) fn requested(live: &Live) -> String {
    live.state.requested_by.as_ref().map_or_else(String::new, |by| format!(", requested by {by}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::live::tests::*, *};

    #[test]
    fn what_counts_is_what_was_recorded() {
        let held = |annotations: &serde_json::Value| {
            let mut own = json!({"roadstead.dev/gate": "closed", "roadstead.dev/requested-by": "jane"});
            json_patch::merge(&mut own, annotations);
            live(&own, Some("held"))
        };
        let plan = || Plan {
            patch: json_patch::Patch::default(),
            what: String::new(),
            did: "approved",
            message: "change abcdefghij".into(),
        };
        let approve = Approve { meant: None };
        let before = held(&json!({}));
        let ann = format!(r#"[{{"by":"ann","change":"{CHANGE}"}}]"#);
        let recorded = held(&json!({"roadstead.dev/approvals": ann}));
        let done = approve.done(&before, &recorded, &plan()).unwrap().unwrap();
        assert_eq!(done.message, "change abcdefghij; approved so far by ann");
        assert_eq!(approve.done(&before, &before, &plan()).unwrap_err().exit(), 6);
        let standing = held(&json!({"roadstead.dev/approve": CHANGE}));
        let unread = approve.done(&before, &standing, &plan()).unwrap_err();
        assert!(unread.exit() == 6 && unread.to_string().contains("self-test -n shop"), "{unread}");
        assert_eq!(approve.done(&standing, &before, &plan()).unwrap(), None, "it takes another write");
    }
}
