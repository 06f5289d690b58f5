//! Which change a message stands for: its own, or the one whose turn it is. A queue holds the messages of several
//! namespaces in the order in which they came; where it is another's turn than that of the first, that one's change
//! is let through by its live object, and the message is put back. Its own message will find it done.

use std::time::Duration;

use contract::{
    ChangeId, Lane,
    subject::{ChangeSubject, shard},
};
use ops::chain;

use super::{Worker, board::Pick, delivery::Delivery};
use crate::{
    error::Failure,
    live::now,
    outcome::{Outcome, Reason},
    queue::{After, Choice, Queued, Trouble, View},
    release::Turn,
};

/// Longest try of what comes instead. With the work on the message itself it stays below the ack wait, and below the
/// time that a process has to end.
const LIMIT: Duration = Duration::from_secs(5);

/// What became of a change that came instead.
pub(crate) enum Instead {
    /// It was let through; the change, where that was told.
    Released { told: Option<ChangeId> },
    /// There is none for it.
    NoSlot,
    /// It has to be seen to by its own message.
    Nothing,
}

impl Worker {
    /// Works on a message, or lets through what comes before it; `granted` is called when a change has a slot.
    pub(super) async fn serve(
        &self,
        view: &View,
        pick: &Pick,
        delivery: &Delivery,
        granted: impl Fn() + Send + Sync,
    ) -> Outcome {
        let Ok(ChangeSubject { namespace, name, .. }) = delivery.address() else {
            return self.work(delivery, granted).await;
        };
        // A second look stands in its change's place.
        let sequence = match pick.place.shard {
            Some(_) => delivery.sequence,
            None => delivery.wake().map(|wake| wake.sequence).unwrap_or_default(),
        };
        let (lane, own) = (pick.place.lane, (&*namespace, &*name));
        let (lane, choice, is_done) = view.with(|index| {
            let queued = delivery.queued();
            let is_done = queued.as_ref().is_some_and(|queued| index.is_done(queued));
            if let Some(queued) = queued.filter(|_| !is_done) {
                // The stream may not have told of it yet.
                index.queued(&namespace, &name, queued, now());
            }
            let woken = if pick.place.shard.is_none() { index.choose_woken(lane, own) } else { None };
            match woken {
                Some((_, (space, first))) if (&*space, &*first) == own => (lane, Choice::Own, is_done),
                Some((lane, (space, first))) => (lane, Choice::Instead(space, first), is_done),
                None => {
                    let at = (lane, shard(&namespace));
                    (lane, index.choose(at, pick.turn.as_ref(), own, sequence), is_done)
                }
            }
        });
        if is_done && choice == Choice::Own {
            return Outcome::Done;
        }
        if let Choice::Instead(space, first) = choice {
            let reason = match self.bring_on(view, (&*space, &*first), lane, &granted).await {
                Instead::Released { .. } => Some(Reason::NotItsTurn),
                Instead::NoSlot => Some(Reason::NoSlot),
                Instead::Nothing => None,
            };
            if let Some(reason) = reason {
                return reason.retry(delivery.delivered);
            }
            view.with(|index| index.reconsider(&namespace, &name, sequence));
        }
        let outcome = self.work(delivery, granted).await;
        let after = match &outcome {
            Outcome::Done | Outcome::Dead(_) => After::Over,
            Outcome::Retry(_, Reason::NoSlot) => After::PutBack,
            Outcome::Retry(..) | Outcome::Wakes(..) => After::Aside,
        };
        view.with(|index| index.settle(&namespace, &name, after));
        outcome
    }

    /// Lets a change through by its live object, in whose turn another's message came or that waited for a rule.
    pub(crate) async fn bring_on(
        &self,
        view: &View,
        (namespace, name): (&str, &str),
        lane: Lane,
        granted: &(impl Fn() + Send + Sync),
    ) -> Instead {
        // Before it is let through: its watch may tell of that at once.
        let (message, trouble) =
            view.with(|index| (index.message_of(namespace, name), index.trouble_of(namespace, name)));
        let waits = trouble.filter(|trouble| !trouble.rules.is_empty());
        let instead = self.instead((namespace, name), lane, message.as_ref(), waits.as_ref(), granted);
        let instead = tokio::time::timeout(LIMIT, instead).await.unwrap_or(Instead::Nothing);
        let after = match &instead {
            Instead::Released { told } => {
                if let Some(message) = message.filter(|message| Some(&message.change) == told.as_ref()) {
                    view.with(|index| index.done(message));
                }
                After::Over
            }
            Instead::NoSlot if waits.is_some() => After::Ripe,
            Instead::NoSlot => After::PutBack,
            Instead::Nothing => After::Aside,
        };
        view.with(|index| index.settle(namespace, name, after));
        instead
    }

    async fn instead(
        &self,
        (namespace, name): (&str, &str),
        lane: Lane,
        message: Option<&Queued>,
        waits: Option<&Trouble>,
        granted: &(impl Fn() + Send + Sync),
    ) -> Instead {
        let turn = async {
            let Some(live) = self.releaser.deployments.get(namespace, name).await? else { return Ok(None) };
            let Some(pointer) = self.releaser.held(&live).filter(|pointer| pointer.lane == lane) else {
                return Ok(None);
            };
            let turn = self.releaser.turn_from(Some(live), &pointer, granted).await?;
            if let (Turn::Waits(ruling), Some(message), Some(known)) = (&turn, message, waits) {
                self.waits_on(pointer, message, known, ruling).await?;
            }
            Ok::<_, Failure>(Some(turn))
        };
        let released = match turn.await {
            Ok(Some(Turn::Released(released))) => released,
            Ok(Some(Turn::Later(Reason::NoSlot))) => return Instead::NoSlot,
            Ok(_) => return Instead::Nothing,
            Err(failure) => {
                let error = chain(&failure);
                tracing::debug!(namespace, deployment = name, error, "its own message brings the change on");
                return Instead::Nothing;
            }
        };
        let told = self.tell_release(&released, "let through").await;
        if let Err(failure) = &told {
            tracing::debug!(error = chain(failure), "the change's message will tell of its release");
        }
        Instead::Released { told: told.ok().and(released.live.state.change) }
    }
}
