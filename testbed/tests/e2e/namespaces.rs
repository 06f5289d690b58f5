//! Namespaces come and go: what was written before counts for nothing, what was held goes on.

use anyhow::{Result, ensure};
use contract::Digest;
use k8s_openapi::api::apps::v1::Deployment;
use testbed::{DeploymentView as _, Stack, deployment, eventually};

use crate::{V1, V2};

/// Digest of a Deployment's template as it is stored.
fn digest(web: &Deployment) -> Result<String> {
    Ok(Digest::of_value(&serde_json::to_value(web)?["spec"]["template"])?.to_string())
}

#[tokio::test]
async fn a_namespace_that_is_opted_in_begins_anew_and_one_that_leaves_lets_everything_through() -> Result<()>
{
    Stack::options()
        .not_opted_in()
        .run(async |t| {
            // Somebody prepares the next version as "already released".
            t.apply(&deployment("next").image(V2)).await?.ok()?;
            let next = digest(&t.rolled_out("next").await?)?;
            let web = deployment("web").image(V1);
            let forged = web
                .clone()
                .annotation("roadstead.dev/released", &next)
                .annotation("roadstead.dev/good", &next);
            t.apply(&forged.annotation("roadstead.dev/gate", "open")).await?.ok()?;
            let running = t.rolled_out("web").await?;
            ensure!(
                running.own("roadstead.dev/good") == Some(next.as_str()),
                "the forgery stands: {}",
                running.summary()
            );

            let namespace = format!("namespace/{}", t.namespace);
            t.admin_kubectl(&["label", &namespace, "roadstead.dev/enabled=true"]).await?.ok()?;
            let runs = digest(&running)?;
            let swept =
                |web: &Deployment| web.good().as_ref() == Some(&runs) && web.released_digest() == Some(&runs);
            t.deployment_that("web", "swept", swept).await?;
            t.executor.freeze()?;
            t.kubectl(&["set", "image", "deployment/web", &format!("app={V2}")]).await?.ok()?;
            t.held("web").await?;

            t.admin_kubectl(&["label", &namespace, "roadstead.dev/enabled-"]).await?.ok()?;
            t.executor.thaw()?;
            let web = t.succeeded("web").await?;
            ensure!(web.image() == V2 && web.gate() == Some("open"), "{}", web.summary());
            t.kubectl(&["set", "image", "deployment/web", &format!("app={V1}")]).await?.ok()?;
            ensure!(t.rolled_out("web").await?.image() == V1, "a namespace that left is plain Kubernetes");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn what_a_namespace_claims_to_hold_before_it_is_opted_in_is_not_acted_on() -> Result<()> {
    Stack::options()
        .not_opted_in()
        .run(async |t| {
            let forged = deployment("web").annotation("roadstead.dev/gate", "closed");
            let forged =
                forged.annotation("roadstead.dev/change", "abcdefghij").label("roadstead.dev/phase", "held");
            t.apply(&forged).await?.ok()?;
            t.deployment_that("web", "rolled out", testbed::DeploymentView::rolled_out).await?;
            let namespace = format!("namespace/{}", t.namespace);
            t.admin_kubectl(&["label", &namespace, "roadstead.dev/enabled=true"]).await?.ok()?;
            // From now on it is one of ours: what is closed waits for its turn, and has it.
            let web = t.succeeded("web").await?;
            ensure!(web.gate() == Some("open"), "{}", web.summary());
            eventually("it was queued once", testbed::PATIENCE, async || {
                let changes = crate::queue::changes(t).await?;
                ensure!(changes.len() == 1, "{changes:?}");
                Ok(())
            })
            .await
        })
        .await
}
