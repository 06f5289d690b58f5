//! What is published of the queue: where each change stands, and when it may begin.

use std::time::Duration;

use async_nats::jetstream::Context;
use contract::{
    Lane, Phase, Pointer, Queue, Wake,
    envelope::{open, seal},
    stream, subject,
};
use executor::{
    queue::{Held, Publisher, View},
    slots::{Room, Vacancies},
};
use futures::StreamExt as _;
use ops::BoxError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    api::NAMESPACE,
    roadstead::{CLUSTER, Roadstead, eventually},
    server::Server,
};

/// The newest word about a namespace.
async fn published(context: &Context, namespace: &str) -> Result<Queue, BoxError> {
    let stream = context.get_stream_no_info(stream::QUEUE).await?;
    let subject = subject::queue(CLUSTER, namespace)?;
    Ok(open(&stream.get_last_raw_message_by_subject(&subject).await?.payload)?)
}

/// Waits until exactly these are published of a namespace, in this order, with their positions.
async fn waits(roadstead: &Roadstead, namespace: &str, expected: &[(&str, u64, u64)]) -> Queue {
    eventually("it is published what waits", async || {
        let queue = published(&roadstead.context, namespace).await.map_err(|error| error.to_string())?;
        let found: Vec<_> =
            queue.waiting.iter().map(|one| (one.name.as_str(), one.position, one.ahead)).collect();
        if found == expected { Ok(queue) } else { Err(format!("{found:?}")) }
    })
    .await
}

#[tokio::test]
async fn positions_are_published_urgent_first_and_an_empty_list_at_the_end() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.api.add_namespace("pay");
    roadstead.api.hold_rollouts();
    // Before the executor is there: what stands in the stream already is read as well.
    for name in ["one", "two", "three"] {
        roadstead.submit(name, "web:2", Lane::Normal).await;
    }
    roadstead.start().await;
    roadstead.told("one", Phase::Released).await;
    roadstead.submit_in("pay", "other", "web:2", Lane::Normal).await;
    roadstead.submit("fix", "web:2", Lane::Urgent).await;
    let queue = waits(&roadstead, NAMESPACE, &[("fix", 1, 0), ("two", 3, 1), ("three", 4, 2)]).await;
    assert_eq!((queue.left_out, queue.waiting[0].lane), (0, Lane::Urgent));
    assert_eq!(queue.waiting[0].expected_start, None, "nothing is known of rollouts yet");
    waits(&roadstead, "pay", &[("other", 2, 0)]).await;

    for name in ["one", "fix", "other", "two"] {
        eventually("it is let through", async || {
            if roadstead.api.phase(name).as_deref() == Some("released") { Ok(()) } else { Err(name) }
        })
        .await;
        roadstead.api.roll_out(name);
    }
    roadstead.told("three", Phase::Released).await;
    waits(&roadstead, NAMESPACE, &[]).await;
    waits(&roadstead, "pay", &[]).await;
    roadstead.submit("four", "web:2", Lane::Bulk).await;
    let queue = waits(&roadstead, NAMESPACE, &[("four", 1, 0)]).await;
    assert!(queue.waiting[0].expected_start.is_some(), "{queue:?}");
    roadstead.stop().await;
}

/// Starts somebody who publishes that one change waits in a namespace.
async fn publisher(server: &Server) -> (View, CancellationToken, JoinHandle<Result<(), BoxError>>) {
    let (view, stop) = (View::default(), CancellationToken::new());
    let change = "aaaaaaaaaa".parse().unwrap();
    let held = Held { change, attempt: 1, asked: None, lane: Some(Lane::Normal), says: 0 };
    view.with(|index| {
        index.held(NAMESPACE, "web", held, (0, 0), 0);
        index.complete();
    });
    let context = ops::streams::jetstream(&server.client().await);
    ops::streams::ensure(&context, 1).await.unwrap();
    let publisher = Publisher {
        view: view.clone(),
        context,
        cluster: CLUSTER.into(),
        replicas: 1,
        room: Room { slots: 1, urgent: 0 },
        vacancies: tokio::sync::watch::channel(Vacancies::default()).1,
        interval: Duration::from_millis(100),
    };
    let task = tokio::spawn(publisher.run(stop.clone()));
    (view, stop, task)
}

#[tokio::test]
async fn one_publishes_at_a_time_and_another_goes_on_when_it_is_gone() {
    let server = Server::start();
    let (_, stop, task) = publisher(&server).await;
    let context = ops::streams::jetstream(&server.client().await);
    let first = eventually("it is published", async || published(&context, NAMESPACE).await).await;
    let (view, stop_second, second) = publisher(&server).await;
    let mut said = context.client().subscribe(subject::all_queues(CLUSTER).unwrap()).await.unwrap();
    // Over more than the silence after which the other would begin.
    for _ in 0..10 {
        let queue: Queue = open(&said.next().await.unwrap().payload).unwrap();
        assert_eq!(queue.publisher, first.publisher);
    }
    stop.cancel();
    task.await.unwrap().unwrap();
    view.with(|index| index.departed(NAMESPACE, "web"));
    // What the one that is gone said last is not true any more, and nothing else waits.
    let empty = eventually("it is said that nothing waits", async || {
        let queue = published(&context, NAMESPACE).await.map_err(|error| error.to_string())?;
        if queue.waiting.is_empty() { Ok(queue) } else { Err(format!("{queue:?}")) }
    })
    .await;
    assert_ne!(empty.publisher, first.publisher);
    stop_second.cancel();
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_failed_says_so_while_it_waits() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.api.hold_rollouts();
    roadstead.start().await;
    roadstead.submit("runs", "web:2", Lane::Normal).await;
    roadstead.told("runs", Phase::Released).await;
    let change = roadstead.submit("web", "web:2", Lane::Normal).await;
    let wake = Wake {
        cluster: CLUSTER.into(),
        pointer: Pointer::from(&change),
        tries: 2,
        refusals: 1,
        last_error: "denied by another webhook".into(),
        obstacles: vec![],
        sequence: 2,
        published: 0,
    };
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Schedule", "@at 2100-01-01T00:00:00Z");
    headers.insert("Nats-Schedule-Target", wake.address().wake().unwrap().as_str());
    let payload = seal(&wake, time::OffsetDateTime::UNIX_EPOCH).unwrap();
    let subject = wake.address().schedule().unwrap();
    roadstead.waiting(Lane::Normal, 1).await;
    roadstead.context.publish_with_headers(subject, headers, payload.into()).await.unwrap().await.unwrap();
    eventually("it is published that it failed", async || {
        let queue = published(&roadstead.context, NAMESPACE).await.map_err(|error| error.to_string())?;
        let found =
            queue.waiting.first().map(|one| (one.tries, one.last_error.clone(), one.next_try.clone()));
        let expected = (2, Some(wake.last_error.clone()), Some("2100-01-01T00:00:00Z".into()));
        if found == Some(expected) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
    roadstead.stop().await;
}
