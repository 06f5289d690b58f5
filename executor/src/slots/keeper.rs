//! The keeper: the one task of a process that reads and writes the ledger. It gathers the wishes that wait and
//! writes them at once, so that many releases a second cost few writes and nobody holds a lock over I/O.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::Subscriber;
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _};
use ops::{BoxError, chain};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    Error, Grant, Holder, Ledger, Room, Slots, Store, Uid, Vacancies, WAITING, Wish, store::Written,
};
use crate::{live::now, metrics::Metrics};

/// Times that a write is tried again because another replica wrote first. Each time one of them got further.
const TRIES: usize = 20;

/// How often a failure of the store is worth a line.
const TELL: Duration = Duration::from_secs(10);

/// Keeps the ledger.
pub struct Keeper {
    store: Store,
    room: Room,
    timeout: Duration,
    wishes: mpsc::Receiver<Wish>,
    vacancies: watch::Sender<Vacancies>,
    ledger: watch::Sender<Arc<Ledger>>,
    metrics: Metrics,
    /// What rolls out, as it was counted last; `None` before the first time: nothing is granted then.
    rolling: Option<BTreeMap<Uid, Holder>>,
    /// What was read or written last, for the case that the store forgets it.
    known: Ledger,
    /// The revision at which `known` stands; `None` where it has to be read again.
    revision: Option<u64>,
    written: Bytes,
    told: Option<Instant>,
}

impl Keeper {
    /// A keeper, and the slots that it keeps; `timeout` is how long an entry counts.
    #[must_use]
    pub fn new(store: Store, room: Room, timeout: Duration, metrics: Metrics) -> (Self, Slots) {
        let (sender, wishes) = mpsc::channel(WAITING);
        let (vacancies, receiver) = watch::channel(Vacancies::default());
        let (ledger, known) = watch::channel(Arc::default());
        let keeper = Self {
            store,
            room,
            timeout,
            wishes,
            vacancies,
            ledger,
            metrics,
            rolling: None,
            known: Ledger::default(),
            revision: None,
            written: Bytes::new(),
            told: None,
        };
        (keeper, Slots { wishes: sender, vacancies: receiver, ledger: known })
    }

    /// Keeps until told to stop and everybody who might still wish is gone.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), BoxError> {
        let mut writes = loop {
            match self.store.writes().await {
                Ok(writes) => break writes,
                Err(error) => tracing::warn!(
                    error = chain(&*error),
                    "cannot listen for the slots of others; trying again"
                ),
            }
            tokio::select! { () = tokio::time::sleep(TELL / 10) => {}, () = stop.cancelled() => return Ok(()) }
        };
        let mut batch = Vec::with_capacity(WAITING);
        loop {
            tokio::select! {
                received = self.wishes.recv_many(&mut batch, WAITING) => {
                    if received == 0 {
                        return Ok(());
                    }
                    self.grant(std::mem::take(&mut batch)).await;
                }
                write = writes.next() => match write {
                    Some(write) => self.noticed(write.payload, &mut writes).await,
                    None => return Err("the connection to NATS is closed for good".into()),
                },
            }
        }
    }

    /// Somebody wrote, or tried to: what is known here may be old. Read at once only where somebody may wait.
    async fn noticed(&mut self, first: Bytes, writes: &mut Subscriber) {
        let mut foreign = first != self.written;
        while let Some(Some(write)) = writes.next().now_or_never() {
            foreign |= write.payload != self.written;
        }
        if foreign {
            self.revision = None;
            let is_limited = self.known.holders.values().any(|holder| !holder.policies.is_empty());
            if self.rolling.is_some() && (is_limited || self.vacancies.borrow().any == 0) {
                self.grant(Vec::new()).await;
            }
        }
    }

    /// Does what is asked for, in one write, and answers.
    async fn grant(&mut self, mut batch: Vec<Wish>) {
        for wish in &batch {
            if let Wish::Recount { rolling, .. } = wish {
                self.rolling = Some(rolling.clone());
                // Once in a while what is written there is read, whatever signals were lost.
                self.revision = None;
            }
        }
        if self.rolling.is_none() {
            return refuse(batch, &Error::NotCounted);
        }
        // Whoever waits no longer gets nothing.
        batch.retain(|wish| !wish.is_given_up());
        let mut committed = self.commit(&batch).await;
        if committed.is_err() {
            // A bucket that was lost is made again by the second try.
            self.revision = None;
            committed = self.commit(&batch).await;
        }
        match committed {
            Ok(grants) => {
                self.publish();
                for (wish, grant) in batch.into_iter().zip(grants) {
                    wish.answer(grant, &self.known);
                }
            }
            Err(error) => {
                self.revision = None;
                // Nothing can be granted now: nothing is to be pulled for it either.
                self.vacancies.send_if_modified(|known| std::mem::take(known) != Vacancies::default());
                let error = chain(&*error);
                if self.told.is_none_or(|told| told.elapsed() > TELL) {
                    tracing::warn!(error, "the ledger of slots cannot be read or written; trying again");
                    self.told = Some(Instant::now());
                }
                refuse(batch, &Error::Store(error));
            }
        }
    }

    /// Applies the wishes to the ledger until it could be written; the grants are those of the last try.
    async fn commit(&mut self, batch: &[Wish]) -> Result<Vec<Grant>, BoxError> {
        for _ in 0..TRIES {
            let revision = match self.revision {
                Some(revision) => revision,
                None => self.read().await?,
            };
            let mut ledger = self.known.clone();
            let grants = batch.iter().map(|wish| self.apply(wish, &mut ledger)).collect();
            if ledger == self.known && revision > 0 {
                self.revision = Some(revision);
                return Ok(grants);
            }
            let value = Bytes::from(serde_json::to_vec(&ledger)?);
            // Before the write: its echo may be here before its acknowledgement.
            self.written = value.clone();
            match self.store.write(value, revision).await? {
                Written::At(revision) => {
                    self.known = ledger;
                    self.revision = Some(revision);
                    return Ok(grants);
                }
                Written::Conflict => self.revision = None,
            }
        }
        Err("other replicas write it all the time".into())
    }

    /// Reads the ledger; one that the store forgot is counted again before anything is granted.
    async fn read(&mut self) -> Result<u64, BoxError> {
        let (ledger, revision) = self.store.read().await?;
        let rolling = self.rolling.as_ref();
        self.known = match ledger {
            Some(ledger) => ledger,
            None => rolling.map(|rolling| Ledger::rebuilt(&self.known, rolling, now())).unwrap_or_default(),
        };
        Ok(revision)
    }

    fn apply(&self, wish: &Wish, ledger: &mut Ledger) -> Grant {
        match wish {
            Wish::Acquire { uid, holder, limits, .. } => {
                return ledger.acquire(uid, holder.clone(), self.room, limits);
            }
            Wish::Free { uid, generation, .. } => ledger.free(uid, *generation),
            Wish::Recount { rolling, .. } => ledger.recount(rolling, self.timeout, now()),
        }
        Grant::Full
    }

    fn publish(&self) {
        self.metrics.slots(self.known.in_use(), self.room);
        if **self.ledger.borrow() != self.known {
            self.ledger.send_replace(Arc::new(self.known.clone()));
        }
        let vacancies = self.known.vacancies(self.room);
        self.vacancies.send_if_modified(|known| std::mem::replace(known, vacancies) != vacancies);
    }
}

fn refuse(batch: Vec<Wish>, error: &Error) {
    for wish in batch {
        wish.refuse(error);
    }
}

impl Wish {
    fn is_given_up(&self) -> bool {
        match self {
            Self::Acquire { answer, .. } => answer.is_closed(),
            // These are facts, whoever waits for the answer.
            Self::Free { .. } | Self::Recount { .. } => false,
        }
    }

    /// Whoever asked may be gone; then nobody needs the answer.
    fn answer(self, grant: Grant, ledger: &Ledger) {
        match self {
            Self::Acquire { answer, .. } => drop(answer.send(Ok(grant))),
            Self::Free { answer, .. } => drop(answer.send(Ok(()))),
            Self::Recount { answer, .. } => drop(answer.send(Ok(ledger.clone()))),
        }
    }

    fn refuse(self, error: &Error) {
        match self {
            Self::Acquire { answer, .. } => drop(answer.send(Err(error.clone()))),
            Self::Free { answer, .. } => drop(answer.send(Err(error.clone()))),
            Self::Recount { answer, .. } => drop(answer.send(Err(error.clone()))),
        }
    }
}
