//! The queue on NATS: every stream is there and kept on disk, the executor's consumers are there, and how much they have
//! not read yet.

use std::collections::BTreeSet;

use contract::{
    Lane,
    stream::{CHANGES, STREAMS, WAKE, consumer, wake_consumer},
    subject::SHARDS,
};
use serde_json::Value;

use super::finding::Finding;
use crate::nats::{Absence, Nats};

/// Looks at all of it.
pub async fn look(nats: Result<&Nats, &Absence>) -> Vec<Finding> {
    let nats = match nats {
        Ok(nats) if nats.reads_history() => nats,
        Ok(_) => return unseen("the credentials are of one namespace, and see its events only"),
        Err(absence) => return unseen(&absence.to_string()),
    };
    let (mut gone, mut volatile, mut messages) = (Vec::new(), Vec::new(), 0);
    for layout in &STREAMS {
        match nats.stream(layout.name).await {
            Ok(None) => gone.push(layout.name),
            Ok(Some(kept)) => {
                messages += kept.state.messages;
                volatile.extend((kept.config["storage"] == "memory").then_some(layout.name));
            }
            Err(absence) => return unseen(&absence.to_string()),
        }
    }
    let mut findings = vec![streams(&gone, &volatile, messages)];
    let mut there = Vec::new();
    for stream in [CHANGES, WAKE] {
        match nats.consumers(stream).await {
            Ok(consumers) => there.extend(consumers),
            Err(absence) => {
                findings.push(Finding::skipped("consumers", absence.to_string(), None));
                return findings;
            }
        }
    }
    findings.push(consumers(&nats.cluster, &there));
    findings
}

fn unseen(why: &str) -> Vec<Finding> {
    ["streams", "consumers"].map(|check| Finding::skipped(check, why, None)).into()
}

fn streams(gone: &[&str], volatile: &[&str], messages: u64) -> Finding {
    if !gone.is_empty() {
        let fix = "webhook and executor make them when they connect: look at their logs (docs/runbooks/nats-disconnected.md)";
        return Finding::fail("streams", format!("not there: {}", gone.join(", ")), fix);
    }
    if !volatile.is_empty() {
        let fix = "make them anew with file storage: what is queued is queued again from the held objects";
        return Finding::fail("streams", format!("kept in memory only: {}", volatile.join(", ")), fix);
    }
    Finding::ok("streams", format!("{} on disk, {messages} messages", STREAMS.len()))
}

fn consumers(cluster: &str, there: &[Value]) -> Finding {
    let names: BTreeSet<_> = there.iter().filter_map(|consumer| consumer["name"].as_str()).collect();
    let lanes = Lane::ALL.into_iter();
    let of_lanes =
        lanes.clone().flat_map(|lane| (0..SHARDS).map(move |shard| consumer(cluster, lane, shard)));
    let expected: Vec<_> = of_lanes.chain(lanes.map(|lane| wake_consumer(cluster, lane))).collect();
    let gone = expected.iter().filter(|name| !names.contains(name.as_str())).count();
    if gone > 0 {
        return Finding::fail(
            "consumers",
            format!("{gone} of {} of cluster {cluster} are not there", expected.len()),
            "the executor makes them when it starts: see its log; another cluster's name: --nats-cluster",
        );
    }
    let ours = |consumer: &&Value| {
        consumer["name"].as_str().is_some_and(|name| expected.iter().any(|own| own == name))
    };
    let sum =
        |field: &str| there.iter().filter(ours).filter_map(|consumer| consumer[field].as_u64()).sum::<u64>();
    let (unread, worked_on) = (sum("num_pending"), sum("num_ack_pending"));
    Finding::ok(
        "consumers",
        format!("{} there; not read yet: {unread}, worked on: {worked_on}", expected.len()),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::finding::Status;

    #[test]
    fn a_stream_that_is_gone_or_in_memory_is_a_failure() {
        assert_eq!(streams(&[], &[], 3).status, Status::Ok);
        assert_eq!(streams(&[WAKE], &[], 3).status, Status::Fail);
        assert_eq!(streams(&[], &[CHANGES], 3).status, Status::Fail);
    }

    #[test]
    fn consumers_are_counted_with_what_they_have_not_read_and_those_of_others_are_not() {
        let mut there: Vec<_> = Lane::ALL
            .into_iter()
            .flat_map(|lane| {
                let of_lane = (0..SHARDS).map(move |shard| consumer("east", lane, shard));
                of_lane.chain([wake_consumer("east", lane)])
            })
            .chain(["west_normal_0".to_owned()])
            .map(|name| json!({"name": name, "num_pending": 2, "num_ack_pending": 1}))
            .collect();
        let found = consumers("east", &there);
        assert_eq!(found.message, "99 there; not read yet: 198, worked on: 99");
        there.remove(0);
        assert_eq!(consumers("east", &there).status, Status::Fail);
    }
}
