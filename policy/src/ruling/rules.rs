//! The rules of one policy, each in its own words: what is waited for, who decides, and what to do.

use contract::{Approval, Lane, Rule, key};
use jiff::Timestamp;

use super::{Facts, Standing, Wait, cut, urgent, utc};
use crate::{
    resource::WindowKind,
    set::Policy,
    window::{Shut, UnixMillis, written},
};

/// The rules of a policy that let a change wait.
pub(super) fn waits(policy: &Policy, facts: &Facts<'_>) -> Vec<Wait> {
    let mut waits: Vec<_> = [
        invalid(policy),
        paused(policy),
        window(policy, facts),
        approvals(policy, facts),
        interval(policy, facts),
        slots(policy, facts),
    ]
    .into_iter()
    .flatten()
    .collect();
    waits.extend(after(policy, facts));
    waits
}

fn invalid(policy: &Policy) -> Option<Wait> {
    let problem = policy.problems.first()?;
    let message = format!(
        "{} cannot be obeyed until its author corrects {}: {}",
        policy.reference,
        problem.field,
        cut(&problem.message, 200)
    );
    Some(Wait { rule: Rule::Invalid, until: None, message })
}

fn paused(policy: &Policy) -> Option<Wait> {
    let paused = policy.paused.as_ref()?;
    let message = format!(
        "{policy} is paused since Deployment {}/{} failed: {}; when that is settled, annotate {policy} with {}={}",
        paused.namespace,
        paused.deployment,
        cut(&paused.reason, 120),
        key::RESUME,
        paused.change,
        policy = policy.reference,
    );
    Some(Wait { rule: Rule::Paused, until: None, message })
}

fn window(policy: &Policy, facts: &Facts<'_>) -> Option<Wait> {
    let Shut { window, until } = policy.windows.shut(facts.now, facts.lane == Lane::Urgent)?;
    let window = policy.windows.get(window)?;
    let what = match window.kind {
        WindowKind::Freeze => format!("lets nothing through in its freeze window {}", window.name),
        WindowKind::Allow => {
            let allows = policy.windows.iter().filter(|window| window.kind == WindowKind::Allow);
            let names: Vec<_> = allows.map(|window| &*window.name).collect();
            let windows = if names.len() > 1 { "windows" } else { "window" };
            format!("lets changes through in its {windows} {} only", cut(&names.join(", "), 100))
        }
    };
    let when = until.map_or_else(
        || "no next opening is known: ask who owns the policy".to_owned(),
        |until| format!("next at {}", window.local(until)),
    );
    let message = format!("{} {what}: {when}{}", policy.reference, urgent(window.allow_urgent));
    Some(Wait { rule: Rule::Window, until, message })
}

fn approvals(policy: &Policy, facts: &Facts<'_>) -> Option<Wait> {
    let (required, expire_after) = policy.approvals?;
    let counts = |approval: &&Approval| {
        let (Some(at), Some(expire_after)) = (&approval.at, expire_after) else { return true };
        // What is no time was not written by an executor, and counts for nothing.
        let Ok(at) = at.parse::<Timestamp>() else { return false };
        after_that(at.as_millisecond(), expire_after) > facts.now
    };
    let (given, expired): (Vec<_>, Vec<_>) =
        facts.approvals.of(facts.change, facts.requested_by).partition(counts);
    if u32::try_from(given.len()).unwrap_or(u32::MAX) >= required {
        return None;
    }
    let by: Vec<_> = given.iter().map(|approval| &*approval.by).collect();
    let by = if by.is_empty() { String::new() } else { format!(" (by {})", cut(&by.join(", "), 80)) };
    let expired = if expired.is_empty() { String::new() } else { format!(", {} expired", expired.len()) };
    let message = format!(
        "{} has {} of {required} approvals{by}{expired}: whoever may approve annotates the Deployment with {}={}",
        policy.reference,
        given.len(),
        key::APPROVE,
        facts.change,
    );
    Some(Wait { rule: Rule::Approval, until: None, message })
}

fn interval(policy: &Policy, facts: &Facts<'_>) -> Option<Wait> {
    let least = policy.min_interval?;
    let until = after_that(facts.last_release?, least);
    (facts.now < until).then(|| Wait {
        rule: Rule::Interval,
        until: Some(until),
        message: format!(
            "{} lets {}/{} through once in {} only: next at {}",
            policy.reference,
            facts.namespace,
            facts.name,
            written(least),
            utc(until)
        ),
    })
}

fn slots(policy: &Policy, facts: &Facts<'_>) -> Option<Wait> {
    let slots = policy.slots?;
    if (facts.in_flight)(&policy.reference) < slots {
        return None;
    }
    let message = if slots == 0 {
        format!("{} has no slots: its author has to raise spec.limits.slots", policy.reference)
    } else {
        format!(
            "{} has {slots} in flight, all that it allows: one goes when one of them ends",
            policy.reference
        )
    };
    Some(Wait { rule: Rule::Slots, until: None, message })
}

/// The Deployments that come first. One that is itself on the list waits for those before it only: else two of the list
/// would wait for each other for ever.
fn after<'a>(policy: &'a Policy, facts: &'a Facts<'_>) -> impl Iterator<Item = Wait> + use<'a> {
    let first = policy.after.iter().take_while(|name| *name != facts.name);
    first.enumerate().filter_map(|(at, name)| {
        // A name that is written twice is told of once.
        if policy.after[..at].contains(name) {
            return None;
        }
        let why = match (facts.standing)(name) {
            Standing::Succeeded => return None,
            Standing::Absent => "which does not exist: create it, or take it off spec.limits.after",
            Standing::Waits => "which waits itself: it goes when that one succeeded",
            Standing::RollsOut => "which rolls out: it goes when that one succeeded",
            Standing::Failed => "whose last rollout failed: repair that one",
        };
        let message = format!("{} lets {}/{name} go first, {why}", policy.reference, facts.namespace);
        Some(Wait { rule: Rule::After, until: None, message })
    })
}

fn after_that(moment: UnixMillis, time: std::time::Duration) -> UnixMillis {
    moment.saturating_add(UnixMillis::try_from(time.as_millis()).unwrap_or(UnixMillis::MAX))
}
