//! Whether a change may be let through now: every rule of every policy that selects its Deployment, but for the
//! validations. Pure; the caller brings the time and what else there is to know.

mod rules;
#[cfg(test)]
mod tests;

use contract::{Approvals, ChangeId, Lane, Obstacle, Phase, PolicyRef, ROLLED_BACK_BY, Rule, State};
use jiff::Timestamp;

use crate::{
    resource::{Action, Mode},
    set::{Frost, Selected},
    validation::Finding,
    window::UnixMillis,
};

/// How a Deployment that comes first stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none of that name.
    Absent,
    /// A change of it waits.
    Waits,
    /// A change of it rolls out.
    RollsOut,
    /// Its last rollout failed.
    Failed,
    /// Its last rollout succeeded, and nothing else waits.
    Succeeded,
}

impl Standing {
    /// How a Deployment with these keys stands. One that was rolled back runs again, but what was to come first did not.
    #[must_use]
    pub fn of(state: &State) -> Self {
        match state.phase {
            _ if state.is_closed() => Self::Waits,
            Some(Phase::Released) => Self::RollsOut,
            Some(Phase::Failed) => Self::Failed,
            _ if state.requested_by.as_deref() == Some(ROLLED_BACK_BY) => Self::Failed,
            _ => Self::Succeeded,
        }
    }
}

/// What there is to know of a change.
pub struct Facts<'a> {
    /// Now.
    pub now: UnixMillis,
    /// Namespace of the Deployment.
    pub namespace: &'a str,
    /// Name of the Deployment.
    pub name: &'a str,
    /// The change.
    pub change: &'a ChangeId,
    /// Who requested it.
    pub requested_by: Option<&'a str>,
    /// Its lane.
    pub lane: Lane,
    /// The approvals that stand on it.
    pub approvals: &'a Approvals,
    /// When a change of the Deployment was let through last.
    pub last_release: Option<UnixMillis>,
    /// How Deployments that come first stand; asked only where a policy names them.
    pub standing: &'a dyn Fn(&str) -> Standing,
    /// Rollouts in flight of a policy, this Deployment's own not counted.
    pub in_flight: &'a dyn Fn(&PolicyRef) -> u32,
}

/// What the policies say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruling {
    /// The rules that let it wait, the one that lasts longest first: what has no end, then the latest end. None: it may go.
    pub obstacles: Vec<Obstacle>,
    /// The rules that would, of policies that only observe.
    pub observed: Vec<Obstacle>,
}

/// Why a rule lets a change wait, before it is known of which policy it is.
struct Wait {
    rule: Rule,
    until: Option<UnixMillis>,
    message: String,
}

impl Ruling {
    /// When the change may go at the earliest, as far as that is known: the latest end of all obstacles; `None` where
    /// one of them has none.
    #[must_use]
    pub fn until(&self) -> Option<UnixMillis> {
        let ends = self.obstacles.iter().map(|obstacle| {
            let until: Timestamp = obstacle.until.as_deref()?.parse().ok()?;
            Some(until.as_millisecond())
        });
        ends.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Adds the validations that deny it: they have no end, and stand before what has one.
    pub fn deny(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings.into_iter().filter(|finding| finding.action == Action::Deny) {
            let Finding { policy, name, observed, message, .. } = finding;
            let obstacles = if observed { &mut self.observed } else { &mut self.obstacles };
            let at = obstacles.iter().position(|one| one.until.is_some()).unwrap_or(obstacles.len());
            let message = message.replace(char::is_control, " ");
            let message = format!("{policy} does not let it through, rule {name}: {message}");
            obstacles.insert(at, Obstacle { policy, rule: Rule::Validation, until: None, message });
        }
    }
}

/// Asks every rule.
#[must_use]
pub fn ruling(selected: &Selected<'_>, facts: &Facts<'_>) -> Ruling {
    let (mut obeyed, mut observed) = (Vec::new(), Vec::new());
    for frost in &selected.freezes {
        obeyed.extend(freeze(frost, facts).map(|wait| (&frost.reference, wait)));
    }
    for policy in &selected.policies {
        let waits = match policy.mode {
            Mode::Enforce => &mut obeyed,
            Mode::Observe => &mut observed,
        };
        waits.extend(rules::waits(policy, facts).into_iter().map(|wait| (&policy.reference, wait)));
    }
    Ruling { obstacles: in_order(obeyed), observed: in_order(observed) }
}

/// The one that lasts longest first.
fn in_order(mut waits: Vec<(&PolicyRef, Wait)>) -> Vec<Obstacle> {
    waits.sort_by_key(|(_, wait)| std::cmp::Reverse(wait.until.unwrap_or(UnixMillis::MAX)));
    let obstacle = |(policy, wait): (&PolicyRef, Wait)| Obstacle {
        policy: policy.clone(),
        rule: wait.rule,
        until: wait.until.map(utc),
        message: wait.message,
    };
    waits.into_iter().map(obstacle).collect()
}

fn freeze(frost: &Frost, facts: &Facts<'_>) -> Option<Wait> {
    let stands = frost.from.is_none_or(|from| from <= facts.now) && facts.now < frost.until;
    let passes = frost.allow_urgent && facts.lane == Lane::Urgent;
    (stands && !passes).then(|| Wait {
        rule: Rule::Freeze,
        until: Some(frost.until),
        message: format!(
            "{} lets nothing through until {}: {} (ask {}){}{}",
            frost.reference,
            utc(frost.until),
            cut(&frost.reason, 160),
            cut(&frost.owner, 60),
            urgent(frost.allow_urgent),
            frost.problems.first().map_or_else(String::new, |problem| {
                format!(
                    "; it freezes everything while {} is wrong: {}",
                    problem.field,
                    cut(&problem.message, 120)
                )
            }),
        ),
    })
}

/// What is said where urgent changes are let through all the same.
const fn urgent(allowed: bool) -> &'static str {
    if allowed { "; urgent changes pass" } else { "" }
}

/// A moment in RFC 3339, in UTC.
fn utc(moment: UnixMillis) -> String {
    let clamped = moment.clamp(Timestamp::MIN.as_millisecond(), Timestamp::MAX.as_millisecond());
    Timestamp::from_millisecond(clamped).unwrap_or(Timestamp::MAX).to_string()
}

/// What people write, in one line and no longer than that many bytes.
fn cut(text: &str, bytes: usize) -> String {
    let end = text.floor_char_boundary(bytes);
    let text = if end < text.len() { format!("{}...", &text[..end]) } else { text.to_owned() };
    text.replace(char::is_control, " ")
}
