//! Which queues may hold messages, and which is served next: urgent before normal before bulk, and within a lane
//! the shard of the namespace whose turn it is, so that none starves another; what wakes in a lane and what is new
//! there take turns. Pure; the consumer tells it what it learns.

use std::time::Instant;

use contract::Lane;

use super::place::Place;
use crate::queue::{Index, Name, Shards};

/// Of the looks into a queue without a signal, one in so many is thorough: it takes its time.
const THOROUGH: usize = 16;

/// How long a pull waits for a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Patience {
    /// Not at all: the server answers by its count of what is pending.
    #[default]
    None,
    /// Until the server has looked into the stream. Its count is too low after its restart, for a consumer of the
    /// last message of each subject: what it leaves out is found by nobody who does not wait.
    Look,
    /// Until a message that a signal told of is stored durably. A signal is faster.
    Stored,
}

/// What is believed about one queue.
#[derive(Clone, Copy, Default)]
struct Belief {
    /// Whether it may hold a message.
    marked: bool,
    /// How long the next pull waits.
    patience: Patience,
    /// Messages that it holds at least, as far as is known.
    expected: u64,
    /// Pulls on their way.
    pulling: u64,
    /// Counts what was learned: an answer that is older than the newest signal does not clear the mark.
    learned: u64,
    /// When a message that was put back comes again.
    due: Option<Instant>,
}

/// The queue to pull from, and what was known when it was picked.
#[derive(Clone, Debug)]
pub struct Pick {
    /// The queue.
    pub place: Place,
    /// The namespace whose turn it is; `None` where nobody is known to wait there.
    pub turn: Option<Name>,
    /// How long the pull waits.
    pub patience: Patience,
    learned: u64,
}

/// What a pull came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// A message; so many are behind it.
    Message {
        /// Messages behind it, not counting those that come again.
        behind: u64,
    },
    /// The queue is empty.
    Nothing,
    /// No answer.
    Failed,
}

/// The beliefs about every queue.
pub struct Board {
    beliefs: Vec<Belief>,
    /// Where each lane's turn is, among the shards of which nothing is known.
    turns: [u16; Lane::ALL.len()],
    /// Whether the last message of each lane was a second look.
    woke: [bool; Lane::ALL.len()],
    /// Looks without a signal so far.
    looks: usize,
}

impl Default for Board {
    fn default() -> Self {
        let beliefs = vec![Belief::default(); Place::all().count()];
        Self { beliefs, turns: [0; Lane::ALL.len()], woke: [false; Lane::ALL.len()], looks: 0 }
    }
}

impl Board {
    /// A message was published there.
    pub fn signal(&mut self, place: Place) {
        let belief = &mut self.beliefs[place.index()];
        belief.expected = if belief.marked { belief.expected + 1 } else { 1 };
        belief.patience = Patience::Stored;
        belief.mark();
    }

    /// A message that was put back comes again there at that time.
    pub fn comes_again(&mut self, place: Place, at: Instant) {
        let due = &mut self.beliefs[place.index()].due;
        *due = Some(due.map_or(at, |due| due.min(at)));
    }

    /// A message was put back there and comes again at once.
    pub fn put_back(&mut self, place: Place) {
        let belief = &mut self.beliefs[place.index()];
        belief.expected += 1;
        belief.mark();
    }

    /// Any queue may hold messages.
    pub fn look_everywhere(&mut self) {
        self.beliefs.iter_mut().for_each(Belief::mark);
    }

    /// One more queue is looked into, and those where a message comes again by now: called often, so that the
    /// looks are spread and none delays a signalled message by more than one pull.
    pub fn look_on(&mut self, now: Instant) {
        let (round, place) = (self.looks / self.beliefs.len(), self.looks % self.beliefs.len());
        let belief = &mut self.beliefs[place];
        belief.mark();
        if (round + place).is_multiple_of(THOROUGH) {
            belief.patience = belief.patience.max(Patience::Look);
        }
        self.looks = self.looks.wrapping_add(1);
        for belief in &mut self.beliefs {
            if belief.due.is_some_and(|due| due <= now) {
                belief.due = None;
                belief.mark();
            }
        }
    }

    /// The queue that is served next, if any may hold a message that is not being pulled already; `open` are the lanes
    /// for which there is a slot.
    pub fn pick(&mut self, index: &mut Index, open: impl Fn(Lane) -> bool) -> Option<Pick> {
        for (at, lane) in Lane::ALL.into_iter().enumerate().filter(|(_, lane)| open(*lane)) {
            let wakes = self.beliefs[Place::wake(lane).index()].may_be_pulled();
            if wakes && !self.woke[at] {
                self.woke[at] = true;
                return Some(self.pull(Place::wake(lane), None));
            }
            let mut may = Shards::default();
            for (may, shard) in may.iter_mut().zip(0..) {
                *may = self.beliefs[Place { lane, shard: Some(shard) }.index()].may_be_pulled();
            }
            if let Some((namespace, shard)) = index.next(lane, &may, &mut self.turns[at]) {
                self.woke[at] = false;
                return Some(self.pull(Place { lane, shard: Some(shard) }, namespace));
            }
            if wakes {
                return Some(self.pull(Place::wake(lane), None));
            }
        }
        None
    }

    fn pull(&mut self, place: Place, turn: Option<Name>) -> Pick {
        let belief = &mut self.beliefs[place.index()];
        belief.pulling += 1;
        Pick { place, turn, patience: belief.patience, learned: belief.learned }
    }

    /// What the pull of a pick came to.
    pub fn pulled(&mut self, pick: &Pick, pulled: Pulled) {
        let belief = &mut self.beliefs[pick.place.index()];
        belief.pulling = belief.pulling.saturating_sub(1);
        let newest = belief.learned == pick.learned;
        match pulled {
            Pulled::Message { behind } => {
                // Those behind it that are being pulled by others are among them.
                belief.expected = behind.max(belief.pulling);
                // What was signalled is there. A thorough look goes on until nothing is left.
                if newest && belief.patience == Patience::Stored {
                    belief.patience = Patience::None;
                }
            }
            Pulled::Nothing if newest => {
                belief.marked = false;
                belief.patience = Patience::None;
                belief.expected = 0;
            }
            Pulled::Nothing | Pulled::Failed => {}
        }
    }
}

impl Belief {
    /// Whether it may hold a message that is not being pulled already.
    fn may_be_pulled(&self) -> bool {
        self.marked && self.pulling < self.expected.max(1)
    }

    fn mark(&mut self) {
        self.marked = true;
        self.learned += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn place(lane: Lane, shard: u16) -> Place {
        Place { lane, shard: Some(shard) }
    }

    /// The next pick where nobody is known to wait.
    fn next(board: &mut Board) -> Option<Pick> {
        board.pick(&mut Index::default(), |_| true)
    }

    /// The queues in the order in which they are picked, each pull coming to one message with none behind.
    fn picks(board: &mut Board, count: usize) -> Vec<(Lane, Option<u16>)> {
        let mut order = Vec::new();
        for _ in 0..count {
            let Some(pick) = next(board) else { break };
            order.push((pick.place.lane, pick.place.shard));
            board.pulled(&pick, Pulled::Message { behind: 0 });
        }
        order
    }

    #[test]
    fn urgent_before_normal_before_bulk() {
        let mut board = Board::default();
        for lane in [Lane::Bulk, Lane::Urgent, Lane::Normal] {
            board.signal(place(lane, 3));
        }
        for lane in Lane::ALL {
            let pick = next(&mut board).unwrap();
            assert_eq!(pick.place, place(lane, 3));
            board.pulled(&pick, Pulled::Nothing);
        }
        assert!(next(&mut board).is_none());
    }

    #[test]
    fn a_lane_without_a_slot_is_passed_over() {
        let mut board = Board::default();
        board.signal(place(Lane::Normal, 3));
        let mut pick = |lane| board.pick(&mut Index::default(), |open| open == lane).map(|pick| pick.place);
        assert_eq!(pick(Lane::Urgent), None);
        assert_eq!(pick(Lane::Normal), Some(place(Lane::Normal, 3)));
    }

    #[test]
    fn only_the_pull_after_a_signal_waits_for_the_message() {
        let mut board = Board::default();
        board.signal(place(Lane::Normal, 3));
        let pick = next(&mut board).unwrap();
        assert_eq!(pick.patience, Patience::Stored);
        board.pulled(&pick, Pulled::Message { behind: 0 });
        assert_eq!(next(&mut board).unwrap().patience, Patience::None);
        board.look_everywhere();
        assert_eq!(next(&mut board).unwrap().patience, Patience::None);
    }

    #[test]
    fn each_queue_is_looked_into_thoroughly_at_times_until_it_is_empty() {
        let mut board = Board::default();
        let mut thorough = std::collections::HashSet::new();
        for _ in 0..THOROUGH * Place::all().count() {
            board.look_on(Instant::now());
            let pick = next(&mut board).unwrap();
            if pick.patience == Patience::Look {
                thorough.insert(pick.place);
                board.pulled(&pick, Pulled::Message { behind: 0 });
                let again = next(&mut board).unwrap();
                assert_eq!((again.place, again.patience), (pick.place, Patience::Look));
                board.pulled(&again, Pulled::Nothing);
            } else {
                board.pulled(&pick, Pulled::Nothing);
            }
            assert!(next(&mut board).is_none());
        }
        assert_eq!(thorough.len(), Place::all().count());
    }

    #[test]
    fn within_a_lane_the_shards_take_turns() {
        let mut board = Board::default();
        for shard in [7, 1, 30] {
            board.signal(place(Lane::Normal, shard));
        }
        let order: Vec<_> = picks(&mut board, 5).into_iter().filter_map(|(_, shard)| shard).collect();
        assert_eq!(order, [1, 7, 30, 1, 7]);
    }

    #[test]
    fn what_wakes_in_a_lane_and_what_is_new_there_take_turns() {
        let mut board = Board::default();
        for place in [Place::wake(Lane::Normal), place(Lane::Normal, 3), place(Lane::Urgent, 3)] {
            board.signal(place);
        }
        let pick = next(&mut board).unwrap();
        assert_eq!(pick.place, place(Lane::Urgent, 3));
        board.pulled(&pick, Pulled::Nothing);
        let order = picks(&mut board, 4);
        assert_eq!(order, [None, Some(3), None, Some(3)].map(|shard| (Lane::Normal, shard)));
        let pick = next(&mut board).unwrap();
        board.pulled(&pick, Pulled::Nothing);
        let order = picks(&mut board, 2);
        assert_eq!(order, [(Lane::Normal, Some(3)); 2], "nothing wakes any more");
    }

    #[test]
    fn as_many_pulls_at_a_time_as_messages_are_known() {
        let mut board = Board::default();
        let queue = place(Lane::Urgent, 0);
        board.signal(queue);
        board.signal(queue);
        let (first, second) = (next(&mut board).unwrap(), next(&mut board).unwrap());
        assert!(next(&mut board).is_none(), "two were signalled, two are on their way");
        board.pulled(&first, Pulled::Message { behind: 5 });
        assert!(next(&mut board).is_some(), "five more are known");
        board.pulled(&second, Pulled::Failed);
    }

    #[test]
    fn only_an_answer_newer_than_the_last_signal_clears_the_mark() {
        let mut board = Board::default();
        let queue = place(Lane::Normal, 4);
        board.signal(queue);
        let pick = next(&mut board).unwrap();
        board.signal(queue);
        board.pulled(&pick, Pulled::Nothing);
        let pick = next(&mut board).unwrap();
        board.pulled(&pick, Pulled::Nothing);
        assert!(next(&mut board).is_none());
    }

    #[test]
    fn a_message_that_was_put_back_is_looked_for_when_it_is_due() {
        let mut board = Board::default();
        let (now, queue) = (Instant::now(), place(Lane::Bulk, 9));
        board.comes_again(queue, now + Duration::from_secs(2));
        board.comes_again(queue, now + Duration::from_secs(1));
        board.look_on(now);
        assert_eq!(picks(&mut board, 1), [(Lane::Urgent, Some(0))], "the first of the round");
        let pick = next(&mut board).unwrap();
        board.pulled(&pick, Pulled::Nothing);
        board.look_on(now + Duration::from_secs(1));
        let seen: Vec<_> = std::iter::from_fn(|| next(&mut board)).map(|pick| pick.place).collect();
        assert_eq!(seen, [place(Lane::Urgent, 1), queue]);
    }

    #[test]
    fn every_queue_is_looked_into_once_a_round() {
        let mut board = Board::default();
        let mut seen = std::collections::HashSet::new();
        for _ in Place::all() {
            board.look_on(Instant::now());
            let pick = next(&mut board).unwrap();
            board.pulled(&pick, Pulled::Nothing);
            seen.insert(pick.place);
        }
        assert_eq!(seen.len(), Place::all().count());
    }
}
