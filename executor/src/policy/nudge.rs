//! Brings changes on that wait for a rule, as soon as something happened that may have ended it: its time has come, a
//! policy or a freeze was changed, somebody approved, another rollout ended, a slot of a policy is free. Each is read
//! and judged anew; a few at a time and a few dozen a second, and only while there is a slot: ten thousand that wait
//! for one moment cost what their releases cost. Where a process dies, their second looks bring them on.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use ::policy::set::{Frost, Policy, Set};
use contract::{Lane, PolicyRef, Rule};
use ops::{BoxError, namespaces::Map};
use tokio::{task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    consume::Worker,
    live::now,
    queue::{Index, Ripe, View},
    slots::Ledger,
};

/// How often it is looked whose time has come.
const TICK: Duration = Duration::from_millis(100);

/// Changes that are looked at in a tick at most.
const PACE: usize = 16;

/// Changes that are looked at at a time.
const AT_ONCE: usize = 8;

/// Brings on what waits for rules.
pub struct Nudger {
    /// What waits.
    pub view: View,
    /// Whose work it is.
    pub worker: Arc<Worker>,
}

/// What was known when it was looked last.
struct Known {
    set: Arc<Set>,
    namespaces: Map,
    ledger: Arc<Ledger>,
}

impl Nudger {
    /// Brings on until told to stop; then finishes what it has begun.
    pub async fn run(self, stop: CancellationToken) -> Result<(), BoxError> {
        let releaser = &self.worker.releaser;
        let (mut policies, mut namespaces) =
            (releaser.judge.policies.subscribe(), releaser.namespaces.subscribe());
        let mut ledger = releaser.slots.ledger();
        let mut known = Known {
            set: releaser.judge.policies.load(),
            namespaces: namespaces.borrow_and_update().clone(),
            ledger: Arc::clone(&ledger.borrow_and_update()),
        };
        let mut looks = JoinSet::new();
        let (mut tick, mut room) = (tokio::time::interval(TICK), PACE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                told = policies.changed() => {
                    told?;
                    self.policies_changed(&mut known);
                }
                told = namespaces.changed() => {
                    told?;
                    self.namespaces_changed(&mut known, namespaces.borrow_and_update().clone());
                }
                told = ledger.changed() => {
                    told?;
                    self.slots_changed(&mut known, Arc::clone(&ledger.borrow_and_update()));
                }
                _ = tick.tick() => {
                    room = PACE;
                    let left = self.view.with(|index| {
                        index.ripen_due(now());
                        index.take_left()
                    });
                    for (namespace, name) in left {
                        self.moved(&known.set, &namespace, &name);
                    }
                }
                Some(looked) = looks.join_next() => looked?,
            }
            while room > 0 && looks.len() < AT_ONCE && self.look(&known, &mut looks) {
                room -= 1;
            }
        }
        while let Some(looked) = looks.join_next().await {
            looked?;
        }
        Ok(())
    }

    /// Looks at the next one, if there is any and a slot for it.
    fn look(&self, known: &Known, looks: &mut JoinSet<()>) -> bool {
        let vacancies = *self.worker.releaser.slots.vacancies().borrow();
        let in_hand = looks.len();
        let found = Lane::ALL.into_iter().filter(|lane| vacancies.of(*lane) > in_hand).find_map(|lane| {
            let full = |policy: &PolicyRef, rule| rule == Rule::Slots && known.is_full(policy);
            Some((lane, self.view.with(|index| index.take_ripe(lane, full))?))
        });
        let Some((lane, Ripe { namespace, name })) = found else { return false };
        let (worker, view) = (Arc::clone(&self.worker), self.view.clone());
        looks.spawn(async move {
            worker.bring_on(&view, (&*namespace, &*name), lane, &|| ()).await;
        });
        true
    }

    fn policies_changed(&self, known: &mut Known) {
        let set = self.worker.releaser.judge.policies.load();
        let (before, after) = (marks(&known.set), marks(&set));
        let is_new = |policy: &PolicyRef| before.get(policy) != after.get(policy);
        let count = self.view.with(|index| index.ripen(None, |policy, _| is_new(policy)));
        if count > 0 {
            tracing::info!(
                changes = count,
                "policies changed; changes that wait for them are looked at again"
            );
        }
        known.set = set;
    }

    /// Selectors of policies and expressions look at the labels of a namespace.
    fn namespaces_changed(&self, known: &mut Known, namespaces: Map) {
        for (name, opted_in) in &namespaces {
            if known.namespaces.get(name).is_some_and(|before| before.labels != opted_in.labels) {
                self.view.with(|index| index.ripen(Some(name), |_, _| true));
            }
        }
        known.namespaces = namespaces;
    }

    /// Rollouts that hold a slot no more have ended: others may come after them, and take the slots of their policies.
    fn slots_changed(&self, known: &mut Known, ledger: Arc<Ledger>) {
        let counts = |ledger: &Ledger, uid: &str| ledger.holders.get(uid).is_some_and(|held| held.counts);
        let ended = known.ledger.holders.iter().filter(|(uid, held)| held.counts && !counts(&ledger, uid));
        let ended: Vec<_> = ended.map(|(_, held)| held.clone()).collect();
        known.ledger = ledger;
        let policies: HashSet<&str> =
            ended.iter().flat_map(|held| &held.policies).map(String::as_str).collect();
        if !policies.is_empty() {
            let has_room = |policy: &PolicyRef, rule| {
                rule == Rule::Slots && policies.contains(policy.to_string().as_str())
            };
            self.view.with(|index| index.ripen(None, has_room));
        }
        for held in &ended {
            self.moved(&known.set, &held.namespace, &held.name);
        }
    }

    /// A Deployment stands otherwise than before: those that come after it are looked at.
    fn moved(&self, set: &Set, namespace: &str, name: &str) {
        let first = set.policies().filter(|policy| policy.after.iter().any(|after| after == name));
        let first: HashSet<&PolicyRef> = first.map(|policy| &policy.reference).collect();
        if !first.is_empty() {
            let of = |policy: &PolicyRef, rule| rule == Rule::After && first.contains(policy);
            self.view.with(|index: &mut Index| index.ripen(Some(namespace), of));
        }
    }
}

impl Known {
    /// Whether a policy has no slot left, as far as is known.
    fn is_full(&self, policy: &PolicyRef) -> bool {
        let found = self.set.policies().find(|known| known.reference == *policy);
        let slots = found.and_then(|policy| policy.slots);
        slots.is_some_and(|slots| self.ledger.in_flight(&policy.to_string(), "") >= slots)
    }
}

/// What tells one version of the policies from another, whatever is written into their status.
fn marks(set: &Set) -> BTreeMap<PolicyRef, String> {
    let policy = |policy: &Arc<Policy>| {
        let Policy { reference, uid, generation, paused, .. } = &**policy;
        (reference.clone(), format!("{uid} {generation} {paused:?}"))
    };
    let freeze = |frost: &Arc<Frost>| {
        let Frost { reference, generation, until, reason, .. } = &**frost;
        (reference.clone(), format!("{generation} {until} {reason}"))
    };
    set.policies().map(policy).chain(set.freezes().map(freeze)).collect()
}
