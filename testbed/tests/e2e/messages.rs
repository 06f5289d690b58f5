//! The queue is not trusted: what is published on it by others releases nothing and stops nobody.

use anyhow::{Result, ensure};
use contract::{
    Lane,
    stream::{CHANGES, DEAD},
    subject::{ChangeSubject, shard},
};
use testbed::{DeploymentView as _, Stack, deployment, eventually};

use crate::{V1, V2, queue};

/// The subject of changes of `web` in a lane.
fn subject(t: &Stack, lane: Lane) -> Result<String> {
    let (cluster, namespace, name) = (t.cluster.clone(), t.namespace.clone(), "web".to_owned());
    Ok(ChangeSubject { cluster, lane, namespace, name }.encode()?)
}

#[tokio::test]
async fn a_message_that_is_not_ours_becomes_a_dead_letter_and_stops_nobody() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let jetstream = t.jetstream().await?;
            let shard = shard(&t.namespace);
            let unknown = format!("roadstead.change.{}.normal.{shard}.nonsense", t.cluster);
            let future = br#"{"specversion":"1.0","type":"dev.roadstead.change.v9","data":{}}"#;
            let poison: [(String, Vec<u8>); 4] = [
                (subject(t, Lane::Normal)?, b"no json".to_vec()),
                (subject(t, Lane::Normal)?, future.to_vec()),
                (subject(t, Lane::Bulk)?, vec![b'x'; 1024 * 1024 - 4096]),
                (unknown, b"{}".to_vec()),
            ];
            for (subject, message) in poison {
                jetstream.publish(subject, message.into()).await?.await?;
            }
            t.apply(&deployment("web")).await?.ok()?;
            t.succeeded("web").await?;
            eventually("each is a dead letter", testbed::PATIENCE, async || {
                let dead = jetstream.get_stream(DEAD).await?.cached_info().state.messages;
                // The two on one subject of a consumer that delivers the last one only may be one.
                ensure!((3..=4).contains(&dead), "there are {dead} dead letters");
                Ok(())
            })
            .await?;
            ensure!(t.executor.is_running(), "{}", t.executor.log());
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_forged_message_releases_nothing_and_a_repeated_one_nothing_again() -> Result<()> {
    Stack::options()
        .slots(1)
        .run(async |t| {
            let jetstream = t.jetstream().await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            let first = queue::has_changes(t, 1).await?.remove(0);
            // Something takes the only slot, so the change below waits.
            t.apply(&deployment("other").unschedulable()).await?.ok()?;
            t.released("other").await?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            t.held("web").await?;
            let waiting = queue::has_changes(t, 3).await?.remove(2);
            let forged = [
                contract::Change { uid: "another".into(), attempt: 7, ..waiting.clone() },
                contract::Change { change: first.change.clone(), attempt: 8, ..waiting.clone() },
                contract::Change { lane: Lane::Urgent, attempt: 9, ..waiting.clone() },
                contract::Change { attempt: 10, ..first },
            ];
            for change in &forged {
                let message = contract::envelope::seal(change, time::OffsetDateTime::now_utc())?;
                jetstream.publish(subject(t, change.lane)?, message.into()).await?.await?;
            }
            t.kubectl(&["delete", "deployment/other"]).await?.ok()?;
            ensure!(t.succeeded("web").await?.image() == V2);
            let stream = jetstream.get_stream(CHANGES).await?;
            ensure!(stream.cached_info().state.messages == 7, "{:?}", stream.cached_info().state);
            ensure!(t.replica_sets("web").await?.len() == 2);
            Ok(())
        })
        .await
}
