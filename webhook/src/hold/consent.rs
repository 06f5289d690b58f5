//! What people say of the change that waits: that they approve it, or that it is let through past every rule. An order is
//! obeyed in the write that gives it, recorded in our own keys, and taken off. Whether its writer may give it, the API
//! server decides by what is recorded.

use contract::{
    Approval, Approvals, ChangeId, Key, Override, Phase,
    approval::{MAX_APPROVALS, MAX_REASON},
    key,
};

use super::decide::{Intent, Pair};
use crate::{
    answer::{Cause, Denial},
    object::Annotations,
};

/// What the giver of orders is told.
#[derive(Default)]
pub(super) struct Told {
    /// What was obeyed.
    pub(super) notices: Vec<String>,
    /// What was not.
    pub(super) warnings: Vec<String>,
}

/// Reads one of the orders.
type Order = for<'s> fn(&'s Annotations<'_>) -> Option<&'s str>;

/// The orders, by their keys.
const ORDERS: [(&str, Order); 2] =
    [(key::APPROVE, |sent| sent.approve()), (key::RELEASE, |sent| sent.release())];

impl<'a> Pair<'a, '_> {
    /// Obeys the orders of a write that leaves the template alone.
    pub(super) fn consent(&self, intent: &mut Intent<'a>) -> Result<Told, Denial> {
        let mut told = Told::default();
        let waiting = waiting(intent);
        self.approve(intent, waiting.as_ref(), &mut told)?;
        self.release(intent, waiting.as_ref(), &mut told)?;
        for (key, order) in ORDERS {
            let stood = self.sent().and_then(order).is_some() && self.new_order(order).is_none();
            if stood {
                told.warnings.push(format!(
                    "Roadstead: {key} stood there before and is taken off unread: write it anew"
                ));
            }
        }
        Ok(told)
    }

    /// What is said to orders in a write of a new template, or in one that creates: they are for no change that was
    /// there to be looked at.
    pub(super) fn idle_orders(&self) -> Option<String> {
        let (key, _) = ORDERS.into_iter().find(|(_, order)| self.new_order(*order).is_some())?;
        Some(format!(
            "Roadstead: {key} is not obeyed in a write that changes the pod template: write it anew"
        ))
    }

    fn sent(&self) -> Option<&Annotations<'a>> {
        self.new.metadata.annotations.as_ref()
    }

    /// What the write sends for an own key, where that is not what is stored.
    fn claim(&self, key: Key, intent: &Intent<'a>) -> Option<&str> {
        self.sent().and_then(|sent| sent.get(key)).filter(|sent| intent.own.get(key) != Some(*sent))
    }

    fn approve(
        &self,
        intent: &mut Intent<'a>,
        waiting: Option<&ChangeId>,
        told: &mut Told,
    ) -> Result<(), Denial> {
        let by = &*self.request.user_info.username;
        let order = self.new_order(Annotations::approve);
        let claim = self.claim(Key::Approvals, intent);
        if order.is_none() && claim.is_none() {
            return Ok(());
        }
        let is_own = intent.own.get(Key::RequestedBy) == Some(by);
        let Some(change) =
            waiting.filter(|change| order.as_deref().is_none_or(|id| id.trim() == change.as_str()))
        else {
            told.warnings.extend(order.map(|_| not_obeyed("approved", waiting)));
            return Ok(());
        };
        if is_own {
            return order.map_or(Ok(()), |_| Err(self.own_approval(change)));
        }
        let approvals = approved(intent.own.get(Key::Approvals), by, change);
        let (text, count) = (approvals.write(), approvals.0.len());
        // The API server may call again with our own first answer in it, the order gone (reinvocation): that is the
        // same approval. A client that writes so by himself approves as if he had ordered it.
        if order.is_none() && claim != text.as_deref() {
            return Ok(());
        }
        if count > MAX_APPROVALS {
            told.warnings
                .push(format!("Roadstead: change {change} has {MAX_APPROVALS} approvals, and takes no more"));
            return Ok(());
        }
        intent.own.set(Key::Approvals, text);
        told.notices
            .push(format!("Roadstead: change {change} is approved by you; approvals in all: {count}"));
        Ok(())
    }

    fn own_approval(&self, change: &ChangeId) -> Denial {
        let message = format!(
            "change {change} of Deployment {}/{} was requested by {}: who requests a change may not approve it, somebody \
             else has to",
            self.request.namespace(),
            self.request.name(),
            self.request.user_info.username,
        );
        let cause = Cause::of_field("RoadsteadOwnApproval", field(key::APPROVE), message.as_str());
        Denial::forbidden(message, vec![cause])
    }

    fn release(
        &self,
        intent: &mut Intent<'a>,
        waiting: Option<&ChangeId>,
        told: &mut Told,
    ) -> Result<(), Denial> {
        let by = &*self.request.user_info.username;
        let order = self.new_order(Annotations::release);
        let text = if let Some(order) = &order {
            let (id, reason) = order.trim().split_once(char::is_whitespace).unwrap_or((order.trim(), ""));
            let Some(change) = waiting.filter(|change| change.as_str() == id) else {
                told.warnings.push(not_obeyed("released", waiting));
                return Ok(());
            };
            let reason = self::reason(reason);
            if reason.is_empty() {
                return Err(self.no_reason(change));
            }
            Override { by: by.to_owned(), change: change.clone(), reason }.write()
        } else {
            // As with approvals: our own first answer, or a client who orders it in our words.
            let claim = self.claim(Key::Override, intent);
            let claimed = waiting.and_then(|change| Override::read(claim, change));
            let claimed = claimed.filter(|order| order.by == by && !order.reason.is_empty());
            let claimed = claimed.filter(|order| self::reason(&order.reason) == order.reason);
            claimed.and_then(|order| order.write()).filter(|text| claim == Some(text.as_str()))
        };
        if let (Some(text), Some(change)) = (text, waiting) {
            intent.own.set(Key::Override, Some(text));
            told.notices.push(format!("Roadstead: change {change} is let through past every rule"));
        }
        Ok(())
    }

    fn no_reason(&self, change: &ChangeId) -> Denial {
        let (field, problem) = (
            field(key::RELEASE),
            format!(
                "the reason is missing: kubectl annotate deployment {} -n {} '{}={change} why it cannot wait'",
                self.request.name(),
                self.request.namespace(),
                key::RELEASE,
            ),
        );
        let cause = Cause::of_field("FieldValueRequired", field.as_str(), problem.as_str());
        Denial::forbidden(format!("{field}: {problem}"), vec![cause])
    }
}

/// The change that waits after this write.
fn waiting(intent: &Intent<'_>) -> Option<ChangeId> {
    let waits = intent.own.is_closed() && intent.phase.as_deref() == Some(Phase::Held.as_str());
    intent.own.get(Key::Change).filter(|_| waits)?.parse().ok()
}

/// The approvals with one more. Who approves again renews his approval: it counts from then on.
fn approved(stored: Option<&str>, by: &str, change: &ChangeId) -> Approvals {
    let mut approvals = Approvals::read(stored);
    approvals.0.retain(|approval| approval.change == *change && approval.by != by);
    approvals.0.push(Approval { by: by.to_owned(), change: change.clone(), at: None });
    approvals
}

/// A reason as it is kept: in one line, and no longer than it may be.
fn reason(text: &str) -> String {
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let line = line.trim();
    line[..line.floor_char_boundary(MAX_REASON)].trim_end().to_owned()
}

fn not_obeyed(what: &str, waiting: Option<&ChangeId>) -> String {
    let stands = waiting
        .map_or_else(|| "no change waits here".to_owned(), |id| format!("the change that waits is {id}"));
    format!("Roadstead: nothing is {what}: {stands}")
}

fn field(key: &str) -> String {
    format!("metadata.annotations[{key}]")
}
