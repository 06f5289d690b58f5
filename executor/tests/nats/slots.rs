//! The ledger of slots on a real key-value bucket, with several keepers at it.

use std::{collections::BTreeMap, time::Duration};

use async_nats::Client;
use executor::{
    live::now,
    metrics::Metrics,
    slots::{Grant, Holder, Keeper, Room, Slots, Store, Vacancies},
};
use tokio_util::sync::CancellationToken;

use crate::{roadstead::CLUSTER, server::Server};

/// The slots as one executor sees them, once it has counted `rolling`.
async fn executor(client: &Client, slots: usize, rolling: &[&str]) -> Slots {
    let store = Store::new(ops::streams::jetstream(client), CLUSTER, 1);
    let (keeper, slots) = Keeper::new(store, room(slots), Duration::from_mins(15), Metrics::default());
    tokio::spawn(keeper.run(CancellationToken::new()));
    slots.recount(rolling.iter().map(|uid| ((*uid).to_owned(), holder(uid))).collect()).await.unwrap();
    slots
}

fn room(slots: usize) -> Room {
    Room { slots, urgent: 1 }
}

fn holder(name: &str) -> Holder {
    Holder {
        namespace: "shop".into(),
        name: name.into(),
        change: "aaaaaaaaaa".parse().unwrap(),
        generation: 1,
        since: now(),
        urgent: false,
        counts: true,
        policies: vec![],
    }
}

async fn acquire(slots: &Slots, uid: &str) -> Grant {
    slots.acquire(uid, holder(uid), vec![]).await.unwrap()
}

#[tokio::test]
async fn executors_that_race_share_the_slots() {
    let server = Server::start();
    let mut granted = 0;
    let mut executors = Vec::new();
    for _ in 0..3 {
        executors.push(executor(&server.client().await, 5, &[]).await);
    }
    let wishes = (0..60).map(|number| {
        let slots = executors[number % 3].clone();
        tokio::spawn(async move { acquire(&slots, &format!("web-{number}")).await })
    });
    for wish in wishes.collect::<Vec<_>>() {
        granted += usize::from(wish.await.unwrap() == Grant::New);
    }
    assert_eq!(granted, 5);
}

#[tokio::test]
async fn a_slot_that_another_executor_frees_is_seen_at_once() {
    let server = Server::start();
    let one = executor(&server.client().await, 1, &[]).await;
    let other = executor(&server.client().await, 1, &[]).await;
    assert_eq!(acquire(&one, "web").await, Grant::New);
    assert_eq!(acquire(&other, "api").await, Grant::Full);
    let mut vacancies = other.vacancies();
    assert_eq!(*vacancies.borrow_and_update(), Vacancies { any: 0, urgent: 1 });
    one.free("web", 1).await.unwrap();
    tokio::time::timeout(Duration::from_millis(500), vacancies.changed()).await.unwrap().unwrap();
    assert_eq!(acquire(&other, "api").await, Grant::New);
}

#[tokio::test]
async fn nothing_is_granted_before_what_rolls_out_was_counted() {
    let server = Server::start();
    let store = Store::new(ops::streams::jetstream(&server.client().await), CLUSTER, 1);
    let (keeper, slots) = Keeper::new(store, room(1), Duration::from_mins(15), Metrics::default());
    tokio::spawn(keeper.run(CancellationToken::new()));
    assert!(slots.acquire("web", holder("web"), vec![]).await.is_err());
    assert_eq!(*slots.vacancies().borrow(), Vacancies::default());
    slots.recount(BTreeMap::new()).await.unwrap();
    assert_eq!(acquire(&slots, "web").await, Grant::New);
}

#[tokio::test]
async fn a_bucket_that_was_lost_is_counted_again_from_what_rolls_out() {
    let server = Server::start();
    let client = server.client().await;
    let slots = executor(&client, 2, &["rolls out"]).await;
    assert_eq!(acquire(&slots, "granted").await, Grant::New);
    let context = ops::streams::jetstream(&client);
    context.delete_key_value(contract::stream::LEASES).await.unwrap();
    slots.free("rolls out", 1).await.unwrap();
    assert_eq!(acquire(&slots, "more").await, Grant::New);
    assert_eq!(acquire(&slots, "one too many").await, Grant::Full, "what was granted is not forgotten");
}
