//! The checker: a pure function from a recorded history to what was violated in it. The writes are gone through in
//! the order of their revisions; each rule sees the world as it was before a write, and the write.

mod ends;
mod growth;
mod order;
mod quiet;
mod release;
mod slots;
#[cfg(test)]
mod tests;
mod world;

pub(super) use quiet::left;

use std::fmt;

use super::history::{Deployment, History, Millis, Name, Revision, What, Write};
use slots::Slots;
use world::World;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// No pod, and no ReplicaSet that grows, of a change that was not let through.
    Growth,
    /// No older change is let through after a newer one.
    Order,
    /// Every accepted change comes to an end.
    Ends,
    /// No more rollouts in flight than there are slots.
    Slots,
    /// Nothing is let through but what was verified: this object, this change, this template.
    Match,
    /// Nothing is left closed when all is quiet.
    Quiet,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Growth => "a ReplicaSet of a change that was not let through",
            Self::Order => "an older change after a newer",
            Self::Ends => "a change without an end",
            Self::Slots => "more in flight than slots",
            Self::Match => "a release without a live match",
            Self::Quiet => "left behind when all was quiet",
        })
    }
}

/// One violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What was violated.
    pub rule: Rule,
    /// The write that did it; 0 where it is about the end.
    pub revision: Revision,
    /// When.
    pub at: Millis,
    /// The Deployment.
    pub name: Name,
    /// What happened.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, revision, at, name, message } = self;
        write!(f, "{name}: {rule}: {message} (revision {revision}, {at} ms)")
    }
}

/// All violations, in the order in which they happened.
#[must_use]
pub fn check(history: &History) -> Vec<Violation> {
    let mut world = World::default();
    let mut slots = Slots::new(&history.limits);
    let mut found = Vec::new();
    for write in &history.writes {
        let mut say = |rule: Rule, name: &Name, message: String| {
            let (revision, at) = (write.revision, write.at);
            found.push(Violation { rule, revision, at, name: name.clone(), message });
        };
        match &write.what {
            What::Deployment(new) => {
                let old = world.stored(new).cloned();
                let step = Step { world: &world, write, old: old.as_ref(), new };
                if let Some(message) = order::judge(&step) {
                    say(Rule::Order, &new.name, message);
                }
                if let Some(message) = release::judge(&step, &history.limits) {
                    say(Rule::Match, &new.name, message);
                }
                if let Some(message) = slots.learn(&step) {
                    say(Rule::Slots, &new.name, message);
                }
            }
            What::DeploymentGone(name) => slots.gone(&world, name),
            What::ReplicaSet(set) => {
                if let Some(message) = growth::judge(&world, write, set) {
                    say(Rule::Growth, &world.owner_name(set), message);
                }
            }
            What::Namespace(namespace) => slots.opted(&world, namespace),
            What::ReplicaSetGone(_) => {}
        }
        world.learn(write);
    }
    found.extend(ends::judge(&world, history));
    if history.quiet {
        found.extend(quiet::judge(&world));
    }
    found
}

/// One write of a Deployment, and what was before.
struct Step<'a> {
    world: &'a World,
    write: &'a Write,
    old: Option<&'a Deployment>,
    new: &'a Deployment,
}

impl Step<'_> {
    /// Whether the template is another one than before, or the Deployment is new.
    fn is_new_template(&self) -> bool {
        self.old.is_none_or(|old| old.digest != self.new.digest)
    }

    /// Whether a gate that was closed opened, with the same template behind it.
    fn opens(&self) -> bool {
        self.old.is_some_and(|old| old.state.is_closed())
            && !self.new.state.is_closed()
            && !self.is_new_template()
    }

    /// Whether the executor wrote, as far as is known.
    fn may_be_by(&self, who: &str) -> bool {
        self.write.by.as_deref().is_none_or(|by| by == who)
    }
}
