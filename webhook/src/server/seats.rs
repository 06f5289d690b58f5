//! The connections that are open. When there is no seat left, the one that has waited longest for its client
//! gives up its own: first those that never sent a whole request, so that a crowd of slow or silent sockets
//! cannot keep the API server out.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Who gives up its seat: strangers first, and among equals the one that has waited longest.
type Turn = (Standing, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Has not sent a whole request yet.
    Stranger,
    /// Has sent one before.
    Known,
}

/// The seats of a server.
#[derive(Clone)]
pub(super) struct Seats {
    free: Arc<Semaphore>,
    waiting: Arc<Mutex<BTreeMap<Turn, CancellationToken>>>,
    turns: Arc<AtomicU64>,
}

/// The seat of one connection.
pub(super) struct Seat {
    seats: Seats,
    turn: Mutex<Option<Turn>>,
    end: CancellationToken,
    _taken: OwnedSemaphorePermit,
}

/// A connection whose request is whole keeps its seat until it is answered.
pub(super) struct Busy(Arc<Seat>);

impl Seats {
    pub(super) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), waiting: Arc::default(), turns: Arc::default() }
    }

    /// A seat, if need be that of another one.
    pub(super) async fn take(&self) -> Result<Arc<Seat>, AcquireError> {
        if self.free.available_permits() == 0
            && let Some((_, longest)) = self.lock().pop_first()
        {
            longest.cancel();
        }
        let taken = Arc::clone(&self.free).acquire_owned().await?;
        let seat = Seat {
            seats: self.clone(),
            turn: Mutex::default(),
            end: CancellationToken::new(),
            _taken: taken,
        };
        seat.wait(Standing::Stranger);
        Ok(Arc::new(seat))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Turn, CancellationToken>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Resolves when another connection needs the seat.
    pub(super) async fn given_up(&self) {
        self.end.cancelled().await;
    }

    /// The request is whole.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.rise();
        Busy(Arc::clone(self))
    }

    fn wait(&self, standing: Standing) {
        let turn = (standing, self.seats.turns.fetch_add(1, Ordering::Relaxed));
        self.seats.lock().insert(turn, self.end.clone());
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn);
    }

    fn rise(&self) {
        if let Some(turn) = self.turn.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.seats.lock().remove(&turn);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.rise();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.wait(Standing::Known);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_stranger_gives_up_its_seat_before_one_that_is_known_and_one_that_is_busy_never() {
        let seats = Seats::new(3);
        let (known, busy, stranger) =
            (seats.take().await.unwrap(), seats.take().await.unwrap(), seats.take().await.unwrap());
        drop(known.busy());
        let answering = busy.busy();
        let mut next = Box::pin(seats.take());
        assert!(next.as_mut().now_or_never().is_none());
        assert!(stranger.given_up().now_or_never().is_some());
        assert!(known.given_up().now_or_never().is_none());
        drop(stranger);
        let newcomer = next.await.unwrap();
        drop(newcomer.busy());
        // Nobody is a stranger any more: the one that was heard of longest ago.
        let mut next = Box::pin(seats.take());
        assert!(next.as_mut().now_or_never().is_none());
        assert!(known.given_up().now_or_never().is_some());
        assert!(newcomer.given_up().now_or_never().is_none() && busy.given_up().now_or_never().is_none());
        drop((known, answering));
        next.await.unwrap();
    }
}
