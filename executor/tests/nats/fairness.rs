//! Fairness: a namespace that sends a thousand changes does not keep another waiting, also where both share a shard
//! and so a consumer.

use contract::{Lane, subject::shard};

use crate::{
    api::NAMESPACE,
    roadstead::{Roadstead, eventually},
};

const FLOOD: usize = 1_000;
const FEW: usize = 5;
const SLOTS: usize = 2;

/// Another namespace, in the shard of [`NAMESPACE`] or in another one.
fn other_namespace(same_shard: bool) -> String {
    let mut names = (0..).map(|number| format!("team-{number}"));
    names.find(|name| (shard(name) == shard(NAMESPACE)) == same_shard).unwrap()
}

/// A thousand changes of one namespace, then five of another; answers which are let through next.
async fn next_after_a_flood(same_shard: bool) -> Vec<String> {
    let mut roadstead = Roadstead::new(SLOTS).await;
    let other = other_namespace(same_shard);
    roadstead.api.add_namespace(&other);
    roadstead.api.hold_rollouts();
    for number in 0..FLOOD {
        roadstead.submit(&format!("flood-{number:04}"), "web:2", Lane::Normal).await;
    }
    roadstead.start().await;
    for number in 0..FEW {
        roadstead.submit_in(&other, &format!("few-{number}"), "web:2", Lane::Normal).await;
    }
    roadstead.waiting(Lane::Normal, FLOOD + FEW - SLOTS).await;
    let mut ended = 0;
    while roadstead.api.released().iter().filter(|name| name.starts_with("few")).count() < FEW {
        let begun = eventually("the next is let through", async || {
            let released = roadstead.api.released();
            if released.len() > ended { Ok(released) } else { Err("nothing is") }
        })
        .await;
        assert!(ended < FLOOD / 10, "the few wait behind the many");
        roadstead.api.roll_out(&begun[ended]);
        ended += 1;
    }
    let released = roadstead.api.released();
    roadstead.stop().await;
    released
}

fn of<'a>(released: &'a [String], prefix: &str) -> Vec<&'a String> {
    released.iter().filter(|name| name.starts_with(prefix)).collect()
}

#[tokio::test]
async fn a_flood_of_one_namespace_does_not_starve_another_of_its_shard() {
    let released = next_after_a_flood(true).await;
    // Those that were let through before the few came, and then one of each in turn.
    assert!(released.len() <= SLOTS + 2 * FEW + SLOTS, "{released:?}");
    assert!(of(&released, "flood").is_sorted() && of(&released, "few").is_sorted(), "{released:?}");
}

#[tokio::test]
async fn a_flood_of_one_namespace_does_not_starve_another_of_another_shard() {
    let released = next_after_a_flood(false).await;
    assert!(released.len() <= SLOTS + 2 * FEW + SLOTS, "{released:?}");
    assert!(of(&released, "flood").is_sorted() && of(&released, "few").is_sorted(), "{released:?}");
}

/// Changes of two namespaces that share a shard, let through by a number of executors at a time.
async fn each_once(executors: usize) {
    let mut roadstead = Roadstead::new(3).await;
    let other = other_namespace(true);
    roadstead.api.add_namespace(&other);
    for number in 0..60 {
        roadstead.submit(&format!("many-{number:02}"), "web:2", Lane::Normal).await;
    }
    for number in 0..20 {
        roadstead.submit_in(&other, &format!("few-{number:02}"), "web:2", Lane::Normal).await;
    }
    for _ in 0..executors {
        roadstead.start().await;
    }
    roadstead.settled(Lane::Normal).await;
    roadstead.waiting(Lane::Normal, 0).await;
    let mut released = roadstead.api.released();
    assert_eq!(released.len(), 80);
    released.sort_unstable();
    released.dedup();
    assert_eq!(released.len(), 80, "each once");
    roadstead.stop().await;
}

#[tokio::test]
async fn each_is_let_through_once_and_every_message_settled_when_two_share_a_shard() {
    each_once(1).await;
}

#[tokio::test]
async fn several_executors_that_choose_at_the_same_time_let_each_through_once() {
    each_once(3).await;
}
