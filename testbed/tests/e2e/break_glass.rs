//! The page for the worst day is run as it is written, with everything of ours dead.

use anyhow::{Context as _, Result, ensure};
use testbed::{DeploymentView as _, Stack, deployment, eventually, run::Tool};

use crate::{V1, V2, queue};

const PAGE: &str = include_str!("../../../docs/break-glass.md");

/// The shell commands under a heading of the page, for this test's release.
fn commands(t: &Stack, heading: &str) -> Result<Vec<String>> {
    let (_, section) = PAGE.split_once(&format!("\n## {heading}")).context("the page has that heading")?;
    let section = section.split("\n## ").next().unwrap_or_default();
    let blocks = section.split("```sh\n").skip(1).filter_map(|block| Some(block.split_once("```")?.0));
    Ok(blocks
        .map(|block| {
            // Names on the page are those of a release `roadstead` in a namespace of that name.
            block
                .replace("zz-roadstead", &format!("zz-{}", t.fullname))
                .replace(
                    "validatingwebhookconfiguration/roadstead",
                    &format!("validatingwebhookconfiguration/{}", t.fullname),
                )
                .replace(
                    "serviceaccount:roadstead:roadstead-",
                    &format!("serviceaccount:{}:{}-", t.release, t.fullname),
                )
                .replace("--namespace shop", &format!("--namespace {}", t.namespace))
        })
        .collect())
}

/// Runs a command of the page as an administrator would.
async fn run(t: &Stack, command: &str) -> Result<String> {
    let tools = t.control_plane.tools().folder().display();
    let path = format!("{tools}:{}", std::env::var("PATH").unwrap_or_default());
    let kubeconfig = t.folder.join("admin.kubeconfig").display().to_string();
    let env = vec![("PATH".to_owned(), path), ("KUBECONFIG".to_owned(), kubeconfig)];
    Tool { program: "/bin/bash".into(), args: vec!["-euo".into(), "pipefail".into(), "-c".into()], env }
        .run(&[command], None)
        .await?
        .ok()
}

/// Waits until a Deployment runs its second version.
async fn runs_second(t: &Stack, name: &str) -> Result<()> {
    let web = t.rolled_out(name).await?;
    ensure!(
        web.image() == V2 && web.phase().is_none() && web.own("roadstead.dev/paused").is_none(),
        "{}",
        web.summary()
    );
    Ok(())
}

#[tokio::test]
async fn everything_held_rolls_out_by_the_page_with_all_of_roadstead_dead() -> Result<()> {
    Stack::options()
        .own_control_plane()
        .run(async |t| {
            let all = [deployment("web"), deployment("anew").recreate(), deployment("paused")];
            for web in &all {
                t.apply(&web.clone().image(V1)).await?.ok()?;
            }
            for name in ["web", "anew", "paused"] {
                t.succeeded(name).await?;
            }
            t.executor.freeze()?;
            t.kubectl(&["rollout", "pause", "deployment/paused"]).await?.ok()?;
            let denied = queue::said(t, "denied").await?;
            for name in ["web", "anew", "paused"] {
                t.kubectl(&["set", "image", &format!("deployment/{name}"), &format!("app={V2}")])
                    .await?
                    .ok()?;
                t.held(name).await?;
            }
            ensure!(t.deployment("anew").await?.own("roadstead.dev/paused") == Some("true"), "our pause");
            queue::says(t, "denied", denied).await?;
            for part in [&t.webhook, &t.executor, &t.nats.part] {
                part.kill()?;
            }
            let steps = commands(t, "Everything")?;
            ensure!(steps.len() == 2, "{steps:?}");
            // The page leads with the first of them, and with the verb that `uninstall.rs` tries.
            let lead = commands(t, "In one command")?;
            ensure!(lead[0] == steps[0] && lead[1].trim() == "kubectl roadstead uninstall", "{lead:?}");
            run(t, &steps[0]).await?;
            // API servers may need a second to notice, says the page, and that the loop is run until it is silent.
            eventually("nothing is left to be opened", testbed::PATIENCE, async || {
                let said = run(t, &steps[1]).await?;
                ensure!(said.is_empty(), "{said}");
                Ok(())
            })
            .await?;
            runs_second(t, "web").await?;
            runs_second(t, "anew").await?;
            let paused = t.deployment("paused").await?;
            ensure!(
                paused.paused() && paused.gate() == Some("open"),
                "a user's pause stays: {}",
                paused.summary()
            );
            t.kubectl(&["rollout", "resume", "deployment/paused"]).await?.ok()?;
            runs_second(t, "paused").await
        })
        .await
}

#[tokio::test]
async fn one_deployment_is_let_through_by_the_page_with_the_webhook_dead() -> Result<()> {
    Stack::options()
        .run(async |t| {
            queue::second_version_waits(t).await?;
            t.webhook.kill()?;
            let commands = commands(t, "One Deployment")?;
            run(t, &commands[0]).await?;
            runs_second(t, "web").await
        })
        .await
}
