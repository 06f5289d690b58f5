//! At most so many rollouts in flight as there are slots, and so many more that are urgent. What takes no slot is
//! modelled, not tolerated at large: a way back that the webhook opened, and what was in flight in a namespace when
//! it was opted out or on a Deployment when its user paused it; whoever supersedes such a rollout inherits that.

use std::collections::BTreeMap;

use contract::{Gate, Lane, Phase};

use super::{
    super::history::{Deployment, Limits, Millis, Name, Namespace},
    Step,
    world::World,
};

/// The executor takes the slot a little before its patch is stored.
const EARLY: Millis = 2_000;

/// By then the executor has noticed what was written on a namespace.
const NOTICED: Millis = 5_000;

/// One rollout that is in flight, or that a newer change of the same Deployment is about to inherit from.
#[derive(Clone, Debug)]
struct Holder {
    namespace: String,
    since: Millis,
    urgent: bool,
    /// Whether it holds a slot.
    counts: bool,
    /// Whether it is in flight now: not while the change that supersedes it waits.
    flies: bool,
}

/// Who holds slots, by uid of the Deployment.
pub(super) struct Slots<'a> {
    limits: &'a Limits,
    holders: BTreeMap<String, Holder>,
}

impl<'a> Slots<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self { limits, holders: BTreeMap::new() }
    }

    /// Takes a written Deployment in, and says what is wrong with it.
    pub(super) fn learn(&mut self, step: &Step<'_>) -> Option<String> {
        let new = step.new;
        if !in_flight(new) {
            if new.state.is_closed() {
                // The change that waits now inherits.
                if let Some(holder) = self.holders.get_mut(&new.uid) {
                    holder.flies = false;
                }
            } else {
                self.holders.remove(&new.uid);
            }
            return None;
        }
        let is_release = step.opens();
        let held = self.holders.get(&new.uid);
        if !is_release && held.is_some_and(|held| held.flies) {
            if new.paused
                && let Some(holder) = self.holders.get_mut(&new.uid)
            {
                holder.counts = false;
            }
            return None;
        }
        let namespace = new.name.namespace.clone();
        let standing = step.world.namespaces.get(&namespace);
        let is_urgent = standing.is_some_and(|standing| {
            let mut lately = standing.lately(step.write.at, NOTICED);
            lately.any(|then| then.lane_of(new) == Lane::Urgent)
        });
        // What supersedes a rollout takes its slot as it is.
        let urgent = held.map_or(is_urgent, |held| held.urgent);
        // Without a holder, what flies without a release took no slot: the webhook opened it.
        let counts = held.map_or(is_release, |held| held.counts) && !new.paused;
        let holder = Holder { namespace, since: step.write.at, urgent, counts, flies: true };
        self.holders.insert(new.uid.clone(), holder);
        if is_release && counts { self.excess(step.write.at) } else { None }
    }

    /// A Deployment is about to be gone.
    pub(super) fn gone(&mut self, world: &World, name: &Name) {
        if let Some(uid) = world.uid(name) {
            self.holders.remove(uid);
        }
    }

    /// A namespace is about to be opted in or out.
    pub(super) fn opted(&mut self, world: &World, new: &Namespace) {
        let was = world.namespaces.get(&new.name).is_some_and(|standing| standing.now.enabled);
        if was != new.enabled {
            for holder in self.holders.values_mut().filter(|holder| holder.namespace == new.name) {
                holder.counts = false;
            }
        }
    }

    fn excess(&self, now: Millis) -> Option<String> {
        let Limits { slots, urgent_slots, slot_timeout, .. } = *self.limits;
        let timely = |holder: &&Holder| holder.since + slot_timeout > now + EARLY;
        let counting: Vec<_> =
            self.holders.values().filter(|holder| holder.counts && holder.flies).filter(timely).collect();
        let usual = counting.iter().filter(|holder| !holder.urgent).count();
        (counting.len() > slots + urgent_slots || usual > slots).then(|| {
            format!(
                "{} in flight, {usual} of them not urgent; there are {slots} slots and {urgent_slots} urgent ones",
                counting.len()
            )
        })
    }
}

fn in_flight(deployment: &Deployment) -> bool {
    let state = &deployment.state;
    state.gate == Some(Gate::Open) && state.phase == Some(Phase::Released) && state.change.is_some()
}
