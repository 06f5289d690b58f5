//! The consumer: pulls one message for each slot that is free, and no more, so that whatever is more urgent by then
//! comes first. Every answer has a limit of time: nothing can stall the loop.

mod again;
mod board;
mod consumers;
mod dead;
mod delivery;
mod inbox;
mod limit;
mod place;
mod ruled;
mod serve;
mod stranded;
mod task;
mod work;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::{connection::State, jetstream::Context};
use contract::subject::{ChangeSubject, all_changes, shard};
use futures::StreamExt as _;
use ops::{BoxError, chain, readiness::Handle};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use self::{
    board::{Board, Pick, Pulled},
    inbox::Inboxes,
    limit::{Limit, Word},
    place::Place,
};
pub use self::{stranded::Finder, work::Worker};
use crate::{queue::View, slots::Vacancies};

/// Messages in hand at a time while the API server is well, however many slots are free.
const IN_HAND: usize = 16;

/// How long a round of looks into every queue takes. Signals tell of new messages at once; a look finds those that
/// are delivered again, and those whose signal was lost.
const ROUND: Duration = Duration::from_secs(2);

/// The server's clock for a message that was put back may run a little later than ours.
const LATE: Duration = Duration::from_millis(25);

/// Pauses between two tries to repair the queue: doubled from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// After this long without a repair the next one counts as the first.
const CALM: Duration = Duration::from_secs(30);

/// What the consumer needs.
pub struct Consumer {
    /// The queue.
    pub context: Context,
    /// Copies of each stream that is created here.
    pub replicas: usize,
    /// The slots that are free.
    pub vacancies: watch::Receiver<Vacancies>,
    /// Who does the work.
    pub worker: Arc<Worker>,
    /// What waits, and so whose turn it is.
    pub view: View,
}

/// What a pull on its way tells before it ends.
#[derive(Clone)]
enum News {
    Pulled(Pick, Pulled),
    Granted,
}

/// How a pull ended.
#[derive(Clone, Copy)]
struct End {
    granted: bool,
    /// Where something comes again, and when.
    comes_again: Option<(Place, Duration)>,
    /// What the work said about the API server, if there was any.
    word: Option<Word>,
}

/// The state of the loop.
struct Hands {
    board: Board,
    pulls: JoinSet<End>,
    inboxes: Inboxes,
    news: mpsc::UnboundedReceiver<News>,
    sender: mpsc::UnboundedSender<News>,
    /// Pulls on their way that have no slot yet.
    without_slot: usize,
    limit: Limit,
    /// Whether the queue has to be looked after.
    broken: bool,
}

impl Consumer {
    /// Consumes until told to stop; then finishes what is in hand. Drops `ready` when the consumers exist.
    pub async fn run(mut self, ready: Handle, stop: CancellationToken) -> Result<(), BoxError> {
        let subject = all_changes(&self.worker.cluster)?;
        let mut signals = self.context.client().subscribe(subject).await?;
        let mut ready = Some(ready);
        let mut hands = Hands::new();
        let (mut pause, mut repaired) = (PAUSE.0, Instant::now());
        let looks = u32::try_from(Place::all().count())?;
        let mut look = tokio::time::interval(ROUND / looks);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            if hands.broken {
                let repaired_now = tokio::select! {
                    repaired_now = self.repair() => repaired_now,
                    () = stop.cancelled() => break,
                };
                if repaired_now {
                    hands.broken = false;
                    hands.board.look_everywhere();
                    ready.take();
                }
                // Also after a repair: one that does not help must not become a hot loop.
                tokio::select! { () = tokio::time::sleep(pause) => {}, () = stop.cancelled() => break }
                pause = if repaired.elapsed() > CALM { PAUSE.0 } else { (pause * 2).min(PAUSE.1) };
                repaired = Instant::now();
            }
            self.worker.metrics.concurrency(hands.limit.concurrency(Instant::now()));
            while let Some(pick) = hands.next(*self.vacancies.borrow_and_update(), &self.view) {
                hands.pull(pick, self.context.clone(), Arc::clone(&self.worker), self.view.clone());
            }
            tokio::select! {
                () = stop.cancelled() => break,
                changed = self.vacancies.changed() => changed?,
                signal = signals.next() => hands.signalled(&signal.ok_or("the connection to NATS is closed for good")?.subject, &self.worker),
                Some(news) = hands.news.recv() => hands.learn(news),
                Some(end) = hands.pulls.join_next() => hands.ended(end?),
                _ = look.tick() => hands.board.look_on(Instant::now()),
            }
        }
        while let Some(end) = hands.pulls.join_next().await {
            end?;
        }
        Ok(())
    }

    /// Sees to it that the streams and consumers are there; says whether they are.
    async fn repair(&self) -> bool {
        // While disconnected every request would wait for its limit.
        if self.context.client().connection_state() != State::Connected {
            return false;
        }
        match consumers::ensure(&self.context, &self.worker.cluster, self.replicas).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(error = chain(&*error), "the queue is not usable; trying again");
                false
            }
        }
    }
}

impl Hands {
    fn new() -> Self {
        let (sender, news) = mpsc::unbounded_channel();
        Self {
            board: Board::default(),
            pulls: JoinSet::new(),
            inboxes: Inboxes::default(),
            news,
            sender,
            without_slot: 0,
            limit: Limit::new(IN_HAND),
            broken: true,
        }
    }

    /// The next queue to pull from, if there is a slot for what comes.
    fn next(&mut self, vacancies: Vacancies, view: &View) -> Option<Pick> {
        let limit = self.limit.room(Instant::now());
        let (without_slot, room) = (self.without_slot, !self.broken && self.pulls.len() < limit);
        let is_open = |lane| room && without_slot < vacancies.of(lane);
        view.with(|index| self.board.pick(index, is_open))
    }

    fn pull(&mut self, pick: Pick, context: Context, worker: Arc<Worker>, view: View) {
        self.without_slot += 1;
        let (sender, inboxes) = (self.sender.clone(), self.inboxes.clone());
        self.pulls.spawn(async move {
            let place = pick.place;
            // The receiver lives as long as the pulls.
            let tell = |news| {
                let _ = sender.send(news);
            };
            let pulled = delivery::pull(&context, &inboxes, &worker.cluster, &pick).await;
            tell(News::Pulled(
                pick.clone(),
                match &pulled {
                    Ok(Some(delivery)) => Pulled::Message { behind: delivery.behind },
                    Ok(None) => Pulled::Nothing,
                    Err(_) => Pulled::Failed,
                },
            ));
            if let (Some(turn), Ok(None) | Err(_)) = (&pick.turn, &pulled) {
                view.with(|index| index.unused(place.lane, place.shard.unwrap_or_default(), turn));
            }
            let delivery = match pulled {
                Ok(Some(delivery)) => delivery,
                Ok(None) => return End { granted: false, comes_again: None, word: None },
                Err(error) => {
                    tracing::debug!(
                        error = chain(&error),
                        queue = place.consumer(&worker.cluster),
                        "no answer to a pull"
                    );
                    return End { granted: false, comes_again: None, word: None };
                }
            };
            let granted = AtomicBool::new(false);
            let outcome = worker
                .serve(&view, &pick, &delivery, || {
                    if !granted.swap(true, Ordering::Relaxed) {
                        tell(News::Granted);
                    }
                })
                .await;
            let word = Some(Word::of(&outcome));
            let comes_again = delivery.settle(outcome, &worker).await;
            End { granted: granted.into_inner(), comes_again, word }
        });
    }

    fn signalled(&mut self, subject: &str, worker: &Worker) {
        if let Ok(address) = ChangeSubject::parse(subject) {
            worker.events.queued(&address.namespace, &address.name);
            self.board.signal(Place { lane: address.lane, shard: Some(shard(&address.namespace)) });
        }
    }

    fn learn(&mut self, news: News) {
        match news {
            News::Granted => self.without_slot = self.without_slot.saturating_sub(1),
            News::Pulled(pick, pulled) => {
                self.board.pulled(&pick, pulled);
                self.broken |= pulled == Pulled::Failed;
            }
        }
    }

    fn ended(&mut self, end: End) {
        if !end.granted {
            self.without_slot = self.without_slot.saturating_sub(1);
        }
        if let Some(word) = end.word {
            self.limit.heard(word, Instant::now());
        }
        match end.comes_again {
            Some((place, Duration::ZERO)) => self.board.put_back(place),
            Some((place, pause)) => self.board.comes_again(place, Instant::now() + pause + LATE),
            None => {}
        }
    }
}
