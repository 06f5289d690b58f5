//! What is published of the queue on the real control plane.

use anyhow::{Result, ensure};
use contract::{Lane, Queue, envelope::open, stream, subject};
use testbed::{Stack, deployment, eventually};

async fn published(t: &Stack) -> Result<Queue> {
    let stream = t.jetstream().await?.get_stream(stream::QUEUE).await?;
    let subject = subject::queue(&t.cluster, &t.namespace)?;
    Ok(open(&stream.get_last_raw_message_by_subject(&subject).await?.payload)?)
}

#[tokio::test]
async fn positions_are_published_for_each_change_that_waits_urgent_first() -> Result<()> {
    let options = Stack::options().slots(1).namespace_annotation("roadstead.dev/urgent", "allowed");
    options
        .run(async |t| {
            // They never end, so whatever has a slot keeps it.
            t.apply(&deployment("runs").unschedulable()).await?.ok()?;
            t.released("runs").await?;
            for name in ["one", "two"] {
                t.apply(&deployment(name)).await?.ok()?;
            }
            // Where a slot is reserved for urgent changes, the first takes it.
            for name in ["fix-1", "fix-2"] {
                t.apply(&deployment(name).lane("urgent").unschedulable()).await?.ok()?;
            }
            eventually("it is published what waits", testbed::PATIENCE, async || {
                let queue = published(t).await?;
                let names: Vec<_> = queue.waiting.iter().map(|one| one.name.as_str()).collect();
                ensure!(names.ends_with(&["fix-2", "one", "two"]), "{names:?}");
                let positions = queue.waiting.iter().map(|one| one.position);
                ensure!(positions.eq(1..=names.len() as u64), "{queue:?}");
                ensure!(queue.waiting[0].lane == Lane::Urgent, "{queue:?}");
                Ok(())
            })
            .await?;
            t.kubectl(&["delete", "deployment", "one", "two", "fix-1", "fix-2"]).await?.ok()?;
            eventually("it is published that nothing waits", testbed::PATIENCE, async || {
                let queue = published(t).await?;
                ensure!(queue.waiting.is_empty(), "{queue:?}");
                Ok(())
            })
            .await
        })
        .await
}
