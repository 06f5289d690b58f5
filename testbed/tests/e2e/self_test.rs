//! `kubectl roadstead self-test`: one change goes the whole way, or the part that does not do its work is named. Its
//! Deployment is never left.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use kube::{ResourceExt, api::ListParams};
use rustix::process::{Pid, Signal, kill_process};
use testbed::{Output, Stack, eventually};

use crate::hooks::{self, Hook};

/// Nothing of a test is left in the namespace.
async fn is_clean(t: &Stack) -> Result<()> {
    let left = t.deployments().list(&ListParams::default()).await?;
    let left: Vec<_> = left.iter().map(ResourceExt::name_any).collect();
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

/// Runs the test as the chart's, in so much time.
async fn test(t: &Stack, timeout: &str) -> Result<Output> {
    Hook::prepare(t, "test").await?.run(&[&format!("--timeout={timeout}")]).await
}

#[tokio::test]
async fn a_change_goes_the_whole_way_with_the_rights_of_helm_test() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let done = test(t, "1m").await?;
            ensure!(done.success(), "{done}");
            let steps: Vec<_> =
                done.stdout.lines().filter_map(|line| Some(line.split_once("s  ")?.1)).collect();
            for (step, begins) in steps.iter().zip(["held: ", "released: ", "rolled out"]) {
                ensure!(step.starts_with(begins), "{done}");
            }
            ensure!(steps.len() == 3 && done.stdout.contains("the whole way"), "{done}");
            is_clean(t).await
        })
        .await
}

#[tokio::test]
async fn an_executor_that_does_not_run_is_named_and_nothing_is_left() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.executor.kill()?;
            let failed = test(t, "3s").await?;
            ensure!(failed.status.code() == Some(6), "{failed}");
            ensure!(failed.stderr.contains("held, but was not released"), "{failed}");
            ensure!(failed.stderr.contains(&format!("logs deployment/{}-executor", t.fullname)), "{failed}");
            is_clean(t).await
        })
        .await
}

#[tokio::test]
async fn a_webhook_that_does_not_answer_is_named() -> Result<()> {
    Stack::options()
        .without_executor()
        .run(async |t| {
            t.webhook.kill()?;
            let failed = test(t, "2s").await?;
            ensure!(failed.status.code() == Some(6), "{failed}");
            ensure!(failed.stderr.contains("the webhook does not answer"), "{failed}");
            is_clean(t).await
        })
        .await
}

#[tokio::test]
async fn a_namespace_that_is_not_opted_in_is_told_how_to() -> Result<()> {
    Stack::options()
        .not_opted_in()
        .without_executor()
        .run(async |t| {
            let failed = test(t, "2s").await?;
            ensure!(failed.status.code() == Some(6), "{failed}");
            let fix = format!("kubectl label namespace {} roadstead.dev/enabled=true", t.namespace);
            ensure!(failed.stderr.contains(&fix), "{failed}");
            let nowhere = hooks::admin(t)?.run(&["self-test", "-n", "nowhere"], None).await?;
            ensure!(nowhere.status.code() == Some(3), "{nowhere}");
            is_clean(t).await
        })
        .await
}

#[tokio::test]
async fn an_interrupted_test_removes_its_deployment() -> Result<()> {
    Stack::options()
        .without_executor()
        .run(async |t| {
            let tool = hooks::admin(t)?;
            let mut command = tokio::process::Command::new(&tool.program);
            command.args(["self-test", "-n", &t.namespace]).envs(tool.env.iter().cloned());
            let child = command.stderr(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true).spawn()?;
            eventually("the change is held", testbed::PATIENCE, async || {
                let held =
                    t.deployments().list(&ListParams::default().labels("roadstead.dev/phase=held")).await?;
                ensure!(held.items.len() == 1, "{} are held", held.items.len());
                Ok(())
            })
            .await?;
            let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
            kill_process(pid.context("it runs")?, Signal::INT)?;
            let ended = child.wait_with_output().await?;
            let said = String::from_utf8_lossy(&ended.stderr);
            ensure!(ended.status.code() == Some(6) && said.contains("interrupted"), "{said}");
            is_clean(t).await
        })
        .await
}
