//! Where each change stands: lanes in their order, within a lane the namespaces in turn from the one that is next,
//! within a namespace first in first out. Pure arithmetic over how many wait where.

/// How many changes wait in each namespace of one lane, the namespace that is next in front; answers for each the
/// places of its changes among those of the lane, from 0.
#[must_use]
pub fn places(lengths: &[usize]) -> Vec<Vec<u64>> {
    let mut places: Vec<Vec<u64>> = lengths.iter().map(|length| Vec::with_capacity(*length)).collect();
    let mut left: Vec<usize> = (0..lengths.len()).collect();
    let mut next = 0;
    for round in 1.. {
        left.retain(|namespace| lengths[*namespace] >= round);
        if left.is_empty() {
            break;
        }
        for namespace in &left {
            places[*namespace].push(next);
            next += 1;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_namespaces_take_turns() {
        assert_eq!(places(&[4, 0, 1, 2]), [vec![0, 3, 5, 6], vec![], vec![1], vec![2, 4]]);
        assert_eq!(places(&[]), Vec::<Vec<u64>>::new());
    }

    #[test]
    fn few_of_one_namespace_are_not_behind_many_of_another() {
        let places = places(&[1_000, 5]);
        assert_eq!(places[1], [1, 3, 5, 7, 9]);
        assert_eq!(places[0].last(), Some(&1_004));
    }

    proptest! {
        #[test]
        fn each_place_is_taken_once_and_in_order(lengths in prop::collection::vec(0usize..20, 0..20)) {
            let places = places(&lengths);
            for (places, length) in places.iter().zip(&lengths) {
                prop_assert_eq!(places.len(), *length);
                prop_assert!(places.is_sorted());
            }
            let mut all: Vec<u64> = places.into_iter().flatten().collect();
            all.sort_unstable();
            prop_assert!(all.iter().enumerate().all(|(at, place)| at as u64 == *place));
        }
    }
}
