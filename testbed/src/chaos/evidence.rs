//! What the parts say of themselves when something is left behind: kept beside their logs.

use std::path::Path;

use super::scene::{Cast, Scene};
use crate::Part;

/// Writes down what can be had; what does not answer leaves its error in the file.
pub(super) async fn keep(scene: &Scene, cast: &Cast, folder: &Path) -> anyhow::Result<()> {
    for part in cast.webhooks.iter().chain(&cast.executors) {
        let said = part.metrics().await.unwrap_or_else(|error| format!("{error:#}"));
        std::fs::write(folder.join(format!("{}-metrics.txt", part.name())), said)?;
    }
    std::fs::write(folder.join("nats-streams.json"), streams(&scene.stack.nats.part).await)?;
    // Where the executors keep who holds a slot.
    let key = format!("slots.{}", scene.stack.cluster);
    let ledger = scene.stack.nats_cli(&["kv", "get", contract::stream::LEASES, &key, "--raw"]).await;
    let ledger = ledger.map_or_else(|error| format!("{error:#}"), |said| said.to_string());
    std::fs::write(folder.join("slots.txt"), ledger)?;
    Ok(())
}

async fn streams(nats: &Part) -> String {
    let Some(endpoint) = nats.readiness() else { return String::new() };
    endpoint.get("/jsz?consumers=true").await.unwrap_or_else(|error| format!("{error:#}"))
}
