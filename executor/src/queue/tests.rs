//! The index and its turns, told things in every order.

use contract::Lane;

use super::*;

const NORMAL: Lane = Lane::Normal;
const ALL: Shards = [true; 32];

fn change(letter: &str) -> contract::ChangeId {
    letter.repeat(10).parse().unwrap()
}

fn held(letter: &str, lane: Lane) -> Held {
    Held { change: change(letter), attempt: 1, asked: None, lane: Some(lane), says: 0 }
}

fn queued(letter: &str, lane: Lane, sequence: u64) -> Queued {
    Queued { change: change(letter), attempt: 1, lane, sequence, published: i64::try_from(sequence).unwrap() }
}

/// An index of changes in the normal lane, each given by its namespace, name and sequence.
fn index(changes: &[(&str, &str, u64)]) -> Index {
    let mut index = Index::default();
    for (namespace, name, sequence) in changes {
        index.held(namespace, name, held("a", NORMAL), (0, 0), 0);
        index.queued(namespace, name, queued("a", NORMAL, *sequence), 0);
    }
    index
}

fn next(index: &mut Index) -> Option<String> {
    index.next(NORMAL, &known(index), &mut 0).map(|(name, _)| name.unwrap().to_string())
}

/// The shards where something is known to wait.
fn known(index: &Index) -> Shards {
    index.turns[1].shards.map(|busy| busy > 0)
}

/// What is done with a message that was asked for when it was somebody's turn.
fn choose(index: &mut Index, turn: Option<&str>, own: (&str, &str), sequence: u64) -> Choice {
    let turn = turn.map(Name::from);
    index.turns[1].asked[0].extend(turn.clone());
    index.choose((NORMAL, 0), turn.as_ref(), own, sequence)
}

fn instead(namespace: &str, name: &str) -> Choice {
    Choice::Instead(namespace.into(), name.into())
}

fn order(index: &Index, namespace: &str) -> Vec<String> {
    index.spaces[namespace].lines[1].ready.iter().map(|(_, name)| name.to_string()).collect()
}

#[test]
fn a_namespace_is_first_in_first_out_by_the_stream_whoever_tells_first() {
    let mut index = Index::default();
    index.queued("shop", "late", queued("a", NORMAL, 9), 0);
    for name in ["late", "early", "unknown"] {
        index.held("shop", name, held("a", NORMAL), (0, 0), 0);
    }
    index.queued("shop", "early", queued("a", NORMAL, 3), 0);
    assert_eq!(order(&index, "shop"), ["early", "late", "unknown"]);
    assert_eq!(index.depth(NORMAL), (3, Some(3)));
}

#[test]
fn an_older_change_on_the_stream_is_not_the_one_that_waits() {
    let mut index = index(&[("shop", "web", 4)]);
    index.held("shop", "api", held("b", NORMAL), (0, 0), 0);
    index.queued("shop", "api", queued("a", NORMAL, 2), 0);
    assert_eq!(order(&index, "shop"), ["web", "api"]);
    index.queued("shop", "api", queued("b", NORMAL, 5), 0);
    index.held("shop", "web", held("c", NORMAL), (0, 0), 0);
    assert_eq!(order(&index, "shop"), ["api", "web"], "a newer change waits anew");
}

#[test]
fn what_is_held_no_more_is_gone_also_by_a_new_list() {
    let mut index = index(&[("shop", "web", 1), ("shop", "api", 2), ("pay", "web", 3)]);
    index.departed("shop", "web");
    index.held("shop", "api", held("a", NORMAL), (0, 1), 0);
    index.listed(0, 1);
    assert_eq!(index.spaces.keys().map(|name| &**name).collect::<Vec<_>>(), ["shop"]);
    index.listed(1, 7);
    assert_eq!(order(&index, "shop"), ["api"], "another watch's are left alone");
    index.departed("shop", "api");
    assert_eq!((index.depth(NORMAL), known(&index)), ((0, None), [false; 32]));
}

#[test]
fn lanes_follow_the_namespace_and_who_is_not_served_waits_in_none() {
    let mut index = index(&[("shop", "web", 1), ("pay", "web", 2)]);
    index.assign(|namespace, _| (namespace == "shop").then_some(Lane::Bulk));
    assert_eq!([0, 1, 2].map(|lane| index.depth(Lane::ALL[lane]).0), [0, 0, 1]);
    index.assign(|_, _| Some(NORMAL));
    assert_eq!(index.depth(NORMAL).0, 2);
}

#[test]
fn a_message_that_the_stream_lost_loses_its_place() {
    let mut index = index(&[("shop", "web", 1), ("shop", "api", 2)]);
    assert!(!index.misses(1_000, 10));
    index.reading();
    index.queued("shop", "api", queued("a", NORMAL, 1), 0);
    index.read();
    assert_eq!(order(&index, "shop"), ["api", "web"]);
    assert!(index.misses(1_000, 10) && !index.misses(5, 10));
}

#[test]
fn the_namespaces_take_turns_and_one_that_is_new_has_its_own() {
    let mut index = index(&[("a", "1", 1), ("a", "2", 2), ("a", "3", 3), ("c", "1", 4), ("c", "2", 5)]);
    assert_eq!([(); 3].map(|()| next(&mut index).unwrap()), ["a", "c", "a"]);
    index.held("b", "1", held("a", NORMAL), (0, 0), 0);
    assert_eq!([(); 3].map(|()| next(&mut index).unwrap()), ["c", "b", "a"], "it has saved no turns");
}

#[test]
fn a_shard_of_which_nothing_is_known_is_looked_into_first() {
    let mut index = index(&[("a", "1", 1)]);
    let shard = contract::subject::shard("a");
    let mut may = [false; 32];
    (may[usize::from(shard)], may[usize::from((shard + 1) % 32)]) = (true, true);
    assert_eq!(index.next(NORMAL, &may, &mut 0), Some((None, (shard + 1) % 32)));
    may[usize::from((shard + 1) % 32)] = false;
    assert_eq!(index.next(NORMAL, &may, &mut 0), Some((Some("a".into()), shard)));
    assert_eq!(index.next(NORMAL, &[false; 32], &mut 0), None);
    assert_eq!(Index::default().next(NORMAL, &ALL, &mut 7), Some((None, 7)), "as before anything is known");
}

#[test]
fn the_one_whose_turn_it_is_comes_instead_of_the_one_that_was_delivered() {
    let mut index = index(&[("flood", "1", 1), ("flood", "2", 2), ("few", "1", 3)]);
    assert_eq!(choose(&mut index, Some("few"), ("flood", "1"), 1), instead("few", "1"));
    let put_back = choose(&mut index, Some("flood"), ("flood", "2"), 2);
    assert_eq!(put_back, instead("flood", "1"), "it was put back, and comes first");
    let last = choose(&mut index, Some("few"), ("flood", "2"), 2);
    assert_eq!(last, Choice::Own, "the few have nothing more");
}

#[test]
fn an_answer_that_overtakes_another_serves_the_turn_of_its_own() {
    let mut index = index(&[("a", "1", 1), ("b", "1", 2)]);
    let asked = ["a", "b"].map(Name::from);
    index.turns[1].asked[0].extend(asked.clone());
    assert_eq!(index.choose((NORMAL, 0), Some(&asked[0]), ("b", "1"), 2), Choice::Own);
    assert_eq!(index.choose((NORMAL, 0), Some(&asked[1]), ("a", "1"), 1), Choice::Own);
    assert!(index.turns[1].asked[0].is_empty());
}

#[test]
fn the_message_of_what_came_instead_has_nothing_left_to_do_once() {
    let mut index = index(&[("flood", "1", 1), ("few", "1", 3)]);
    assert_eq!(choose(&mut index, Some("few"), ("flood", "1"), 1), instead("few", "1"));
    let message = index.message_of("few", "1").unwrap();
    index.done(message);
    index.settle("few", "1", After::Over);
    index.departed("few", "1");
    assert!(!index.is_done(&queued("b", NORMAL, 3)), "another change of that number");
    assert!(index.is_done(&queued("a", NORMAL, 3)));
    assert!(!index.is_done(&queued("a", NORMAL, 3)));
}

#[test]
fn within_a_namespace_nothing_comes_before_what_others_may_have_in_hand() {
    let mut index = index(&[("shop", "1", 1), ("shop", "2", 2)]);
    assert_eq!(choose(&mut index, Some("shop"), ("shop", "2"), 2), Choice::Own);
    index.settle("shop", "2", After::PutBack);
    assert_eq!(choose(&mut index, None, ("shop", "1"), 1), Choice::Own);
}

#[test]
fn one_without_a_slot_keeps_its_place_and_one_that_failed_is_left_to_its_own_message() {
    let mut index = index(&[("shop", "1", 1), ("shop", "2", 2), ("shop", "3", 3)]);
    assert_eq!(choose(&mut index, None, ("shop", "1"), 1), Choice::Own);
    index.settle("shop", "1", After::PutBack);
    assert_eq!(choose(&mut index, None, ("shop", "2"), 2), instead("shop", "1"));
    index.settle("shop", "1", After::Aside);
    index.settle("shop", "2", After::PutBack);
    assert_eq!(choose(&mut index, None, ("shop", "3"), 3), instead("shop", "2"));
    assert_eq!(choose(&mut index, None, ("shop", "1"), 1), Choice::Own, "its message is here again");
}

#[test]
fn a_turn_that_met_an_old_message_is_given_back() {
    let mut index = index(&[("a", "1", 1), ("b", "1", 2), ("c", "1", 3)]);
    assert_eq!(next(&mut index).unwrap(), "a");
    assert_eq!(choose(&mut index, Some("a"), ("a", "gone"), 7), Choice::Own);
    assert_eq!([(); 3].map(|()| next(&mut index).unwrap()), ["a", "b", "c"]);
}

#[test]
fn what_another_executor_lets_through_is_its_namespaces_turn() {
    let mut index = index(&[("a", "1", 1), ("b", "1", 2), ("a", "2", 3), ("c", "1", 4)]);
    index.departed("a", "1");
    assert_eq!([(); 2].map(|()| next(&mut index).unwrap()), ["b", "c"]);
}

#[test]
fn a_change_that_failed_is_tried_by_nobody_before_its_time() {
    let mut index = index(&[("shop", "1", 1), ("shop", "2", 2)]);
    let trouble = |letter| Trouble {
        change: change(letter),
        tries: 1,
        last_error: "no".into(),
        next_try: None,
        rules: Box::default(),
        until: None,
    };
    index.troubled("shop", "1", trouble("a"));
    index.troubled("shop", "2", trouble("b"));
    assert_eq!(order(&index, "shop"), ["2"]);
    index.held("shop", "1", held("b", NORMAL), (0, 0), 0);
    assert_eq!(order(&index, "shop"), ["2", "1"], "a newer change begins anew");
}

/// Lets everything through as a consumer of one shard delivers it, one at a time; answers the namespaces in the order
/// in which theirs were let through, and how many messages were put back for it.
fn let_through(
    index: &mut Index,
    mut messages: std::collections::VecDeque<(String, String, u64)>,
) -> (String, usize) {
    let (mut order, mut put_back) = (String::new(), 0);
    let mut shards = [false; 32];
    shards[usize::from(contract::subject::shard("a"))] = true;
    while let Some((namespace, name, sequence)) = messages.pop_front() {
        let (turn, shard) = index.next(NORMAL, &shards, &mut 0).unwrap();
        if index.is_done(&queued("a", NORMAL, sequence)) {
            let choice = index.choose((NORMAL, shard), turn.as_ref(), (&namespace, &name), sequence);
            assert_eq!(choice, Choice::Own);
            continue;
        }
        let choice = index.choose((NORMAL, shard), turn.as_ref(), (&namespace, &name), sequence);
        let (space, first) = match choice {
            Choice::Own => (Name::from(namespace), Name::from(name)),
            Choice::Instead(space, first) => {
                put_back += 1;
                let message = index.message_of(&space, &first).unwrap();
                index.done(message);
                messages.push_front((namespace, name, sequence));
                (space, first)
            }
        };
        index.settle(&space, &first, After::Over);
        index.departed(&space, &first);
        order.push_str(&space);
    }
    (order, put_back)
}

/// Namespaces of one shard, and the messages of their changes in the order that is given by their numbers.
fn one_shard(order: &[usize]) -> (Index, std::collections::VecDeque<(String, String, u64)>) {
    let shard = contract::subject::shard("a");
    let others = (b'b'..=b'z').flat_map(|first| (b'a'..=b'z').map(move |second| [first, second]));
    let others = others.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
    let others = others.filter(|name| contract::subject::shard(name) == shard);
    let namespaces: Vec<_> = std::iter::once("a".to_owned()).chain(others).collect();
    let messages =
        order.iter().zip(1..).map(|(at, sequence)| (namespaces[*at].clone(), sequence.to_string(), sequence));
    let messages: std::collections::VecDeque<_> = messages.collect();
    let changes: Vec<_> =
        messages.iter().map(|(space, name, at)| (space.as_str(), name.as_str(), *at)).collect();
    (index(&changes), messages)
}

#[test]
fn nothing_is_put_back_where_the_queue_has_the_order_of_the_turns() {
    let (mut index, messages) = one_shard(&[0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 2, 2]);
    assert_eq!(let_through(&mut index, messages).1, 0);
}

#[test]
fn after_a_flood_the_others_take_turns_and_each_is_let_through_once() {
    let order = [vec![0; 50], vec![1; 3], vec![2; 2]].concat();
    let (mut index, messages) = one_shard(&order);
    let names = [0, 50, 53].map(|at: usize| messages[at].0.clone());
    let (released, put_back) = let_through(&mut index, messages);
    let [flood, few, fewer] = names;
    let turns = format!("{flood}{few}{fewer}").repeat(2) + &flood + &few + &flood.repeat(47);
    assert_eq!(released, turns);
    assert_eq!((put_back, index.done.len()), (5, 0), "one for each that came before its message");
}
