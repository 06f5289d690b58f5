//! The way of a message: pulled, let through, settled.

use contract::{Lane, Phase, subject};

use crate::roadstead::{CLUSTER, Roadstead, eventually};

#[tokio::test]
async fn a_change_is_let_through_followed_and_settled() {
    let mut roadstead = Roadstead::new(2).await;
    roadstead.start().await;
    let change = roadstead.submit("web", "web:2", Lane::Normal).await;
    assert_eq!(roadstead.told("web", Phase::Released).await.change, change.change);
    assert_eq!(roadstead.told("web", Phase::Succeeded).await.change, change.change);
    roadstead.settled(Lane::Normal).await;
    assert_eq!(roadstead.story("web").await, [Phase::Released, Phase::Succeeded], "each once, in this order");
    eventually("the label is gone", async || roadstead.api.phase("web").map_or(Ok(()), Err)).await;
    let released = roadstead.api.annotation("web", "roadstead.dev/released");
    assert_eq!(released.as_deref(), Some(change.digest.as_str()));
    roadstead.stop().await;
}

#[tokio::test]
async fn urgent_goes_before_normal_before_bulk_and_first_in_is_first_out() {
    let mut roadstead = Roadstead::new(1).await;
    for (name, lane) in [
        ("bulk-1", Lane::Bulk),
        ("normal-1", Lane::Normal),
        ("normal-2", Lane::Normal),
        ("bulk-2", Lane::Bulk),
        ("urgent-1", Lane::Urgent),
    ] {
        roadstead.submit(name, "web:2", lane).await;
    }
    roadstead.start().await;
    roadstead.told("bulk-2", Phase::Succeeded).await;
    assert_eq!(roadstead.api.released(), ["urgent-1", "normal-1", "normal-2", "bulk-1", "bulk-2"]);
    roadstead.stop().await;
}

#[tokio::test]
async fn an_urgent_change_overtakes_a_wave_that_waits_for_a_slot() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.start().await;
    roadstead.api.hold_rollouts();
    roadstead.submit("wave-1", "web:2", Lane::Normal).await;
    roadstead.told("wave-1", Phase::Released).await;
    roadstead.submit("wave-2", "web:2", Lane::Normal).await;
    roadstead.submit("urgent", "web:2", Lane::Urgent).await;
    for (ends, begins) in [("wave-1", "urgent"), ("urgent", "wave-2")] {
        roadstead.api.roll_out(ends);
        roadstead.told(begins, Phase::Released).await;
    }
    assert_eq!(roadstead.api.released(), ["wave-1", "urgent", "wave-2"]);
    roadstead.stop().await;
}

#[tokio::test]
async fn a_change_that_replaces_one_in_flight_inherits_its_slot_and_does_not_queue() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.start().await;
    roadstead.api.hold_rollouts();
    let old = roadstead.submit("web", "web:2", Lane::Normal).await;
    roadstead.told("web", Phase::Released).await;
    roadstead.submit("waits", "web:2", Lane::Urgent).await;
    let new = roadstead.submit("web", "web:3", Lane::Bulk).await;
    eventually("the newer change is released", async || {
        let released = roadstead.api.annotation("web", "roadstead.dev/released");
        if released.as_deref() == Some(new.digest.as_str()) { Ok(()) } else { Err(format!("{released:?}")) }
    })
    .await;
    assert_eq!(roadstead.told("web", Phase::Superseded).await.change, old.change);
    assert_eq!(roadstead.api.phase("waits").as_deref(), Some("held"));
    roadstead.api.roll_out("web");
    roadstead.told("waits", Phase::Released).await;
    roadstead.stop().await;
}

#[tokio::test]
async fn what_the_api_server_refuses_for_now_comes_again() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.start().await;
    for code in [500, 422, 429] {
        roadstead.api.refuse_next_patch(code);
        let name = format!("web-{code}");
        roadstead.submit(&name, "web:2", Lane::Normal).await;
        roadstead.told(&name, Phase::Succeeded).await;
    }
    roadstead.settled(Lane::Normal).await;
    roadstead.stop().await;
}

#[tokio::test]
async fn what_happens_is_written_on_the_deployment_once() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.start().await;
    roadstead.submit("web", "web:2", Lane::Normal).await;
    eventually("it is written", async || {
        let mut events = roadstead.api.events("web");
        events.sort();
        if events == ["ChangeHeld", "ChangeReleased", "ChangeSucceeded"] {
            Ok(())
        } else {
            Err(format!("{events:?}"))
        }
    })
    .await;
    roadstead.api.refuse_next_patch(403);
    roadstead.submit("forbidden", "web:2", Lane::Normal).await;
    eventually("it is written", async || {
        let events = roadstead.api.events("forbidden");
        if events.contains(&"ChangeRetrying".to_owned()) { Ok(()) } else { Err(format!("{events:?}")) }
    })
    .await;
    roadstead.stop().await;
}

#[tokio::test]
async fn consumers_that_were_deleted_are_made_again() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.start().await;
    let stream = roadstead.context.get_stream_no_info(contract::stream::CHANGES).await.unwrap();
    let queue = contract::stream::consumer(CLUSTER, Lane::Normal, subject::shard("shop"));
    stream.delete_consumer(&queue).await.unwrap();
    roadstead.submit("web", "web:2", Lane::Normal).await;
    roadstead.told("web", Phase::Succeeded).await;
    roadstead.settled(Lane::Normal).await;
    roadstead.stop().await;
}
