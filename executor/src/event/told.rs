//! Whose release was told of here, so that whoever tells of its end neither looks that up nor overtakes it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use contract::ChangeId;

/// Releases that are remembered; there are rarely more in flight than slots. What is not remembered is looked up.
const MOST: usize = 10_000;

/// Whether a release was told of; locked as long as somebody is at it.
type IsTold = Arc<tokio::sync::Mutex<bool>>;

/// Releases by uid of the Deployment.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<HashMap<String, (ChangeId, IsTold)>>>);

impl Told {
    /// Of a release that is about to be told of.
    pub(super) fn begin(&self, uid: &str, change: &ChangeId) -> IsTold {
        let mut releases = self.releases();
        if let Some((_, told)) = releases.get(uid).filter(|(known, _)| known == change) {
            return Arc::clone(told);
        }
        let told = IsTold::default();
        if releases.len() < MOST || releases.contains_key(uid) {
            releases.insert(uid.to_owned(), (change.clone(), Arc::clone(&told)));
        }
        told
    }

    /// Of one that somebody began to tell of here.
    pub(super) fn find(&self, uid: &str, change: &ChangeId) -> Option<IsTold> {
        let releases = self.releases();
        releases.get(uid).filter(|(known, _)| known == change).map(|(_, told)| Arc::clone(told))
    }

    /// Its end was told of.
    pub(super) fn end(&self, uid: &str, change: &ChangeId) {
        let mut releases = self.releases();
        if releases.get(uid).is_some_and(|(known, _)| known == change) {
            releases.remove(uid);
        }
    }

    fn releases(&self) -> std::sync::MutexGuard<'_, HashMap<String, (ChangeId, IsTold)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_release_is_remembered_until_its_end_or_a_newer_one() {
        let (told, [old, new]) =
            (Told::default(), ["aaaaaaaaaa", "bbbbbbbbbb"].map(|id| id.parse().unwrap()));
        assert!(told.find("u", &old).is_none());
        *told.begin("u", &old).lock().await = true;
        assert!(*told.find("u", &old).unwrap().lock().await);
        assert!(*told.begin("u", &old).lock().await, "another teller of the same");
        told.begin("u", &new);
        assert!(told.find("u", &old).is_none() && !*told.find("u", &new).unwrap().lock().await);
        told.end("u", &old);
        assert!(told.find("u", &new).is_some(), "a late end of the old one");
        told.end("u", &new);
        assert!(told.find("u", &new).is_none());
    }

    #[test]
    fn there_is_a_limit() {
        let (told, change) = (Told::default(), "aaaaaaaaaa".parse().unwrap());
        for number in 0..=MOST {
            told.begin(&number.to_string(), &change);
        }
        assert_eq!(told.releases().len(), MOST);
    }
}
