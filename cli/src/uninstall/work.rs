//! What every step of an uninstall shares: the connection, the time that is left, what was done and what could not be.

use std::{fmt::Debug, time::Duration};

use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, ObjectMeta},
};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::{
    screen::Screen,
    trouble::{GRANTED, Remedy, Trouble, within},
};

/// Pauses between two tries: doubled from the first to the last.
pub const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// Objects a page.
const PAGE: u32 = 500;

/// An uninstall under way.
pub struct Work<'a> {
    /// The API server.
    pub client: Client,
    /// Whether nothing is to be done.
    pub dry_run: bool,
    /// When it began.
    pub began: Instant,
    /// When it has to be over.
    pub until: Instant,
    /// Where it is told of.
    pub screen: &'a mut Screen,
    /// Steps that changed something.
    pub done: usize,
    /// What could not be done, one sentence each.
    pub left: Vec<String>,
}

impl Work<'_> {
    /// Tells of something done, as kubectl does: `secret roadstead-nats-webhook deleted`.
    pub fn did(&mut self, what: &str) {
        self.done += 1;
        let dry = if self.dry_run { " (dry run)" } else { "" };
        self.tell(&format!("{what}{dry}\n"));
    }

    /// Prints. A reader that went away (`| head`) or a disk that is full is no reason to leave a gate closed.
    pub fn tell(&mut self, text: &str) {
        let _ = self.screen.print(text);
    }

    /// Notes something that could not be done, and tells of it at once as well.
    pub fn left(&mut self, what: String) {
        self.screen.note(&what);
        self.left.push(what);
    }

    /// Asks until there is an answer, a refusal, or no time.
    ///
    /// # Errors
    /// What went wrong in the end.
    pub async fn patiently<T>(&self, ask: impl AsyncFn() -> Result<T, Trouble>) -> Result<T, Trouble> {
        let mut pause = PAUSE.0;
        loop {
            let heals = |trouble: &Trouble| match trouble.remedy() {
                Remedy::Again => Instant::now() + pause < self.until,
                _ => trouble.is_forbidden() && self.began.elapsed() < GRANTED,
            };
            match ask().await {
                Err(trouble) if heals(&trouble) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
                answered => return answered,
            }
        }
    }

    /// Deletes an object, and tells of it. One that is not there is nothing to tell of, and what the API server refuses is
    /// [`Work::left`]. `what` is its kind and, behind a blank or a slash, its name.
    pub async fn delete<K>(&mut self, api: &Api<K>, what: &str)
    where
        K: Clone + DeserializeOwned + Debug,
    {
        let name = what.rsplit(['/', ' ']).next().unwrap_or(what);
        let parameters = DeleteParams { dry_run: self.dry_run, ..DeleteParams::background() };
        let deleted = self.patiently(async || within(api.delete(name, &parameters)).await).await;
        match deleted {
            Ok(_) => self.did(&format!("{what} deleted")),
            Err(trouble) if trouble.remedy() == Remedy::Gone => {}
            Err(trouble) => self.left(format!("{what}: {trouble}")),
        }
    }

    /// What `take` makes of the metadata of each object of a selection, page by page.
    ///
    /// # Errors
    /// What went wrong. A list that grew too old while it was read begins anew.
    pub async fn list<K, T>(
        &self,
        api: &Api<K>,
        parameters: &ListParams,
        take: impl Fn(ObjectMeta) -> Option<T>,
    ) -> Result<Vec<T>, Trouble>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        let (mut parameters, mut found) = (parameters.clone().limit(PAGE), Vec::new());
        loop {
            let page = self.patiently(async || within(api.list_metadata(&parameters)).await).await;
            let page = match page {
                Err(trouble) if trouble.is_too_old() && parameters.continue_token.take().is_some() => {
                    found.clear();
                    continue;
                }
                page => page?,
            };
            found.extend(page.items.into_iter().filter_map(|object| take(object.metadata)));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters = parameters.continue_token(&token),
                None => return Ok(found),
            }
        }
    }
}
