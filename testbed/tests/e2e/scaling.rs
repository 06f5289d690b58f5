//! A Deployment whose change waits still scales.

use anyhow::{Result, ensure};
use testbed::{DeploymentView as _, Stack, deployment, eventually};

use crate::{V1, V2};

/// Scales and waits until so many pods are there, all of the image that ran before.
async fn scale(t: &Stack, replicas: usize, image: &str) -> Result<()> {
    t.kubectl(&["scale", "deployment/web", &format!("--replicas={replicas}")]).await?.ok()?;
    eventually("the old pods are scaled", testbed::PATIENCE, async || {
        let pods = t.pods("web").await?;
        let images: Vec<_> =
            pods.iter().filter_map(|pod| pod.spec.as_ref()?.containers.first()?.image.as_deref()).collect();
        ensure!(images.len() == replicas && images.iter().all(|found| *found == image), "{images:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_held_deployment_scales_up_and_down_on_its_old_pods() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1).replicas(2)).await?.ok()?;
            t.succeeded("web").await?;
            t.executor.freeze()?;
            t.kubectl(&["set", "image", "deployment/web", &format!("app={V2}")]).await?.ok()?;
            t.held("web").await?;
            scale(t, 4, V1).await?;
            scale(t, 1, V1).await?;
            let status = t.kubectl(&["rollout", "status", "deployment/web", "--watch=false"]).await?.ok()?;
            ensure!(status.contains("0 out of 1 new replicas have been updated"), "{status}");
            t.executor.thaw()?;
            ensure!(t.succeeded("web").await?.image() == V2);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_change_held_back_to_an_old_template_does_not_block_scaling() -> Result<()> {
    Stack::options()
        .run(async |t| {
            for image in [V1, V2] {
                t.apply(&deployment("web").image(image).replicas(2)).await?.ok()?;
                t.succeeded("web").await?;
            }
            t.executor.freeze()?;
            t.kubectl(&["set", "image", "deployment/web", &format!("app={V1}")]).await?.ok()?;
            t.held("web").await?;
            scale(t, 4, V2).await?;
            scale(t, 2, V2).await?;
            t.executor.thaw()?;
            ensure!(t.succeeded("web").await?.image() == V1);
            Ok(())
        })
        .await
}
