//! The queue and the history where they are in a NATS that is not the release's own: its streams go, nothing else there.

use std::time::Duration;

use async_nats::Client;
use contract::{access::Role, stream};
use ops::args::Nats;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::work::Work;

/// How long NATS may take to let us in, and to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// `JetStream`'s code for a stream that is not there. <https://github.com/nats-io/nats-server/blob/main/server/errors.json>
const NO_STREAM: u64 = 10059;

/// Deletes the streams and the bucket of leases. Every cluster that uses this NATS loses its own with them.
pub async fn delete(work: &mut Work<'_>, nats: &Nats, cluster: &str) {
    let until = work.until.min(Instant::now() + PATIENCE);
    let client = match timeout_at(until, ops::nats::connect(nats, Role::Uninstall, cluster)).await {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => return work.left(format!("the streams: {error}")),
        Err(_) => return work.left(format!("the streams: no NATS lets us in at {}", nats.urls.join(","))),
    };
    let bucket = format!("KV_{}", stream::LEASES);
    for name in stream::STREAMS.iter().map(|layout| layout.name).chain([bucket.as_str()]) {
        if work.dry_run {
            work.did(&format!("stream {name} deleted"));
            continue;
        }
        match timeout_at(until, one(&client, name)).await {
            Ok(Ok(true)) => work.did(&format!("stream {name} deleted")),
            Ok(Ok(false)) => {}
            Ok(Err(why)) => work.left(format!("stream {name}: {why}")),
            Err(_) => work.left(format!("stream {name}: NATS did not answer")),
        }
    }
}

/// Deletes one stream; whether it was there.
async fn one(client: &Client, name: &str) -> Result<bool, String> {
    let asked = client.request(format!("$JS.API.STREAM.DELETE.{name}"), "".into()).await;
    let answer = asked.map_err(|error| error.to_string())?;
    verdict(&answer.payload)
}

/// What the server answered.
fn verdict(answer: &[u8]) -> Result<bool, String> {
    let answer: Value = serde_json::from_slice(answer).map_err(|_| "the answer is no JSON".to_owned())?;
    let error = &answer["error"];
    match error["err_code"].as_u64() {
        _ if answer["success"] == true => Ok(true),
        Some(NO_STREAM) => Ok(false),
        _ => Err(error["description"].as_str().unwrap_or("NATS refuses, and does not say why").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_is_gone_is_no_error_and_a_refusal_is_told() {
        assert_eq!(verdict(br#"{"success": true}"#), Ok(true));
        let gone = br#"{"error": {"code": 404, "err_code": 10059, "description": "stream not found"}}"#;
        assert_eq!(verdict(gone), Ok(false));
        let refused = br#"{"error": {"code": 503, "err_code": 10008, "description": "no quorum"}}"#;
        assert_eq!(verdict(refused), Err("no quorum".to_owned()));
        assert!(verdict(b"").is_err() && verdict(b"{}").is_err());
    }
}
