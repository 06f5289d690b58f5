//! What was tried on which Deployment, and when it is enough. Pure.

use std::collections::{BTreeMap, BTreeSet};

use json_patch::Patch;

use crate::trouble::{Remedy, Trouble};

/// Tries of a write that is refused: the first few may have met a change in between.
const TRIES: u32 = 6;

/// A Deployment that is to be written.
pub struct Found {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What is to be written.
    pub patch: Patch,
}

/// How a write ended.
pub enum Written {
    /// It is open.
    Opened,
    /// It was written, and somebody closed it in the same moment: a webhook on its way out.
    Undone,
    /// It was not written.
    Trouble(Trouble),
}

/// Namespace and name.
type Key = (String, String);

/// What is tried again, and what is not.
#[derive(Default)]
pub struct Tried {
    refusals: BTreeMap<Key, u32>,
    last: BTreeMap<Key, String>,
}

impl Tried {
    /// Whether it is open now. What is refused counts as a try only where `counts` says so: as long as an API server may
    /// still call a webhook that is gone, a refusal means nothing.
    pub fn settle(&mut self, namespace: &str, name: &str, written: Written, counts: bool) -> bool {
        let (why, refused) = match written {
            Written::Opened => return true,
            Written::Undone => ("a webhook closes it again as soon as it is opened".to_owned(), true),
            Written::Trouble(trouble) if trouble.remedy() == Remedy::Gone => return false,
            Written::Trouble(trouble) => (trouble.to_string(), trouble.remedy() == Remedy::Refused),
        };
        let key = (namespace.to_owned(), name.to_owned());
        *self.refusals.entry(key.clone()).or_default() += u32::from(refused && counts);
        self.last.insert(key, why);
        false
    }

    /// There was no time for it.
    pub fn no_time(&mut self, one: &Found) {
        let key = (one.namespace.clone(), one.name.clone());
        self.last.entry(key).or_insert_with(|| "there was no time left".to_owned());
    }

    /// What is not to be written any more was opened, by us or by somebody else, or is gone.
    pub fn forget_all_but(&mut self, found: &[Found]) {
        let found: BTreeSet<_> = found.iter().map(|one| (&*one.namespace, &*one.name)).collect();
        let is_found = |(namespace, name): &Key| found.contains(&(&**namespace, &**name));
        self.refusals.retain(|key, _| is_found(key));
        self.last.retain(|key, _| is_found(key));
    }

    /// Whether it was refused often enough.
    #[must_use]
    pub fn is_given_up(&self, one: &Found) -> bool {
        let key = (one.namespace.clone(), one.name.clone());
        self.refusals.get(&key).is_some_and(|refusals| *refusals >= TRIES)
    }

    /// What is not open, and why.
    pub fn last(self) -> impl Iterator<Item = (Key, String)> {
        self.last.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn found(name: &str) -> Found {
        Found { namespace: "shop".into(), name: name.into(), patch: Patch::default() }
    }

    fn api(code: u16) -> Written {
        let status = Status { code, message: "because".into(), ..Status::default() };
        Written::Trouble(Trouble::Api(kube::Error::Api(Box::new(status))))
    }

    #[test]
    fn what_is_refused_is_given_up_and_what_may_heal_is_not() {
        for (written, counts, given_up) in [
            (&(|| api(403)) as &dyn Fn() -> Written, true, true),
            (&|| Written::Undone, true, true),
            (&|| Written::Undone, false, false),
            (&|| api(503), true, false),
            (&|| api(404), true, false),
        ] {
            let mut tried = Tried::default();
            for _ in 0..TRIES {
                assert!(!tried.is_given_up(&found("web")));
                assert!(!tried.settle("shop", "web", written(), counts));
            }
            assert_eq!(tried.is_given_up(&found("web")), given_up);
        }
    }

    #[test]
    fn what_somebody_else_has_opened_is_no_failure() {
        let mut tried = Tried::default();
        for name in ["web", "cart"] {
            tried.settle("shop", name, api(422), true);
        }
        tried.no_time(&found("web"));
        tried.no_time(&found("late"));
        tried.forget_all_but(&[found("web"), found("late")]);
        let last: Vec<_> = tried.last().map(|((_, name), why)| format!("{name}: {why}")).collect();
        assert_eq!(last, ["late: there was no time left", "web: the API server says: because"]);
    }
}
