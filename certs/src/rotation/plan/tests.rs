//! The steps one by one, and all of them together in a world where replicas are late, processes die and two rotate.

mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use time::OffsetDateTime;

use super::{State, Step, Times};
use crate::rotation::state::{Issued, Leaf};
use crate::tls::Fingerprint;
use world::{Event, World};

const TIMES: Times = Times { settle: Duration::from_secs(10), leaf: Duration::from_mins(1) };
const AUTHORITY_LIFE: i64 = 300;

/// A moment, in seconds.
fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000) + time::Duration::seconds(seconds)
}

fn issued(number: u8, from: i64, life: i64) -> Issued {
    Issued { id: Fingerprint::numbered(number), issued: at(from), not_after: at(from + life) }
}

fn trusting(numbers: &[u8]) -> Vec<Option<BTreeSet<Fingerprint>>> {
    let ids: BTreeSet<_> = numbers.iter().map(|number| Fingerprint::numbered(*number)).collect();
    vec![Some(ids.clone()), Some(ids)]
}

/// Authority 1 signs and is trusted; its leaf is served.
fn calm() -> State {
    let leaf = Leaf { issued: issued(100, 0, 60), signer: Fingerprint::numbered(1), has_names: true };
    State {
        signing: Some(issued(1, 0, AUTHORITY_LIFE)),
        leaf: Some(leaf),
        trusted: trusting(&[1]),
        ..State::default()
    }
}

/// The same with authority 2 made, and trusted by those.
fn prepared(trusted: &[u8]) -> State {
    State { next: Some(issued(2, 0, AUTHORITY_LIFE)), trusted: trusting(trusted), ..calm() }
}

/// The step without anything seen before.
fn step(state: &State, now: i64) -> Step {
    state.plan(None, &TIMES, at(now))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn nothing_is_done_before_two_thirds_of_a_life_are_over() {
    assert_eq!(step(&calm(), 0), Step::Wait(seconds(40)));
    assert_eq!(step(&calm(), 39), Step::Wait(seconds(1)));
    assert_eq!(step(&calm(), 40), Step::Sign);
    let renewed =
        State { leaf: calm().leaf.map(|leaf| Leaf { issued: issued(101, 190, 60), ..leaf }), ..calm() };
    assert_eq!(step(&renewed, 199), Step::Wait(seconds(1)));
    assert_eq!(step(&renewed, 200), Step::Mint);
}

#[test]
fn the_first_start_makes_publishes_and_signs_without_a_wait() {
    let mut state = State { trusted: vec![Some(BTreeSet::new()), None], ..State::default() };
    assert_eq!(step(&state, 0), Step::Mint);
    state.next = Some(issued(1, 0, AUTHORITY_LIFE));
    assert_eq!(step(&state, 0), Step::Publish);
    state.trusted = trusting(&[1]);
    assert_eq!(step(&state, 0), Step::Promote);
    state.signing = state.next.take();
    assert_eq!(step(&state, 0), Step::Sign);
    state.leaf = calm().leaf;
    assert_eq!(step(&state, 0), Step::Wait(seconds(40)));
}

#[test]
fn a_new_authority_signs_only_after_everybody_has_trusted_it_for_a_while() {
    assert_eq!(step(&prepared(&[1]), 0), Step::Publish);
    let half =
        State { trusted: vec![trusting(&[1, 2])[0].clone(), trusting(&[1])[0].clone()], ..prepared(&[]) };
    assert_eq!(half.plan(Some(seconds(60)), &TIMES, at(0)), Step::Publish);
    let all = prepared(&[1, 2]);
    assert_eq!(all.plan(None, &TIMES, at(0)), Step::Wait(seconds(10)));
    assert_eq!(all.plan(Some(seconds(9)), &TIMES, at(0)), Step::Wait(seconds(1)));
    assert_eq!(all.plan(Some(seconds(10)), &TIMES, at(0)), Step::Promote);
}

#[test]
fn while_the_next_authority_cannot_be_published_the_leaf_is_renewed_all_the_same() {
    assert_eq!(step(&prepared(&[1]), 40), Step::Sign);
    // But not by an authority that somebody does not trust.
    assert_eq!(step(&prepared(&[]), 40), Step::Publish);
}

#[test]
fn after_the_promotion_a_leaf_is_signed_and_the_old_authority_stays_until_its_last_leaf_is_over() {
    let promoted = State {
        signing: Some(issued(2, 0, AUTHORITY_LIFE)),
        retired: vec![(Fingerprint::numbered(1), at(60))],
        trusted: trusting(&[1, 2]),
        ..calm()
    };
    assert_eq!(step(&promoted, 10), Step::Sign);
    let signed = State {
        leaf: Some(Leaf { issued: issued(102, 10, 60), signer: Fingerprint::numbered(2), has_names: true }),
        ..promoted.clone()
    };
    assert_eq!(step(&signed, 10), Step::Wait(seconds(40)));
    assert_eq!(step(&signed, 49), Step::Wait(seconds(1)));
    assert_eq!(step(&signed, 60), Step::Drop);
    // One that is served after all is not forgotten.
    let late = State { leaf: Some(Leaf { issued: issued(103, 10, 80), ..calm().leaf.unwrap() }), ..promoted };
    assert_eq!(step(&late, 60), Step::Adopt);
}

#[test]
fn what_is_broken_is_repaired_at_once() {
    let emptied = State { trusted: vec![Some(BTreeSet::new()), calm().trusted[1].clone()], ..calm() };
    assert_eq!(step(&emptied, 0), Step::Publish);
    let more = State { trusted: trusting(&[1, 9]), ..calm() };
    assert_eq!(step(&more, 0), Step::Publish);
    let garbled = State { trusted: vec![None, None], ..calm() };
    assert_eq!(step(&garbled, 0), Step::Publish);
    assert_eq!(step(&State { leaf: None, ..calm() }, 0), Step::Sign);
    let renamed = State { leaf: calm().leaf.map(|leaf| Leaf { has_names: false, ..leaf }), ..calm() };
    assert_eq!(step(&renamed, 0), Step::Sign);
}

#[test]
fn asked_for_a_new_authority_it_makes_one_now() {
    assert_eq!(step(&State { asked: true, ..calm() }, 0), Step::Mint);
    // One at a time.
    assert_eq!(step(&State { asked: true, ..prepared(&[1, 2]) }, 0), Step::Wait(seconds(10)));
}

#[test]
fn where_the_authorities_are_lost_the_leaf_that_is_served_stays_trusted() {
    let lost = State { signing: None, stray: Some(Fingerprint::numbered(1)), ..calm() };
    assert_eq!(step(&lost, 0), Step::Adopt);
    let adopted = State { stray: None, retired: vec![(Fingerprint::numbered(1), at(60))], ..lost };
    assert_eq!(step(&adopted, 0), Step::Mint);
    let made = State { next: Some(issued(2, 0, AUTHORITY_LIFE)), trusted: trusting(&[1, 2]), ..adopted };
    assert_eq!(step(&made, 0), Step::Wait(seconds(10)));
    assert_eq!(made.plan(Some(seconds(10)), &TIMES, at(0)), Step::Promote);
}

#[test]
fn a_leaf_that_ends_with_its_authority_is_not_signed_over_and_over() {
    let state = State {
        leaf: calm().leaf.map(|leaf| Leaf { issued: issued(104, 250, 50), ..leaf }),
        ..prepared(&[1, 2])
    };
    assert_eq!(step(&state, 299), Step::Wait(seconds(10)));
}

#[test]
fn left_alone_it_rotates_in_time_and_a_leaf_is_always_good_for_a_while() {
    let mut world = World::default();
    for second in 0..3_000 {
        // Enough for every step that there may be.
        world.happens(&Event::Acts(0, 40));
        if second > 0 {
            let left = world.leaf_ends() - second;
            assert!(left >= 15, "{left} s are left at {second} s");
        }
        world.happens(&Event::Passes(1));
    }
    assert!(world.rotations() >= 3_000 / 220, "{} rotations", world.rotations());
    assert!(world.trusted() <= 3, "{} authorities are trusted", world.trusted());
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        // One request, or so many that the other one is far behind.
        20 => (0..2_usize).prop_map(|process| Event::Acts(process, 1)),
        10 => (0..2_usize, 1..40_usize).prop_map(|(process, times)| Event::Acts(process, times)),
        10 => (1..11_i64).prop_map(Event::Passes),
        1 => (11..60_i64).prop_map(Event::Passes),
        1 => (0..2_usize).prop_map(Event::Dies),
        3 => Just(Event::Asked),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// `World::happens` checks after each event that whatever leaf a replica may serve is trusted by every API server.
    #[test]
    fn whoever_dies_when_and_however_late_others_are_no_leaf_is_served_that_somebody_does_not_trust(
        events in prop::collection::vec(event(), 0..400),
    ) {
        let mut world = World::default();
        for event in &events {
            world.happens(event);
        }
    }
}
