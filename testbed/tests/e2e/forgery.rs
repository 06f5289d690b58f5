//! Annotations that somebody else wrote, objects that come back under the same name, webhooks that come after
//! ours: what is released is what is stored and was held.

use anyhow::{Result, ensure};
use contract::Digest;
use serde_json::json;
use testbed::{DeploymentView as _, Stack, deployment};

use crate::{V1, V2, later_webhook, queue};

#[tokio::test]
async fn a_forged_annotation_opens_nothing_and_cancels_nothing() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.executor.freeze()?;
            let template = |image: &str| deployment("web").image(image).json()["spec"]["template"].clone();
            let forged = deployment("web").image(V1);
            let forged = forged.annotation("roadstead.dev/gate", "open");
            let digest = Digest::of_value(&template(V1))?;
            let forged = forged.annotation("roadstead.dev/released", digest.as_str());
            t.apply(&forged).await?.ok()?;
            let held = t.held("web").await?;
            ensure!(held.released_digest().is_none(), "{}", held.summary());
            t.kubectl(&["annotate", "--overwrite", "deployment/web", "roadstead.dev/gate=open"])
                .await?
                .ok()?;
            t.kubectl(&["label", "--overwrite", "deployment/web", "roadstead.dev/phase=released"])
                .await?
                .ok()?;
            t.kubectl(&["annotate", "deployment/web", "roadstead.dev/change-"]).await?.ok()?;
            let still = t.held("web").await?;
            ensure!(still.change() == held.change(), "{}", still.summary());
            // By the status subresource, with another spec in the request.
            let mut status = t.deployment("web").await?;
            status
                .metadata
                .annotations
                .get_or_insert_default()
                .insert("roadstead.dev/gate".into(), "open".into());
            status.spec = deployment("web").image(V2).object().spec;
            let input = serde_json::to_string(&status)?;
            t.admin_kubectl_with(&["replace", "--subresource=status", "-f", "-"], &input).await?.ok()?;
            let still = t.held("web").await?;
            ensure!(still.image() == V1 && still.change() == held.change(), "{}", still.summary());
            queue::says(t, "denied", 0).await?;
            ensure!(t.replica_sets("web").await?.is_empty(), "a ReplicaSet exists");
            t.executor.thaw()?;
            t.succeeded("web").await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_deployment_deleted_and_made_again_is_held_and_released_again() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let web = deployment("web").image(V1);
            t.apply(&web).await?.ok()?;
            let first = t.succeeded("web").await?;
            t.kubectl(&["delete", "deployment/web", "--wait=true"]).await?.ok()?;
            t.executor.freeze()?;
            t.apply(&web).await?.ok()?;
            let second = t.held("web").await?;
            ensure!(first.change() == second.change(), "the same manifest has the same change id");
            ensure!(first.metadata.uid != second.metadata.uid);
            t.executor.thaw()?;
            t.succeeded("web").await?;
            ensure!(queue::has_changes(t, 2).await?.len() == 2);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn what_a_later_webhook_made_of_the_template_is_what_is_released() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let other = later_webhook::annotating(t, "example.test/added").await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            let web = t.succeeded("web").await?;
            let stored = serde_json::to_value(&web)?;
            let template = &stored["spec"]["template"];
            ensure!(template["metadata"]["annotations"]["example.test/added"] == json!("yes"), "{template}");
            ensure!(web.released_digest() == Some(Digest::of_value(template)?.as_str()), "{}", web.summary());
            ensure!(t.replica_sets("web").await?.len() == 1);
            other.remove(t).await
        })
        .await
}
