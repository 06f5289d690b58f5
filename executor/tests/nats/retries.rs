//! What cannot be let through: tried again without keeping anything in hand, given up, put back.

use std::time::{Duration, Instant};

use contract::{DeadLetter, Lane, Phase, envelope::open, stream, subject};

use crate::{
    api::NAMESPACE,
    roadstead::{CLUSTER, Roadstead, address, eventually},
};

#[tokio::test]
async fn a_refused_change_keeps_nothing_in_hand_and_is_let_through_by_its_second_look() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.start().await;
    roadstead.api.deny("web");
    roadstead.submit("web", "web:2", Lane::Normal).await;
    let wake = roadstead.scheduled("web", 1).await;
    assert!(wake.last_error.contains("not on a Friday"), "{wake:?}");
    roadstead.settled(Lane::Normal).await;
    let told = roadstead.told("web", Phase::Held).await;
    assert_eq!((told.attempts, told.error.as_ref()), (Some(1), Some(&wake.last_error)));
    assert!(told.next_try.is_some() && told.message.contains("refused 1 of 3 times"), "{told:?}");
    roadstead.submit("other", "web:2", Lane::Normal).await;
    roadstead.told("other", Phase::Succeeded).await;
    assert_eq!(roadstead.api.phase("web").as_deref(), Some("held"));
    roadstead.api.allow();
    roadstead.told("web", Phase::Succeeded).await;
    assert_eq!(roadstead.story("web").await, [Phase::Held, Phase::Released, Phase::Succeeded]);
    roadstead.stop().await;
}

#[tokio::test]
async fn what_is_refused_too_often_is_dead_and_a_replay_has_new_attempts() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.start().await;
    roadstead.api.deny("web");
    let mut change = roadstead.submit("web", "web:2", Lane::Normal).await;
    for refusals in [1, 2] {
        let wake = roadstead.scheduled("web", refusals).await;
        roadstead.wake(&wake).await;
    }
    let told = roadstead.told("web", Phase::Dead).await;
    assert!(told.message.contains("refused 3 times") && told.next_try.is_none(), "{told:?}");
    let letter = roadstead.buried("web").await;
    let dead = letter.change.unwrap();
    assert_eq!(
        (dead.change, dead.digest, letter.attempts),
        (change.change.clone(), change.digest.clone(), 3)
    );
    assert!(dead.deployment.is_some() && letter.error.contains("not on a Friday"), "{}", letter.error);
    assert_eq!(roadstead.api.phase("web").as_deref(), Some("dead"));
    assert_eq!(roadstead.api.annotation("web", "roadstead.dev/gate").as_deref(), Some("closed"));
    eventually("it is written on the Deployment", async || {
        let events = roadstead.api.events("web");
        if events.contains(&"ChangeDead".to_owned()) { Ok(()) } else { Err(format!("{events:?}")) }
    })
    .await;

    roadstead.api.replay("web");
    change.attempt = 2;
    roadstead.publish(&change).await;
    let wake = roadstead.scheduled("web", 1).await;
    assert_eq!(wake.pointer.attempt, 2, "its budget is a new one");
    roadstead.api.allow();
    roadstead.wake(&wake).await;
    assert_eq!(roadstead.told("web", Phase::Released).await.attempt, 2);
    assert_eq!(roadstead.api.annotation("web", "roadstead.dev/replay"), None, "the order was obeyed");
    roadstead.stop().await;
}

#[tokio::test]
async fn while_the_api_server_is_away_the_queue_is_left_alone_and_no_change_is_given_up() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.attempts = 1;
    roadstead.start().await;
    roadstead.api.set_away(true);
    let begun = Instant::now();
    let names: Vec<_> = (0..40).map(|number| format!("web-{number:02}")).collect();
    for name in &names {
        roadstead.submit(name, "web:2", Lane::Normal).await;
    }
    let queue = stream::consumer(CLUSTER, Lane::Normal, subject::shard(NAMESPACE));
    let changes = roadstead.context.get_stream_no_info(stream::CHANGES).await.unwrap();
    eventually("it is tried for the third time", async || {
        let info = changes.consumer_info(&queue).await.map_err(|error| error.to_string())?;
        let delivered = info.delivered.consumer_sequence;
        if delivered > 2 { Ok(()) } else { Err(format!("{delivered} messages are delivered")) }
    })
    .await;
    // One change at a time, after half a second and then a whole one; without pauses all of them within moments.
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
    roadstead.api.set_away(false);
    for name in &names {
        roadstead.told(name, Phase::Succeeded).await;
    }
    assert_eq!(roadstead.story("web-00").await, [Phase::Released, Phase::Succeeded]);
    roadstead.stop().await;
}

#[tokio::test]
async fn a_death_that_could_not_be_told_of_at_once_is_told_of_later() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.attempts = 1;
    roadstead.start().await;
    roadstead.api.deny("web");
    roadstead.context.delete_stream(stream::EVENTS).await.unwrap();
    roadstead.submit("web", "web:2", Lane::Normal).await;
    eventually("it is dead", async || {
        let phase = roadstead.api.phase("web");
        if phase.as_deref() == Some("dead") { Ok(()) } else { Err(format!("{phase:?}")) }
    })
    .await;
    ops::streams::ensure(&roadstead.context, 1).await.unwrap();
    let told = roadstead.told("web", Phase::Dead).await;
    assert!(told.error.unwrap().contains("not on a Friday"));
    roadstead.settled(Lane::Normal).await;
    assert_eq!(roadstead.buried("web").await.attempts, 1);
    roadstead.stop().await;
}

#[tokio::test]
async fn a_change_whose_second_look_was_lost_is_found() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.start().await;
    roadstead.api.deny("web");
    roadstead.submit("web", "web:2", Lane::Normal).await;
    roadstead.scheduled("web", 1).await;
    roadstead.settled(Lane::Normal).await;
    roadstead.context.delete_stream(stream::WAKE).await.unwrap();
    roadstead.api.allow();
    roadstead.told("web", Phase::Succeeded).await;
    roadstead.stop().await;
}

#[tokio::test]
async fn of_a_change_that_waited_for_its_second_look_it_is_told_that_a_newer_one_took_its_place() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.start().await;
    roadstead.api.deny("web");
    let old = roadstead.submit("web", "web:2", Lane::Normal).await;
    roadstead.scheduled("web", 1).await;
    let new = roadstead.submit("web", "web:3", Lane::Normal).await;
    assert_eq!(roadstead.told("web", Phase::Superseded).await.change, old.change);
    eventually("the newer one has its second look", async || {
        let wake = roadstead.scheduled("web", 1).await;
        if wake.pointer.change == new.change { Ok(()) } else { Err(format!("{wake:?}")) }
    })
    .await;
    roadstead.stop().await;
}

#[tokio::test]
async fn a_poison_message_becomes_a_dead_letter_and_stops_nobody() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.start().await;
    let queue = subject::change_filter(CLUSTER, Lane::Normal, 3).unwrap();
    let nowhere = format!("{}nowhere", queue.trim_end_matches('>'));
    let web = address(Lane::Normal, NAMESPACE, "web");
    let future = br#"{"specversion":"1.0","type":"dev.roadstead.change.v9","data":{}}"#;
    let half = b"{\"half\":";
    for (subject, message) in [
        (nowhere, half.to_vec()),
        (address(Lane::Normal, NAMESPACE, "future").encode().unwrap(), future.to_vec()),
        (address(Lane::Normal, NAMESPACE, "large").encode().unwrap(), vec![b'x'; 1024 * 1024 - 4096]),
        (web.encode().unwrap(), half.to_vec()),
        (web.wake().unwrap(), half.to_vec()),
    ] {
        roadstead.context.publish(subject, message.into()).await.unwrap().await.unwrap();
    }
    roadstead.submit("web", "web:2", Lane::Normal).await;
    roadstead.told("web", Phase::Succeeded).await;
    let dead = roadstead.context.get_stream_no_info(stream::DEAD).await.unwrap();
    let mut letters = eventually("each is a dead letter", async || {
        let mut letters = Vec::new();
        for sequence in 1..=5 {
            letters.push(open::<DeadLetter>(&dead.get_raw_message(sequence).await?.payload)?);
        }
        Ok::<_, ops::BoxError>(letters)
    })
    .await;
    letters.sort_by(|one, other| one.name.cmp(&other.name));
    let found: Vec<_> = letters.iter().map(|letter| (letter.name.as_str(), letter.truncated)).collect();
    assert_eq!(found, [("1", false), ("future", false), ("large", true), ("web", false), ("web", false)]);
    assert!(letters[1].error.contains("dev.roadstead.change.v9"), "{}", letters[1].error);
    assert_eq!(letters[4].raw.as_deref(), Some("{\"half\":"));
    roadstead.stop().await;
}
