//! The outbox on an API with many Deployments, as `make bench-outbox` measures it, on a smaller scale.

use anyhow::{Result, ensure};
use testbed::bench::outbox::{Size, measure};

#[tokio::test]
async fn each_change_is_on_the_queue_once_and_an_outage_of_nats_costs_no_memory() -> Result<()> {
    let outbox = measure(Size { deployments: 1_500, held: 100 }).await?;
    ensure!(outbox.messages == outbox.changes, "{outbox:?}");
    ensure!(outbox.careless == 0, "only the metadata of what is held is asked for: {outbox:?}");
    ensure!(outbox.peak < 200.0 && outbox.after_outage - outbox.before_outage < 10.0, "{outbox:?}");
    Ok(())
}
