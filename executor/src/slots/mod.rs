//! Slots: at most so many rollouts are in flight, over all replicas. `room` says how many there are and for whom,
//! `ledger` who holds one, `store` keeps it in NATS, and one task of each process, the keeper, does what the others ask for: many wishes become one write.

mod keeper;
mod ledger;
mod room;
mod store;

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::{mpsc, oneshot, watch};

pub use self::{
    keeper::Keeper,
    ledger::{Grant, Holder, Ledger, Limit, Uid},
    room::{Room, Vacancies},
    store::Store,
};

/// Wishes that wait for the keeper; whoever is next waits itself.
const WAITING: usize = 256;

/// Why a wish was not granted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The store did not do it.
    #[error("the ledger of slots cannot be read or written: {0}")]
    Store(String),
    /// Nobody has counted yet what rolls out.
    #[error("what rolls out has not been counted yet")]
    NotCounted,
    /// The process is about to end.
    #[error("the process is stopping")]
    Closed,
}

/// What is asked of the keeper.
enum Wish {
    Acquire { uid: Uid, holder: Holder, limits: Vec<Limit>, answer: oneshot::Sender<Result<Grant, Error>> },
    Free { uid: Uid, generation: i64, answer: oneshot::Sender<Result<(), Error>> },
    Recount { rolling: BTreeMap<Uid, Holder>, answer: oneshot::Sender<Result<Ledger, Error>> },
}

/// The slots, as the rest of the process sees them.
#[derive(Clone)]
pub struct Slots {
    wishes: mpsc::Sender<Wish>,
    vacancies: watch::Receiver<Vacancies>,
    ledger: watch::Receiver<Arc<Ledger>>,
}

impl Slots {
    /// Takes a slot for a Deployment's change, or inherits that of its rollout in flight; within the limits of
    /// policies.
    pub async fn acquire(&self, uid: &str, holder: Holder, limits: Vec<Limit>) -> Result<Grant, Error> {
        self.ask(|answer| Wish::Acquire { uid: uid.to_owned(), holder, limits, answer }).await
    }

    /// Gives a slot back, unless a newer generation of the Deployment has it by now.
    pub async fn free(&self, uid: &str, generation: i64) -> Result<(), Error> {
        self.ask(|answer| Wish::Free { uid: uid.to_owned(), generation, answer }).await
    }

    /// Counts again from what rolls out; answers with everything that is in the ledger then.
    pub async fn recount(&self, rolling: BTreeMap<Uid, Holder>) -> Result<Ledger, Error> {
        self.ask(|answer| Wish::Recount { rolling, answer }).await
    }

    /// How many slots are free, as far as is known here; none until what rolls out was counted.
    #[must_use]
    pub fn vacancies(&self) -> watch::Receiver<Vacancies> {
        self.vacancies.clone()
    }

    /// Who holds slots, as far as is known here.
    #[must_use]
    pub fn ledger(&self) -> watch::Receiver<Arc<Ledger>> {
        self.ledger.clone()
    }

    async fn ask<T>(&self, wish: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Wish) -> Result<T, Error> {
        let (sender, answer) = oneshot::channel();
        self.wishes.send(wish(sender)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}
