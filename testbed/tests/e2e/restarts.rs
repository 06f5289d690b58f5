//! The webhook is restarted under load, and nobody notices.

use anyhow::{Result, ensure};
use testbed::bench::restarts::{in_order, options, roll, under_load};

#[tokio::test]
async fn no_admission_fails_while_two_webhooks_are_restarted_one_after_the_other() -> Result<()> {
    options()
        .run(async |t| {
            let applies = under_load(t, async || roll(t, 2, in_order).await).await?;
            applies.all_served()?;
            let connections = t.balancer()?.connections();
            ensure!(connections.iter().all(|count| *count > 0), "{connections:?}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn without_time_for_the_endpoints_the_same_load_sees_failures() -> Result<()> {
    options()
        .webhook_env("ROADSTEAD_SHUTDOWN_DELAY", "0s")
        .run(async |t| {
            let applies = under_load(t, async || roll(t, 2, in_order).await).await?;
            ensure!(applies.failed() > 0, "the load meets nothing: {} applies", applies.sent());
            Ok(())
        })
        .await
}
