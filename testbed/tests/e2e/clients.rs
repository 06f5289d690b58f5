//! Whatever people change Deployments with: the change is held, and rolls out when it is released.

use anyhow::{Result, ensure};
use testbed::{DeploymentView as _, Stack, deployment};

use crate::{V1, V2, queue};

#[tokio::test]
async fn a_created_deployment_has_no_replica_set_until_it_is_released() -> Result<()> {
    Stack::options()
        .without_executor()
        .run(async |t| {
            let said = t.apply(&deployment("web").replicas(3)).await?;
            ensure!(said.stderr.contains("Roadstead: change"), "no warning in {:?}", said.stderr);
            t.held("web").await?;
            queue::says(t, "denied", 0).await?;
            ensure!(t.replica_sets("web").await?.is_empty(), "a ReplicaSet exists");
            t.executor.start().await?;
            let web = t.succeeded("web").await?;
            ensure!(
                web.good().as_deref() == web.released_digest() && web.good().is_some(),
                "{}",
                web.summary()
            );
            ensure!(t.pods("web").await?.len() == 3 && t.replica_sets("web").await?.len() == 1);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn an_updated_deployment_keeps_its_old_pods_until_it_is_released() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1).replicas(3)).await?.ok()?;
            t.succeeded("web").await?;
            let before = t.pods("web").await?;
            t.executor.freeze()?;
            let denied = queue::said(t, "denied").await?;
            t.apply(&deployment("web").image(V2).replicas(3)).await?.ok()?;
            t.held("web").await?;
            queue::says(t, "denied", denied).await?;
            let uids = |pods: &[k8s_openapi::api::core::v1::Pod]| {
                let mut uids: Vec<_> = pods.iter().map(|pod| pod.metadata.uid.clone()).collect();
                uids.sort();
                uids
            };
            ensure!(uids(&t.pods("web").await?) == uids(&before), "the old pods were touched");
            ensure!(t.replica_sets("web").await?.len() == 1, "a new ReplicaSet exists");
            t.executor.thaw()?;
            ensure!(t.succeeded("web").await?.image() == V2);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn every_way_to_change_a_template_is_held_and_then_rolled_out() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            let server_side = deployment("web").image(V2).env("A", "1").yaml();
            let put = deployment("web").image(V2).env("PUT", "1").yaml();
            let patch = r#"{"spec":{"template":{"metadata":{"annotations":{"a":"b"}}}}}"#;
            let ways: [(&[&str], &str); 6] = [
                (&["set", "image", "deployment/web", "app=registry.test/web:2"], ""),
                (&["apply", "--server-side", "--force-conflicts", "-f", "-"], &server_side),
                (&["replace", "-f", "-"], &put),
                (&["patch", "deployment", "web", "-p", patch], ""),
                (&["rollout", "restart", "deployment/web"], ""),
                (&["rollout", "undo", "deployment/web"], ""),
            ];
            for (arguments, input) in ways {
                let before = t.deployment("web").await?;
                t.executor.freeze()?;
                t.kubectl_with(arguments, input).await?.ok()?;
                let held = t.held("web").await?;
                ensure!(
                    held.change() != before.change(),
                    "{arguments:?} is no new change: {}",
                    held.summary()
                );
                ensure!(held.own("roadstead.dev/requested-by") == Some("developer"), "{arguments:?}");
                t.executor.thaw()?;
                t.succeeded("web").await?;
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn while_a_change_waits_kubectl_says_that_the_rollout_is_not_done() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            t.executor.freeze()?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            t.held("web").await?;
            let status = ["rollout", "status", "deployment/web"];
            let now = t.kubectl(&[&status[..], &["--watch=false"]].concat()).await?.ok()?;
            ensure!(now.contains("Waiting for deployment spec update to be observed"), "{now}");
            t.executor.thaw()?;
            let end = t.kubectl(&status).await?.ok()?;
            ensure!(end.contains("successfully rolled out"), "{end}");
            Ok(())
        })
        .await
}
