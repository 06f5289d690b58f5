//! The checks that run now, or have: for one change each, and anew where a policy asks for other ones.

use std::collections::BTreeMap;

use contract::ChangeId;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::view::View;
use crate::{checks::Asked, live::Live, slots::Uid};

/// What checks came to: nothing, or what the one that failed said.
pub(super) type Proven = Result<(), String>;

/// The checks of every rollout.
#[derive(Default)]
pub(super) struct Proofs(BTreeMap<Uid, Proof>);

struct Proof {
    change: ChangeId,
    asked: Vec<Asked>,
    stage: Stage,
}

enum Stage {
    Runs(#[expect(dead_code, reason = "dropped, it ends the checks")] DropGuard),
    Ended(Proven),
}

impl Proofs {
    /// What these checks of a rollout came to; `None`: they have not ended, or not begun.
    pub(super) fn of(&self, live: &Live, asked: &[Asked]) -> Option<&Proven> {
        match &self.find(live, asked)?.stage {
            Stage::Runs(_) => None,
            Stage::Ended(proven) => Some(proven),
        }
    }

    /// Whether these checks are to begin now; if so, when to end them.
    pub(super) fn begin(
        &mut self,
        live: &Live,
        asked: &[Asked],
        stop: &CancellationToken,
    ) -> Option<CancellationToken> {
        let change = live.state.change.clone()?;
        if self.find(live, asked).is_some() {
            return None;
        }
        let stop = stop.child_token();
        let stage = Stage::Runs(stop.clone().drop_guard());
        self.0.insert(live.uid.clone(), Proof { change, asked: asked.to_vec(), stage });
        Some(stop)
    }

    /// Checks have ended.
    pub(super) fn ended(&mut self, live: &Live, asked: &[Asked], proven: Proven) {
        let change = live.state.change.as_ref();
        let proof = self.0.get_mut(&live.uid);
        if let Some(proof) = proof.filter(|proof| Some(&proof.change) == change && proof.asked == asked) {
            proof.stage = Stage::Ended(proven);
        }
    }

    /// A rollout is not complete any more: whatever its checks said was said of something else.
    pub(super) fn forget(&mut self, uid: &Uid) {
        self.0.remove(uid);
    }

    /// Ends the checks of what rolls out no more.
    pub(super) fn keep(&mut self, view: &View) {
        self.0.retain(|uid, proof| view.change(uid) == Some(&proof.change));
    }

    fn find(&self, live: &Live, asked: &[Asked]) -> Option<&Proof> {
        let proof = self.0.get(&live.uid)?;
        (Some(&proof.change) == live.state.change.as_ref() && proof.asked == asked).then_some(proof)
    }
}

#[cfg(test)]
mod tests {
    use contract::{PolicyKind, PolicyRef};
    use policy::resource::Check;
    use serde_json::json;

    use super::*;
    use crate::live::tests::live;

    fn asked(name: &str) -> Vec<Asked> {
        let policy =
            PolicyRef { kind: PolicyKind::ClusterReleasePolicy, namespace: None, name: "calm".into() };
        vec![Asked { policy, check: Check { name: name.into(), ..Check::default() } }]
    }

    #[test]
    fn checks_run_once_and_anew_where_others_are_asked_for() {
        let (mut proofs, live, stop) = (Proofs::default(), live(&json!({})), CancellationToken::new());
        let (smoke, load) = (asked("smoke"), asked("load"));
        let first = proofs.begin(&live, &smoke, &stop).unwrap();
        assert!(proofs.begin(&live, &smoke, &stop).is_none(), "they run");
        assert_eq!(proofs.of(&live, &smoke), None);
        let second = proofs.begin(&live, &load, &stop).unwrap();
        assert!(first.is_cancelled() && !second.is_cancelled());
        proofs.ended(&live, &smoke, Ok(()));
        assert_eq!(proofs.of(&live, &load), None, "those of before ended, late");
        proofs.ended(&live, &load, Err("no".into()));
        assert_eq!(proofs.of(&live, &load), Some(&Err("no".into())));
        proofs.forget(&live.uid);
        assert!(proofs.begin(&live, &load, &stop).is_some(), "complete again");
    }

    #[test]
    fn a_new_change_has_checks_of_its_own() {
        let (mut proofs, stop, asked) = (Proofs::default(), CancellationToken::new(), asked("smoke"));
        let old = live(&json!({}));
        let running = proofs.begin(&old, &asked, &stop).unwrap();
        let new = live(&json!({"metadata": {"annotations": {"roadstead.dev/change": "bbbbbbbbbb"}}}));
        assert!(proofs.begin(&new, &asked, &stop).is_some() && running.is_cancelled());
        proofs.ended(&old, &asked, Ok(()));
        assert_eq!(proofs.of(&new, &asked), None);
        proofs.keep(&View::new(1));
        assert!(proofs.0.is_empty());
    }
}
