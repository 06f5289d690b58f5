//! Many changes wait for one window: when it opens they go at the slots' pace, in the order of the lanes.

use anyhow::{Result, ensure};
use contract::{Lane, Phase, stream::EVENTS, subject::events_of};
use futures::TryStreamExt as _;
use serde_json::json;
use testbed::{Stack, deployment, eventually};
use time::{Duration, OffsetDateTime};

use crate::{V1, policies::put};

/// Changes of each lane.
const EACH: usize = 30;

/// Rollouts in flight at a time.
const SLOTS: u32 = 3;

/// Names of the Deployments of a lane.
fn names(lane: Lane) -> impl Iterator<Item = String> {
    (0..EACH).map(move |number| format!("{lane}-{number:02}"))
}

/// The first full minute that leaves time to submit everything.
fn opening() -> OffsetDateTime {
    let soon = OffsetDateTime::now_utc() + Duration::seconds(45);
    let minute = soon
        - Duration::seconds(i64::from(soon.second()))
        - Duration::nanoseconds(i64::from(soon.nanosecond()));
    minute + Duration::minutes(1)
}

/// The Deployments in the order in which their release was told.
async fn released(t: &Stack) -> Result<Vec<String>> {
    let stream = t.jetstream().await?.get_stream(EVENTS).await?;
    let filter = events_of(&t.cluster, Phase::Released)?;
    let subjects: Vec<_> = stream.info_with_subjects(&filter).await?.try_collect().await?;
    let mut told = Vec::new();
    for (subject, _) in subjects {
        let message = stream.get_last_raw_message_by_subject(&subject).await?;
        let event: contract::ChangeEvent = contract::envelope::open(&message.payload)?;
        told.push((message.sequence, event.name));
    }
    told.sort_unstable();
    Ok(told.into_iter().map(|(_, name)| name).collect())
}

#[tokio::test]
async fn when_a_window_opens_its_changes_go_at_the_slots_pace_in_the_order_of_the_lanes() -> Result<()> {
    Stack::options()
        .slots(SLOTS)
        .namespace_annotation("roadstead.dev/urgent", "allowed")
        .run(async |t| {
            let opens = opening();
            let schedule = format!("{} {} * * *", opens.minute(), opens.hour());
            let window = json!({"name": "opening", "kind": "Allow", "schedule": schedule, "duration": "30m"});
            put(t, "ReleasePolicy", "opening", json!({"windows": [window]})).await?;
            // The least urgent first, so that the order of the queue is not that of the lanes.
            let lanes = Lane::ALL.into_iter().rev();
            let manifests = lanes.flat_map(|lane| names(lane).map(move |name| (lane, name)));
            let manifests: Vec<_> = manifests
                .map(|(lane, name)| deployment(&name).lane(lane.as_str()).image(V1).yaml())
                .collect();
            t.kubectl_with(&["apply", "-f", "-"], &manifests.join("\n---\n")).await?.ok()?;
            let all = manifests.len();
            eventually("all of them wait for the window", testbed::PATIENCE, async || {
                let waiting =
                    t.executor.metric_where("roadstead_waiting_for_rule", &[r#"rule="window""#]).await?;
                ensure!(waiting >= f64::from(u32::try_from(all)?), "{waiting} wait");
                Ok(())
            })
            .await?;
            ensure!(OffsetDateTime::now_utc() < opens, "it took too long to submit them: the window is open");
            ensure!(released(t).await?.is_empty());
            for lane in Lane::ALL {
                for name in names(lane) {
                    eventually("it is rolled out", std::time::Duration::from_mins(3), async || {
                        t.succeeded(&name).await.map(drop)
                    })
                    .await?;
                }
            }
            let order = released(t).await?;
            ensure!(order.len() == all, "{order:?}");
            // Those whose releases are told at the same time may be told in another order.
            let lane = |name: &str| Lane::ALL.iter().position(|lane| name.starts_with(lane.as_str()));
            for (at, name) in order.iter().enumerate() {
                let expected = at / EACH;
                let near = [at.saturating_sub(SLOTS as usize) / EACH, (at + SLOTS as usize) / EACH];
                let lane = lane(name).unwrap_or(usize::MAX);
                ensure!(lane == expected || near.contains(&lane), "{name} went as number {at}: {order:?}");
            }
            Ok(())
        })
        .await
}
