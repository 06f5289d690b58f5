//! What was seen of every change, in the order in which it was seen: from the watch of Deployments and
//! ReplicaSets, and from the messages on NATS. Pure; the claims of the story are asked of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use contract::{Change, ChangeEvent, Phase};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};

use crate::view::DeploymentView as _;

/// One thing that happened to a change of a Deployment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) at: Instant,
    pub(super) deployment: String,
    pub(super) change: String,
    pub(super) what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// Watch: the API server stored it with its gate closed.
    Held,
    /// NATS: its message, on this subject.
    Queued(String),
    /// Watch: the gate is open.
    Opened,
    /// Watch: a ReplicaSet of this name exists.
    ReplicaSet(String),
    /// Watch: as many pods as wanted are new and available.
    RolledOut,
    /// Watch: the phase label is gone.
    Ended,
    /// NATS: an event.
    Event(Phase),
}

/// A Deployment as it was last seen.
#[derive(Clone, Debug, Default)]
struct Last {
    change: String,
    phase: Option<String>,
    closed: bool,
    rolled_out: bool,
}

/// Everything seen so far.
#[derive(Debug, Default)]
pub(super) struct History {
    seen: Vec<Seen>,
    last: BTreeMap<String, Last>,
    replica_sets: BTreeSet<String>,
    in_flight: usize,
    most_in_flight: usize,
}

/// How many of some Deployments are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) held: usize,
    pub(super) in_flight: usize,
    pub(super) done: usize,
}

impl History {
    /// A Deployment as the watch shows it.
    pub(super) fn deployment(&mut self, at: Instant, deployment: &Deployment) {
        let name = deployment.metadata.name.clone().unwrap_or_default();
        let mut now = Last {
            change: deployment.change().unwrap_or_default().to_owned(),
            phase: deployment.phase().map(str::to_owned),
            closed: deployment.gate() == Some("closed"),
            rolled_out: deployment.gate() == Some("open") && deployment.rolled_out(),
        };
        let before = self.last.get(&name).cloned().unwrap_or_default();
        let same = before.change == now.change;
        // Writing down the end bumps the generation: for a moment the rollout looks unfinished again.
        now.rolled_out |= same && before.rolled_out;
        self.last.insert(name.clone(), now.clone());
        let happened = [
            (now.closed && !(before.closed && same), What::Held),
            (!now.closed && before.closed, What::Opened),
            (now.rolled_out && !(before.rolled_out && same), What::RolledOut),
            (now.phase.is_none() && before.phase.is_some(), What::Ended),
        ];
        for (_, what) in happened.into_iter().filter(|(happened, _)| *happened) {
            self.push(at, &name, &now.change, what);
        }
        self.in_flight = self.last.values().filter(|last| last.phase.as_deref() == Some("released")).count();
        self.most_in_flight = self.most_in_flight.max(self.in_flight);
    }

    /// A ReplicaSet as the watch shows it; only the first sight of it counts.
    pub(super) fn replica_set(&mut self, at: Instant, set: &ReplicaSet) {
        let name = set.metadata.name.clone().unwrap_or_default();
        let owner = set.metadata.owner_references.iter().flatten().find(|owner| owner.kind == "Deployment");
        let Some(owner) = owner.map(|owner| owner.name.clone()) else { return };
        // The controller copies the change's id from the Deployment.
        let annotations = set.metadata.annotations.clone().unwrap_or_default();
        let change = annotations.get(contract::Key::Change.name()).cloned().unwrap_or_default();
        if self.replica_sets.insert(name.clone()) {
            self.push(at, &owner, &change, What::ReplicaSet(name));
        }
    }

    /// A message of the queue.
    pub(super) fn queued(&mut self, at: Instant, subject: &str, change: &Change) {
        self.push(at, &change.name, change.change.as_str(), What::Queued(subject.to_owned()));
    }

    /// A message of the events.
    pub(super) fn event(&mut self, at: Instant, event: &ChangeEvent) {
        self.push(at, &event.name, event.change.as_str(), What::Event(event.phase));
    }

    fn push(&mut self, at: Instant, deployment: &str, change: &str, what: What) {
        let (deployment, change) = (deployment.to_owned(), change.to_owned());
        self.seen.push(Seen { at, deployment, change, what });
    }

    /// All that happened to one change.
    pub(super) fn of_change<'a>(&'a self, change: &str) -> impl Iterator<Item = &'a Seen> {
        self.seen.iter().filter(move |seen| seen.change == change)
    }

    /// The first time that this happened to the change.
    pub(super) fn first<'a>(&'a self, change: &str, is: impl Fn(&What) -> bool) -> Option<&'a Seen> {
        self.of_change(change).find(|seen| is(&seen.what))
    }

    /// How often this happened to the change.
    pub(super) fn count(&self, change: &str, what: &What) -> usize {
        self.of_change(change).filter(|seen| seen.what == *what).count()
    }

    /// Id of the newest change of a Deployment.
    pub(super) fn change(&self, deployment: &str) -> Option<&str> {
        self.last.get(deployment).map(|last| last.change.as_str()).filter(|change| !change.is_empty())
    }

    /// How many changes were held.
    pub(super) fn changes(&self) -> usize {
        self.held().len()
    }

    /// How many of the changes that were held had their gate opened once.
    pub(super) fn changes_opened_once(&self) -> usize {
        self.held().into_iter().filter(|change| self.count(change, &What::Opened) == 1).count()
    }

    fn held(&self) -> BTreeSet<&str> {
        let held = self.seen.iter().filter(|seen| seen.what == What::Held);
        held.map(|seen| seen.change.as_str()).collect()
    }

    /// The most that were in flight at one time.
    pub(super) fn most_in_flight(&self) -> usize {
        self.most_in_flight
    }

    /// The phase of a Deployment, in a word for people.
    pub(super) fn state(&self, deployment: &str) -> &'static str {
        match self.last.get(deployment) {
            None => "not there yet",
            Some(last) => match last.phase.as_deref() {
                Some("held") => "held",
                Some("released") => "in flight",
                None if last.rolled_out => "done",
                _ => "neither held nor in flight nor done",
            },
        }
    }

    /// How many of these Deployments are where.
    pub(super) fn counts(&self, deployments: &[String]) -> Counts {
        let count = |state| deployments.iter().filter(|name| self.state(name) == state).count();
        Counts { held: count("held"), in_flight: count("in flight"), done: count("done") }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::deployment;

    fn stored(change: &str, gate: &str, phase: Option<&str>, done: bool) -> Deployment {
        let mut object = deployment("web").annotation("roadstead.dev/change", change);
        object = object.annotation("roadstead.dev/gate", gate);
        if let Some(phase) = phase {
            object = object.label("roadstead.dev/phase", phase);
        }
        let mut object = object.json();
        object["metadata"]["generation"] = json!(1);
        let pods = i32::from(done);
        object["status"] = json!({ "observedGeneration": 1, "replicas": pods, "updatedReplicas": pods,
                                   "availableReplicas": pods });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_change_is_held_opened_rolled_out_and_ended_once_each() {
        let (mut history, at) = (History::default(), Instant::now());
        let steps = vec![
            stored("one", "closed", Some("held"), false),
            stored("one", "closed", Some("held"), false),
            stored("one", "open", Some("released"), false),
            stored("one", "open", Some("released"), true),
            stored("one", "open", None, true),
            stored("two", "closed", Some("held"), true),
            stored("two", "open", Some("released"), false),
        ];
        for step in &steps {
            history.deployment(at, step);
        }
        for what in [What::Held, What::Opened, What::RolledOut, What::Ended] {
            assert_eq!(history.count("one", &what), 1, "{what:?}");
        }
        assert_eq!((history.count("two", &What::Opened), history.count("two", &What::RolledOut)), (1, 0));
        assert_eq!((history.changes(), history.changes_opened_once(), history.most_in_flight()), (2, 2, 1));
        let counts = history.counts(&["web".to_owned(), "other".to_owned()]);
        assert_eq!(counts, Counts { in_flight: 1, ..Counts::default() });
        assert_eq!(history.change("web"), Some("two"));
    }
}
