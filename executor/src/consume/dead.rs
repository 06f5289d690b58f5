//! Giving up: a message that is none of ours, or a change that was refused too often. First the dead letter, and NATS'
//! word that it is kept; then the label on the Deployment, by a patch that applies only while it is the same change;
//! then the word about it. The gate stays closed.

use contract::{
    Change, DeadLetter, Phase, Pointer,
    envelope::{Payload as _, open},
    stream::DEAD,
    subject,
};
use json_patch::Patch;
use ops::publish::publish;

use super::{Worker, delivery::Delivery, task::Task};
use crate::{
    edit::Edit,
    error::{Failure, Remedy},
    event::{Setback, Subject},
    live::Live,
    verify::{Verdict, verify},
};

/// What became of a change that was to be given up.
pub(super) enum Burial {
    /// It is given up.
    Done,
    /// It is not the one that waits any more.
    Changed,
}

/// Marks a held change as given up. An order to replay it that was obeyed goes with it, so that it can be given again.
fn patch(live: &Live) -> Option<Patch> {
    let edit = Edit::of(live).while_gate_and_change_stand().while_phase_stands();
    edit.phase(Some(Phase::Dead)).without_replay().finish()
}

impl Worker {
    /// Gives a change up that was refused that often.
    pub(super) async fn give_up(
        &self,
        task: &Task,
        refusals: u32,
        failure: &Failure,
    ) -> Result<Burial, Failure> {
        let Task { pointer, tries, .. } = task;
        let deployments = &self.releaser.deployments;
        let Some(object) = deployments.read(&pointer.namespace, &pointer.name).await? else {
            return Ok(Burial::Changed);
        };
        let live = Live::of(&object)?;
        let standing = self.releaser.standing(&pointer.namespace, Some(&live));
        if !matches!(verify(pointer, Some(&live), standing), Verdict::Release | Verdict::Wait(_)) {
            return Ok(Burial::Changed);
        }
        let error = failure.text();
        let max_payload = self.events.context().client().server_info().max_payload;
        let letter = DeadLetter {
            cluster: self.cluster.clone(),
            namespace: pointer.namespace.clone(),
            name: pointer.name.clone(),
            subject: task.address(&self.cluster).encode()?,
            sequence: task.sequence,
            published: task.published.into(),
            attempts: (*tries).into(),
            error: error.clone(),
            change: Change::of(
                &self.cluster,
                serde_json::to_value(&object)?,
                |_, _| pointer.lane,
                max_payload,
            )?,
            raw: None,
            truncated: false,
        };
        self.post(letter).await?;
        let Some(patch) = patch(&live) else { return Ok(Burial::Changed) };
        match deployments.patch(&live, patch).await {
            Ok(_) => {}
            Err(failure) if matches!(failure.remedy(), Remedy::Gone | Remedy::ReadAgain) => {
                return Ok(Burial::Changed);
            }
            Err(failure) => return Err(failure),
        }
        let message = format!("given up, it was refused {refusals} times: {error}");
        self.tell_of_death(&Subject::from(pointer), *tries, error, &message).await?;
        Ok(Burial::Done)
    }

    /// A process that died after it had given a change up may not have told of it.
    pub(super) async fn recall_death(&self, task: &Task) -> Result<(), Failure> {
        let Some(letter) = self.last_letter(&task.pointer.namespace, &task.pointer.name).await? else {
            return Ok(());
        };
        let pointer = &task.pointer;
        if !letter.change.as_ref().is_some_and(|change| Pointer::from(change).is_same_attempt(pointer)) {
            return Ok(());
        }
        let message = format!("given up: {}", letter.error);
        let tries = u32::try_from(letter.attempts).unwrap_or(u32::MAX);
        self.tell_of_death(&Subject::from(pointer), tries, letter.error, &message).await
    }

    async fn tell_of_death(
        &self,
        about: &Subject<'_>,
        tries: u32,
        error: String,
        message: &str,
    ) -> Result<(), Failure> {
        let setback = Setback { tries, error, next_try: None };
        self.events.tell_setback(about, Phase::Dead, message, setback).await
    }

    /// Makes a dead letter of a message that will never be worked on.
    pub(super) async fn bury(&self, delivery: &Delivery, error: String) -> Result<(), Failure> {
        let (namespace, name) = delivery.address().map_or_else(
            |_| (DeadLetter::UNREADABLE.to_owned(), delivery.sequence.to_string()),
            |address| (address.namespace, address.name),
        );
        let letter = DeadLetter {
            cluster: self.cluster.clone(),
            namespace,
            name,
            subject: delivery.subject().to_owned(),
            sequence: delivery.sequence,
            published: delivery.published,
            attempts: delivery.delivered,
            error,
            change: open(delivery.payload()).ok(),
            raw: None,
            truncated: false,
        };
        let letter = if letter.change.is_some() { letter } else { letter.with_raw(delivery.payload()) };
        self.post(letter).await
    }

    /// Publishes a letter, once: what comes after it may have to be tried again.
    async fn post(&self, letter: DeadLetter) -> Result<(), Failure> {
        let DeadLetter { namespace, name, sequence, error, .. } = &letter;
        let last = self.last_letter(namespace, name).await?;
        if last.is_some_and(|last| last.id() == letter.id()) {
            return Ok(());
        }
        tracing::error!(namespace, deployment = name, sequence, error, "given up, see {DEAD}");
        let subject = subject::dead(&self.cluster, namespace, name)?;
        publish(self.events.context(), subject, &letter).await?;
        self.metrics.buried();
        Ok(())
    }

    async fn last_letter(&self, namespace: &str, name: &str) -> Result<Option<DeadLetter>, Failure> {
        let subject = subject::dead(&self.cluster, namespace, name)?;
        let last = self.events.last_message(DEAD, &subject).await?;
        Ok(last.and_then(|message| open(&message).ok()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::live::tests::{live, object};

    #[test]
    fn the_label_says_that_it_is_dead_and_the_gate_stays_closed() {
        let case = json!({"metadata": {"annotations": {"roadstead.dev/replay": "aaaaaaaaaa"}}});
        let mut dead = object(&case);
        json_patch::patch(&mut dead, &patch(&live(&case)).unwrap()).unwrap();
        let metadata = &dead["metadata"];
        assert_eq!(metadata["labels"]["roadstead.dev/phase"], "dead");
        assert_eq!(metadata["annotations"]["roadstead.dev/gate"], "closed");
        assert_eq!(metadata["annotations"].get("roadstead.dev/replay"), None);
    }

    #[test]
    fn what_changed_meanwhile_is_not_dead() {
        let patch = patch(&live(&json!({}))).unwrap();
        for change in [
            json!({"metadata": {"generation": 5}}),
            json!({"metadata": {"annotations": {"roadstead.dev/change": "cccccccccc"}}}),
            json!({"metadata": {"annotations": {"roadstead.dev/gate": "open"}}}),
            json!({"metadata": {"labels": {"roadstead.dev/phase": "released"}}}),
        ] {
            assert!(json_patch::patch(&mut object(&change), &patch).is_err(), "{change}");
        }
    }
}
