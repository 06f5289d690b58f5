//! NATS lets in those alone who have an identity: the workloads get by with what their roles may.

use anyhow::{Result, ensure};
use testbed::{DeploymentView as _, Stack, deployment};

use crate::{V1, V2, V3};

#[tokio::test]
async fn a_change_goes_all_its_way_with_no_more_than_the_roles_may() -> Result<()> {
    Stack::options()
        .executors(2)
        .nats_identities()
        .run(async |t| {
            for image in [V1, V2] {
                t.apply(&deployment("web").image(image)).await?.ok()?;
                ensure!(t.succeeded("web").await?.image() == image);
            }
            // All of it is lost, and made again by who may make it.
            t.nats.wipe().await?;
            t.apply(&deployment("web").image(V3)).await?.ok()?;
            t.succeeded("web").await?;
            t.executor.restart().await?;
            t.apply(&deployment("other")).await?.ok()?;
            t.succeeded("other").await?;
            for part in t.webhooks().chain([&t.executor]).chain(&t.more_executors) {
                let log = part.log();
                ensure!(!log.contains("ermissions"), "{}: {log}", part.name());
            }
            Ok(())
        })
        .await
}
