//! Which changes that wait for a rule are to be looked at: those whose rules end by themselves when that time has come,
//! the others when something happened that may have ended one. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use contract::{Lane, PolicyRef, Rule};

use super::{
    entry::{Entry, Stand},
    index::Index,
    space::{Name, slot},
};
use crate::live::UnixMillis;

/// What is to be looked at, and what will be. Kept equal to the entries by [`Index::take`] and [`Index::put`].
#[derive(Default)]
pub(super) struct Ripening {
    /// The ripe ones of each lane, by namespace, in their places.
    ripe: [BTreeMap<Name, BTreeSet<(u64, Name)>>; Lane::ALL.len()],
    /// When the rules of the others end, where that is known.
    due: BTreeSet<(UnixMillis, Name, Name)>,
    /// How many wait, by the rule that lasts longest.
    waiting: HashMap<Rule, usize>,
    /// How many wait for other Deployments.
    after: usize,
    /// What was held and is no more, while any waits for other Deployments.
    left: Vec<(Name, Name)>,
}

/// A change that is to be looked at; it is in hand until [`Index::settle`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ripe {
    /// Namespace of its Deployment.
    pub namespace: Name,
    /// Name of its Deployment.
    pub name: Name,
}

impl Ripening {
    pub(super) fn insert(&mut self, lane: Lane, (namespace, name): (&Name, &Name), entry: &Entry) {
        if entry.is_ripe() {
            let ripe = self.ripe[slot(lane)].entry(Name::clone(namespace)).or_default();
            ripe.insert((entry.place, Name::clone(name)));
        }
        if let Some(due) = entry.due() {
            self.due.insert((due, Name::clone(namespace), Name::clone(name)));
        }
        if let Some((_, rule)) = entry.rules().first() {
            *self.waiting.entry(*rule).or_default() += 1;
        }
        self.after += usize::from(waits_for_others(entry));
    }

    pub(super) fn remove(&mut self, lane: Lane, (namespace, name): (&Name, &Name), entry: &Entry) {
        if entry.is_ripe()
            && let Some(ripe) = self.ripe[slot(lane)].get_mut(namespace)
        {
            ripe.remove(&(entry.place, Name::clone(name)));
            if ripe.is_empty() {
                self.ripe[slot(lane)].remove(namespace);
            }
        }
        if let Some(due) = entry.due() {
            self.due.remove(&(due, Name::clone(namespace), Name::clone(name)));
        }
        if let Some((_, rule)) = entry.rules().first()
            && let Some(count) = self.waiting.get_mut(rule)
        {
            *count = count.saturating_sub(1);
        }
        self.after = self.after.saturating_sub(usize::from(waits_for_others(entry)));
    }
}

fn waits_for_others(entry: &Entry) -> bool {
    entry.rules().iter().any(|(_, rule)| *rule == Rule::After)
}

impl Index {
    /// The rules of some have ended by now.
    pub fn ripen_due(&mut self, now: UnixMillis) {
        while self.ripening.due.first().is_some_and(|(due, ..)| *due <= now)
            && let Some((_, namespace, name)) = self.ripening.due.pop_first()
        {
            self.change(&namespace, &name, Entry::ripen);
        }
    }

    /// Something happened that may have ended a rule: `of` says whether one of a policy is meant, in that namespace or
    /// in all. Answers how many are to be looked at.
    pub fn ripen(&mut self, namespace: Option<&str>, of: impl Fn(&PolicyRef, Rule) -> bool) -> usize {
        let mut found = Vec::new();
        for (space, entries) in &self.spaces {
            if namespace.is_some_and(|namespace| namespace != &**space) {
                continue;
            }
            for (name, entry) in &entries.entries {
                if !entry.ripe && entry.rules().iter().any(|(policy, rule)| of(policy, *rule)) {
                    found.push((Name::clone(space), Name::clone(name)));
                }
            }
        }
        for (namespace, name) in &found {
            self.change(namespace, name, Entry::ripen);
        }
        found.len()
    }

    /// The next of a lane that is to be looked at: the namespaces in turn, within one by place. `blocked` says of the
    /// rule of a policy that it still lets it wait, as far as is known without a look.
    pub fn take_ripe(&mut self, lane: Lane, blocked: impl Fn(&PolicyRef, Rule) -> bool) -> Option<Ripe> {
        loop {
            let (namespace, name) = self.ripest(lane)?;
            let entry = &self.spaces[&namespace].entries[&name];
            let still = entry.rules().iter().any(|(policy, rule)| blocked(policy, *rule));
            self.change(&namespace, &name, |entry| {
                entry.ripe = false;
                if !still {
                    entry.stand = Stand::InHand;
                }
            });
            if !still {
                self.had_turn(&namespace, lane);
                return Some(Ripe { namespace, name });
            }
        }
    }

    /// A second look at a change that waits for a rule was delivered: which one comes first, of its lane or of a more
    /// urgent one. It is in hand then; where it is another one, the one that was delivered stays to be looked at. `None`:
    /// it waits for no rule.
    #[must_use]
    pub fn choose_woken(
        &mut self,
        lane: Lane,
        (namespace, name): (&str, &str),
    ) -> Option<(Lane, (Name, Name))> {
        let entry = self.spaces.get(namespace)?.entries.get(name)?;
        if entry.held.lane != Some(lane) || entry.stand != Stand::Aside || entry.rules().is_empty() {
            return None;
        }
        self.change(namespace, name, Entry::ripen);
        let mut lanes = Lane::ALL.into_iter().filter(|other| *other <= lane);
        let (lane, first) = lanes.find_map(|lane| Some((lane, self.ripest(lane)?)))?;
        self.change(&first.0, &first.1, |entry| (entry.ripe, entry.stand) = (false, Stand::InHand));
        self.had_turn(&first.0, lane);
        Some((lane, first))
    }

    fn ripest(&self, lane: Lane) -> Option<(Name, Name)> {
        let reached = self.turns[slot(lane)].round;
        let turn = |(namespace, ripe): &(&Name, &BTreeSet<(u64, Name)>)| {
            let round = self.spaces.get(*namespace).map_or(0, |space| space.rounds[slot(lane)]);
            (round.max(reached), ripe.first().map(|(place, _)| *place))
        };
        let (namespace, ripe) = self.ripening.ripe[slot(lane)].iter().min_by_key(turn)?;
        Some((Name::clone(namespace), Name::clone(&ripe.first()?.1)))
    }

    /// How many wait, by the rule that lasts longest.
    #[must_use]
    pub fn waiting_for_rules(&self) -> [(Rule, usize); Rule::ALL.len()] {
        Rule::ALL.map(|rule| (rule, self.ripening.waiting.get(&rule).copied().unwrap_or_default()))
    }

    /// How many wait for a rule of each policy or freeze.
    #[must_use]
    pub fn waiting_for_policies(&self) -> HashMap<PolicyRef, usize> {
        let mut waiting = HashMap::new();
        for entry in self.spaces.values().flat_map(|space| space.entries.values()) {
            let policies: BTreeSet<_> = entry.rules().iter().map(|(policy, _)| policy).collect();
            for policy in policies {
                *waiting.entry(policy.clone()).or_default() += 1;
            }
        }
        waiting
    }

    /// A Deployment is held no more: those that wait for it may go.
    pub(super) fn left(&mut self, namespace: &str, name: Name) {
        if self.ripening.after > 0 {
            self.ripening.left.push((namespace.into(), name));
        }
    }

    /// What was held and is no more since this was asked last, while any waits for other Deployments.
    pub fn take_left(&mut self) -> Vec<(Name, Name)> {
        std::mem::take(&mut self.ripening.left)
    }
}

#[cfg(test)]
mod tests {
    use contract::PolicyKind;

    use super::*;
    use crate::queue::{After, Held, Trouble};

    fn policy(name: &str) -> PolicyRef {
        PolicyRef { kind: PolicyKind::ReleasePolicy, namespace: None, name: name.into() }
    }

    /// An index of changes that wait for a rule, each given by its namespace, name and lane, in the order of the queue.
    fn index(changes: &[(&str, &str, Lane)], rule: Rule, until: Option<UnixMillis>) -> Index {
        let mut index = Index::default();
        for ((namespace, name, lane), sequence) in changes.iter().zip(1..) {
            let (change, lane): (contract::ChangeId, _) = ("aaaaaaaaaa".parse().unwrap(), *lane);
            let held = Held { change: change.clone(), attempt: 1, asked: None, lane: Some(lane), says: 0 };
            index.held(namespace, name, held, (0, 0), 0);
            let queued = super::super::Queued { change, attempt: 1, lane, sequence, published: 0 };
            index.queued(namespace, name, queued, 0);
            trouble(&mut index, namespace, name, rule, until);
        }
        index
    }

    fn trouble(index: &mut Index, namespace: &str, name: &str, rule: Rule, until: Option<UnixMillis>) {
        let trouble = Trouble {
            change: "aaaaaaaaaa".parse().unwrap(),
            tries: 1,
            last_error: "no".into(),
            next_try: until,
            rules: [(policy("p"), rule)].into(),
            until,
        };
        index.troubled(namespace, name, trouble);
    }

    fn take(index: &mut Index, lane: Lane) -> Option<String> {
        index.take_ripe(lane, |_, _| false).map(|ripe| format!("{}/{}", ripe.namespace, ripe.name))
    }

    #[test]
    fn at_their_time_the_namespaces_take_turns_and_within_one_the_first_in_is_first() {
        let changes = [
            ("a", "z", Lane::Normal),
            ("a", "y", Lane::Normal),
            ("a", "x", Lane::Normal),
            ("b", "w", Lane::Normal),
            ("b", "fix", Lane::Urgent),
        ];
        let mut index = index(&changes, Rule::Window, Some(5_000));
        assert_eq!(index.waiting_for_rules()[0], (Rule::Window, 5));
        assert_eq!(index.waiting_for_policies(), HashMap::from([(policy("p"), 5)]));
        index.ripen_due(4_999);
        assert_eq!(take(&mut index, Lane::Normal), None);
        index.ripen_due(5_000);
        assert_eq!(take(&mut index, Lane::Urgent).as_deref(), Some("b/fix"));
        let order: Vec<_> = std::iter::from_fn(|| take(&mut index, Lane::Normal)).collect();
        assert_eq!(order, ["a/z", "b/w", "a/y", "a/x"]);
    }

    #[test]
    fn what_had_no_slot_is_looked_at_again_and_what_waits_on_is_not_until_its_new_time() {
        let mut index = index(&[("a", "z", Lane::Normal)], Rule::Freeze, Some(5));
        index.ripen_due(5);
        for (after, again) in [(After::Ripe, true), (After::Aside, false)] {
            assert_eq!(take(&mut index, Lane::Normal).as_deref(), Some("a/z"));
            assert_eq!(take(&mut index, Lane::Normal), None, "it is in hand");
            index.settle("a", "z", after);
            index.ripen_due(9);
            assert_eq!(index.ripest(Lane::Normal).is_some(), again, "{after:?}");
        }
        trouble(&mut index, "a", "z", Rule::Freeze, Some(20));
        index.ripen_due(19);
        assert_eq!(take(&mut index, Lane::Normal), None);
        index.ripen_due(20);
        assert!(take(&mut index, Lane::Normal).is_some());
        index.departed("a", "z");
        assert_eq!(index.waiting_for_rules()[1], (Rule::Freeze, 0));
        assert!(index.ripening.due.is_empty() && index.ripening.ripe.iter().all(BTreeMap::is_empty));
    }

    #[test]
    fn what_may_have_ended_a_rule_brings_on_those_that_wait_for_it() {
        let mut index = index(&[("a", "z", Lane::Normal), ("b", "z", Lane::Normal)], Rule::After, None);
        assert_eq!(index.ripen(None, |_, rule| rule == Rule::Slots), 0);
        assert_eq!(index.ripen(Some("b"), |policy, rule| policy.name == "p" && rule == Rule::After), 1);
        assert_eq!(index.ripen(Some("b"), |_, _| true), 0, "it is ripe");
        assert_eq!(take(&mut index, Lane::Normal).as_deref(), Some("b/z"));
        // What happens while it is looked at is not lost.
        index.ripen(Some("b"), |_, _| true);
        assert_eq!(take(&mut index, Lane::Normal), None);
        index.settle("b", "z", After::Aside);
        assert_eq!(take(&mut index, Lane::Normal).as_deref(), Some("b/z"));
        index.departed("b", "z");
        assert_eq!(index.take_left().len(), 1);
        index.departed("a", "z");
        assert_eq!((index.take_left().len(), index.ripening.after), (0, 0), "nobody waits any more");
    }

    #[test]
    fn a_rule_that_is_known_to_last_costs_no_look() {
        let mut index = index(&[("a", "z", Lane::Normal)], Rule::Slots, None);
        index.ripen(None, |_, _| true);
        assert_eq!(index.take_ripe(Lane::Normal, |_, rule| rule == Rule::Slots), None);
        assert_eq!(take(&mut index, Lane::Normal), None, "until it ends");
        index.ripen(None, |_, _| true);
        assert!(take(&mut index, Lane::Normal).is_some());
    }

    #[test]
    fn a_second_look_lets_the_first_of_its_lane_go_before_its_own_change() {
        let changes =
            [("a", "first", Lane::Normal), ("a", "second", Lane::Normal), ("a", "fix", Lane::Urgent)];
        let mut index = index(&changes, Rule::Window, Some(5));
        index.ripen_due(5);
        let mut woken = || {
            let (lane, (_, name)) = index.choose_woken(Lane::Normal, ("a", "second"))?;
            Some((lane, name.to_string()))
        };
        assert_eq!(woken(), Some((Lane::Urgent, "fix".into())));
        assert_eq!(woken(), Some((Lane::Normal, "first".into())));
        assert_eq!(woken(), Some((Lane::Normal, "second".into())), "the others are in hand");
        assert_eq!(index.choose_woken(Lane::Normal, ("a", "second")), None, "so is this one");
    }

    #[test]
    fn an_approval_brings_a_change_on_that_waits_for_a_rule_and_no_other() {
        let mut index = index(&[("a", "z", Lane::Normal)], Rule::Approval, None);
        let held = |says| Held {
            change: "aaaaaaaaaa".parse().unwrap(),
            attempt: 1,
            asked: None,
            lane: Some(Lane::Normal),
            says,
        };
        index.held("a", "z", held(0), (0, 0), 0);
        assert_eq!(take(&mut index, Lane::Normal), None, "nothing new was said");
        index.held("a", "z", held(1), (0, 0), 0);
        assert!(take(&mut index, Lane::Normal).is_some());
        index.held("a", "new", held(0), (0, 0), 0);
        index.held("a", "new", held(1), (0, 0), 0);
        assert_eq!(take(&mut index, Lane::Normal), None);
    }
}
