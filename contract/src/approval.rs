//! What people say about the change that waits: approvals, and the order to let it through past every rule. Both are
//! written on the Deployment by Roadstead only, bound to the change's id and so to its template.

use serde::{Deserialize, Serialize};

use crate::ChangeId;

/// Longest reason of an override, in bytes; what is longer is cut.
pub const MAX_REASON: usize = 512;

/// Most approvals that are kept of one change; the first stay.
pub const MAX_APPROVALS: usize = 32;

/// One approval of the change that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// User name in the request that gave it.
    pub by: String,
    /// The change that it is for.
    pub change: ChangeId,
    /// When it was first seen by an executor, in RFC 3339: a review has no clock. Absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// The approvals of the change that waits, as they stand in [`crate::Key::Approvals`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Approvals(pub Vec<Approval>);

/// The order to let a change through past every rule, as it stands in [`crate::Key::Override`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Override {
    /// User name in the request that gave it.
    pub by: String,
    /// The change that it is for.
    pub change: ChangeId,
    /// Why, in the words of who gave it.
    pub reason: String,
}

impl Approvals {
    /// Reads the annotation; what does not parse counts as absent.
    #[must_use]
    pub fn read(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The approvals of this change, by different people, none of them the one who requested it.
    pub fn of<'a>(
        &'a self,
        change: &'a ChangeId,
        requested_by: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Approval> {
        self.0.iter().enumerate().filter_map(move |(at, approval)| {
            let first = self.0[..at].iter().all(|other| other.change != *change || other.by != approval.by);
            let counts = approval.change == *change && Some(&*approval.by) != requested_by && first;
            counts.then_some(approval)
        })
    }

    /// The annotation's text; `None` where there are none.
    #[must_use]
    pub fn write(&self) -> Option<String> {
        if self.0.is_empty() { None } else { serde_json::to_string(self).ok() }
    }
}

impl Override {
    /// Reads the annotation; what does not parse, or is for another change, counts as absent.
    #[must_use]
    pub fn read(text: Option<&str>, change: &ChangeId) -> Option<Self> {
        let read: Self = serde_json::from_str(text?).ok()?;
        (read.change == *change).then_some(read)
    }

    /// The annotation's text.
    #[must_use]
    pub fn write(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approval(by: &str, change: &str) -> Approval {
        Approval { by: by.into(), change: change.parse().unwrap(), at: None }
    }

    #[test]
    fn approvals_count_once_a_person_never_of_the_requester_and_for_their_change_only() {
        let approvals = Approvals(vec![
            approval("ann", "aaaaaaaaaa"),
            approval("bob", "bbbbbbbbbb"),
            approval("ann", "aaaaaaaaaa"),
            approval("jane", "aaaaaaaaaa"),
        ]);
        let change = "aaaaaaaaaa".parse().unwrap();
        let by: Vec<_> = approvals.of(&change, Some("jane")).map(|approval| &*approval.by).collect();
        assert_eq!(by, ["ann"]);
        let read = Approvals::read(approvals.write().as_deref());
        assert_eq!(read, approvals);
        for text in [None, Some(""), Some("{}"), Some(r#"[{"by":"ann"}]"#)] {
            assert_eq!(Approvals::read(text), Approvals::default(), "{text:?}");
        }
        assert_eq!(Approvals::default().write(), None);
    }

    #[test]
    fn an_override_is_for_one_change() {
        let order =
            Override { by: "ann".into(), change: "aaaaaaaaaa".parse().unwrap(), reason: "fire".into() };
        let text = order.write();
        assert_eq!(Override::read(text.as_deref(), &order.change), Some(order));
        assert_eq!(Override::read(text.as_deref(), &"bbbbbbbbbb".parse().unwrap()), None);
        assert_eq!(Override::read(Some("fire"), &"bbbbbbbbbb".parse().unwrap()), None);
    }
}
