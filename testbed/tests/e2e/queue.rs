//! What stands in the streams, and what the gate was asked, for the other tests to look at.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use contract::{
    Change, ChangeEvent, ChangeProgress, Phase,
    envelope::{Payload, open},
    stream::{CHANGES, EVENTS},
};
use testbed::{Stack, deployment, eventually};

use crate::{V1, V2};

/// Longest that a test waits for something that NATS' ack wait (30 s) may delay.
pub(crate) const REDELIVERY: Duration = Duration::from_mins(1);

/// Every message of a stream, oldest first.
async fn messages<P: Payload>(t: &Stack, stream: &str) -> Result<Vec<P>> {
    let stream = t.jetstream().await?.get_stream(stream).await?;
    let state = stream.cached_info().state.clone();
    let mut messages = Vec::new();
    for sequence in state.first_sequence..=state.last_sequence {
        let raw = stream.get_raw_message(sequence).await.context("reading a stream")?;
        // Between the phases.
        if !raw.subject.ends_with(".progress") {
            messages.push(open(&raw.payload)?);
        }
    }
    Ok(messages)
}

/// Every change that was queued.
pub(crate) async fn changes(t: &Stack) -> Result<Vec<Change>> {
    messages(t, CHANGES).await
}

/// How far a Deployment's rollouts were told to be: new pods, pods that serve, pods that are wanted.
pub(crate) async fn progress(t: &Stack, name: &str) -> Result<Vec<(i64, i64, i64)>> {
    let subject = contract::subject::progress(&t.cluster, &t.namespace, name)?;
    let stream = t.jetstream().await?.get_stream(EVENTS).await?;
    let (mut next, mut told) = (1, Vec::new());
    while let Ok(raw) = stream.raw_message_builder().sequence(next).next_by_subject(&subject).send().await {
        let progress: ChangeProgress = open(&raw.payload)?;
        told.push((progress.updated, progress.available, progress.wanted));
        next = raw.sequence + 1;
    }
    Ok(told)
}

/// The phases that a Deployment's changes went through, oldest first.
pub(crate) async fn phases(t: &Stack, name: &str) -> Result<Vec<Phase>> {
    let events: Vec<ChangeEvent> = messages(t, EVENTS).await?;
    Ok(events.into_iter().filter(|event| event.name == name).map(|event| event.phase).collect())
}

/// Waits until so many changes stand on the queue, and checks that there are no more.
pub(crate) async fn has_changes(t: &Stack, count: usize) -> Result<Vec<Change>> {
    eventually("the changes are on the queue", testbed::PATIENCE, async || {
        let changes = changes(t).await?;
        ensure!(changes.len() == count, "there are {} changes, not {count}", changes.len());
        Ok(changes)
    })
    .await
}

/// How often the gate has said that, over all webhooks that run.
pub(crate) async fn said(t: &Stack, verdict: &str) -> Result<u64> {
    let labels = ["webhook=\"gate\"".to_owned(), format!("verdict=\"{verdict}\"")];
    let labels = labels.each_ref().map(String::as_str);
    let mut count = 0.0;
    for webhook in t.webhooks().filter(|webhook| webhook.is_running()) {
        count += webhook.metric_where("roadstead_reviews_total", &labels).await?;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    Ok(count as u64)
}

/// Waits until the gate has said that once more than `before`: the deployment controller has tried.
pub(crate) async fn says(t: &Stack, verdict: &str, before: u64) -> Result<()> {
    eventually(&format!("the gate says {verdict}"), testbed::PATIENCE, async || {
        let now = said(t, verdict).await?;
        ensure!(now > before, "it has said so {now} times");
        Ok(())
    })
    .await
}

/// `web` runs its first version and waits with its second, on the queue and denied once; the executor is frozen.
pub(crate) async fn second_version_waits(t: &Stack) -> Result<()> {
    t.apply(&deployment("web").image(V1)).await?.ok()?;
    t.succeeded("web").await?;
    t.executor.freeze()?;
    let before = said(t, "denied").await?;
    t.apply(&deployment("web").image(V2)).await?.ok()?;
    t.held("web").await?;
    has_changes(t, 2).await?;
    says(t, "denied", before).await
}
