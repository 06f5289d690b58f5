//! Upgrades, and their way back, while people deploy.

use std::path::Path;

use anyhow::{Result, ensure};
use testbed::{Cluster, cluster, node::skip};

use crate::release::{
    LONG, ROADSTEAD, install, install_chart, opt_in, uninstall, what_runs, without_a_failed_admission,
};
use crate::web::{V1, rolled_out, web};

async fn roll_back(c: &Cluster) -> Result<()> {
    let back = ["rollback", ROADSTEAD, "--namespace", ROADSTEAD, "--wait", "--timeout=220s"];
    let done = c.tool("helm").run_within(LONG, &back, None).await?;
    ensure!(done.success(), "{done}\n{}", what_runs(c).await?);
    Ok(())
}

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn no_admission_fails_during_an_upgrade_and_when_it_is_rolled_back() -> Result<()> {
    cluster(async |c| {
        install(c, &[]).await?;
        opt_in(c).await?;
        without_a_failed_admission(c, async || {
            // Every pod of ours is replaced: their settings are others.
            install(c, &["--set=slots=9,certs.resources.requests.cpu=11m"]).await?;
            roll_back(c).await
        })
        .await?;
        c.kubectl_with(&["apply", "-f", "-"], &web(V1, 1)).await?.ok()?;
        rolled_out(c, "web").await
    })
    .await
}

#[tokio::test]
#[ignore = "runs in a cluster: make cluster-test"]
async fn no_admission_fails_during_the_upgrade_from_the_previous_release() -> Result<()> {
    cluster(async |c| {
        // `image/previous.sh` writes it where there is a tag.
        let previous = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("previous");
        let image = previous.join("roadstead.tar");
        if !image.exists() {
            skip("no release has a tag yet: there is nothing to upgrade from");
            return Ok(());
        }
        uninstall(c, "helm").await?;
        c.node().load(&image).await?;
        install_chart(c, &previous.join("chart"), &[]).await?;
        opt_in(c).await?;
        without_a_failed_admission(c, async || {
            install(c, &[]).await?;
            roll_back(c).await?;
            install(c, &[]).await.map(drop)
        })
        .await?;
        c.kubectl_with(&["apply", "-f", "-"], &web(V1, 1)).await?.ok()?;
        rolled_out(c, "web").await
    })
    .await
}
