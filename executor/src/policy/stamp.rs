//! When an approval was given: a review has no clock, so the executor writes it down when it first sees the approval.

use contract::Key;
use json_patch::Patch;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    edit::Edit,
    live::{Live, UnixMillis},
};

/// Writes the time on the approvals that lack one; `None` where none does.
pub(crate) fn stamp(live: &Live, now: UnixMillis) -> Option<Patch> {
    let mut approvals = live.state.approvals.clone();
    let at = OffsetDateTime::from_unix_timestamp(now / 1_000).ok()?.format(&Rfc3339).ok()?;
    let mut lacking = approvals.0.iter_mut().filter(|approval| approval.at.is_none()).peekable();
    lacking.peek()?;
    lacking.for_each(|approval| approval.at = Some(at.clone()));
    let edit = Edit::of(live).while_gate_and_change_stand();
    edit.annotate(Key::Approvals, &approvals.write()?).finish()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::live::tests::{live, object};

    fn case(approvals: &Value) -> Value {
        json!({"metadata": {"annotations": {"roadstead.dev/approvals": approvals.to_string()}}})
    }

    #[test]
    fn an_approval_gets_its_time_once() {
        let case = case(&json!([
            {"by": "ann", "change": "aaaaaaaaaa", "at": "2026-01-01T00:00:00Z"},
            {"by": "bob", "change": "aaaaaaaaaa"},
        ]));
        let mut stamped = object(&case);
        json_patch::patch(&mut stamped, &stamp(&live(&case), 1_500).unwrap()).unwrap();
        let stamped = Live::of(&serde_json::from_value(stamped).unwrap()).unwrap();
        let at: Vec<_> = stamped.state.approvals.0.iter().map(|one| one.at.as_deref().unwrap()).collect();
        assert_eq!(at, ["2026-01-01T00:00:00Z", "1970-01-01T00:00:01Z"]);
        assert_eq!(stamp(&stamped, 9_000), None);
        assert_eq!(stamp(&live(&json!({})), 9_000), None, "nobody approved");
    }

    #[test]
    fn whatever_changed_meanwhile_refuses_the_time() {
        let approved = case(&json!([{"by": "bob", "change": "aaaaaaaaaa"}]));
        let patch = stamp(&live(&approved), 1_500).unwrap();
        for change in [
            json!({"metadata": {"generation": 5}}),
            json!({"metadata": {"annotations": {"roadstead.dev/change": "cccccccccc"}}}),
            json!({"metadata": {"annotations": {"roadstead.dev/gate": "open"}}}),
        ] {
            assert!(json_patch::patch(&mut object(&change), &patch).is_err(), "{change}");
        }
    }
}
