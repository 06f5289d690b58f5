//! A backlog against the generated API and a real nats-server: the bench of the executor, small and without a clock.

use anyhow::{Result, ensure};
use testbed::{
    PATIENCE,
    bench::executor::{Backlog, Rig, Store, check},
    generated::Rollouts,
};

#[tokio::test]
async fn a_backlog_is_released_once_each_also_over_a_kill() -> Result<()> {
    let backlog = Backlog { namespaces: 7, deployments: 500, held: 300 };
    let rig = Rig::start(backlog, Rollouts::AtOnce, 20, Store::Disk).await?;
    rig.executor.spawn()?;
    rig.opened(100, PATIENCE).await?;
    // What it has in hand is delivered again after the ack wait, and found to be done.
    rig.executor.kill()?;
    ensure!(rig.api.count_opened() < 300, "it was killed too late to prove anything");
    rig.executor.start().await?;
    rig.opened(300, PATIENCE).await?;
    rig.told("succeeded", 300).await?;
    rig.told("released", 300).await?;
    check(&rig, 300).await
}
