//! Where each change stands within its lane: the namespaces in turn, within a namespace first in first out. Pure
//! arithmetic over the sequences of what waits where.

/// The changes of one namespace that wait in one lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<N> {
    /// The namespace.
    pub namespace: N,
    /// The round in which its next turn is.
    pub round: u64,
    /// The sequences of its changes, in their order.
    pub sequences: Vec<u64>,
}

/// Answers for each row the places of its changes among those of the lane, from 0: each namespace has one turn a
/// round, and in a round the change that was queued first is first.
#[must_use]
pub fn places<N>(rows: &[Row<N>]) -> Vec<Vec<u64>> {
    let mut turns: Vec<(u64, u64, usize)> = Vec::new();
    for (row, at) in rows.iter().zip(0..) {
        turns.extend((row.round..).zip(&row.sequences).map(|(round, sequence)| (round, *sequence, at)));
    }
    turns.sort_unstable();
    let mut places: Vec<Vec<u64>> = rows.iter().map(|row| Vec::with_capacity(row.sequences.len())).collect();
    for ((_, _, row), place) in turns.into_iter().zip(0..) {
        places[row].push(place);
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(round: u64, sequences: impl IntoIterator<Item = u64>) -> Row<()> {
        Row { namespace: (), round, sequences: sequences.into_iter().collect() }
    }

    #[test]
    fn the_namespaces_take_turns_and_in_a_round_the_first_in_is_first() {
        let rows = [row(7, [4, 5, 9]), row(7, []), row(7, [1]), row(8, [2, 3])];
        assert_eq!(places(&rows), [vec![1, 3, 5], vec![], vec![0], vec![2, 4]]);
        assert_eq!(places::<()>(&[]), Vec::<Vec<u64>>::new());
    }

    #[test]
    fn few_of_one_namespace_are_not_behind_many_of_another() {
        let places = places(&[row(0, 1..=1_000), row(0, 2_000..2_005)]);
        assert_eq!(places[1], [1, 3, 5, 7, 9]);
        assert_eq!(places[0].last(), Some(&1_004));
    }

    proptest! {
        #[test]
        fn each_place_is_taken_once_and_in_order(rows in prop::collection::vec((0u64..3, 0u64..20), 0..20)) {
            let rows: Vec<_> =
                rows.into_iter().zip(0..).map(|((round, length), at)| row(round, at * 100..at * 100 + length)).collect();
            let places = places(&rows);
            prop_assert!(places.iter().all(|places| places.is_sorted()));
            let mut all: Vec<u64> = places.into_iter().flatten().collect();
            all.sort_unstable();
            prop_assert!(all.iter().copied().eq(0..all.len() as u64));
        }
    }
}
