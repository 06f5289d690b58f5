//! Inboxes for the answers to pulls, used again and again: a subscription of its own for each pull cost the server and
//! the client more than the pull. One at a time uses an inbox, so the next message in it is the answer.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::{Client, Message, RequestError, Subscriber, client::RequestErrorKind};
use bytes::Bytes;
use futures::StreamExt as _;
use ops::BoxError;

/// Inboxes that nobody uses now.
#[derive(Clone, Default)]
pub(super) struct Inboxes(Arc<Mutex<Vec<Inbox>>>);

struct Inbox {
    subject: String,
    answers: Subscriber,
}

impl Inboxes {
    /// Asks and waits for one message, status messages included. An inbox whose answer did not come in time is given
    /// up: a late one would be taken for that of the next.
    pub(super) async fn request(
        &self,
        client: &Client,
        subject: String,
        payload: &'static str,
        limit: Duration,
    ) -> Result<Message, RequestError> {
        let answer = tokio::time::timeout(limit, self.ask(client, subject, payload)).await;
        answer.unwrap_or_else(|_| Err(RequestError::new(RequestErrorKind::TimedOut)))
    }

    async fn ask(
        &self,
        client: &Client,
        subject: String,
        payload: &'static str,
    ) -> Result<Message, RequestError> {
        let free = self.free().pop();
        let mut inbox = if let Some(inbox) = free {
            inbox
        } else {
            let subject = client.new_inbox();
            let answers = client.subscribe(subject.clone()).await.map_err(failed)?;
            Inbox { subject, answers }
        };
        let payload = Bytes::from_static(payload.as_bytes());
        client.publish_with_reply(subject, inbox.subject.clone(), payload).await.map_err(failed)?;
        let answer = inbox.answers.next().await.ok_or_else(|| RequestError::new(RequestErrorKind::Other))?;
        self.free().push(inbox);
        Ok(answer)
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Inbox>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(error: impl Into<BoxError>) -> RequestError {
    RequestError::with_source(RequestErrorKind::Other, error)
}
