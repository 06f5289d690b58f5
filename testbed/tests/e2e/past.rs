//! `kubectl roadstead history`, `events`, `dead` and `replay`: what was is told from the events on NATS, and, without
//! them, from what the API server still has. As processes, each with the credentials that a person would have.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use certs::nats::UserRequest;
use contract::access::Role;
use k8s_openapi::jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testbed::{DeploymentView as _, PATIENCE, Stack, deployment};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;

use crate::{V1, V2, checks::way, retries};

fn json(text: &str) -> Result<Value> {
    serde_json::from_str(text).with_context(|| text.to_owned())
}

#[tokio::test]
async fn the_past_is_told_from_events_and_without_them_from_what_is_left() -> Result<()> {
    Stack::options()
        .nats_identities()
        .run(async |t| {
            let [url, creds] = way(t);
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            let first = t.succeeded("web").await?.change().context("no change")?.to_owned();
            let then = Timestamp::now().to_string();
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            t.succeeded("web").await?;

            let history = ["roadstead", "history", "web", "-o", "json"];
            let all = json(&t.kubectl(&[&history[..], &[&url, &creds]].concat()).await?.ok()?)?;
            let item = |all: &Value, index: usize| all["items"][index].clone();
            ensure!(all["complete"] == true && all["items"].as_array().map(Vec::len) == Some(2), "{all:#}");
            for index in [0, 1] {
                let change = item(&all, index);
                ensure!(
                    change["outcome"] == "succeeded" && change["requestedBy"] == "developer",
                    "{change:#}"
                );
                ensure!(change["heldAt"].is_string() && change["endedAt"].is_string(), "{change:#}");
            }
            ensure!(item(&all, 0)["change"] == first, "{all:#}");
            ensure!(
                item(&all, 1)["images"][0]["old"] == V1 && item(&all, 1)["images"][0]["new"] == V2,
                "{all:#}"
            );

            // Nobody gives the way to NATS: ReplicaSets are the history, and it is said what is missing.
            let left = t.kubectl(&history).await?;
            ensure!(left.success() && left.stderr.contains("nats-reader"), "{left}");
            let all = json(&left.stdout)?;
            ensure!(all["complete"] == false && item(&all, 1)["outcome"] == "succeeded", "{all:#}");
            ensure!(item(&all, 0)["change"] == first && item(&all, 0)["outcome"].is_null(), "{all:#}");

            let replay = ["roadstead", "replay", "--at", &then, &url, &creds];
            let manifests = t.kubectl(&replay).await?.ok()?;
            ensure!(manifests.contains(&format!("image: {V1}")) && !manifests.contains(V2), "{manifests}");
            ensure!(manifests.contains(&format!("change {first}, let through at")), "{manifests}");
            let applied = t.kubectl_with(&["apply", "-f", "-"], &manifests).await?;
            ensure!(applied.success(), "{applied}");
            ensure!(t.succeeded("web").await?.image() == V1);
            let before = t.kubectl(&["roadstead", "replay", "--at", "1h", &url, &creds]).await?;
            ensure!(
                before.status.code() == Some(6) && before.stderr.contains("it was made later"),
                "{before}"
            );
            ensure!(!before.stdout.contains("kind:"), "{before}");
            Ok(())
        })
        .await
}

/// `kubectl-roadstead events -f`, running.
struct Tail {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<ChildStderr>>,
}

impl Tail {
    fn start(t: &Stack, more: &[&str]) -> Result<Self> {
        let tool = crate::hooks::cli(&t.folder.join("developer.kubeconfig"))?;
        let mut command = Command::new(&tool.program);
        command.args(["events", "-f", "-n", &t.namespace]).args(more).envs(tool.env.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let out = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        let err = BufReader::new(child.stderr.take().context("no stderr")?).lines();
        Ok(Self { child, out, err })
    }

    /// The first line that contains all of these.
    async fn line(&mut self, words: &[&str]) -> Result<String> {
        timeout(PATIENCE, async {
            while let Some(line) = self.out.next_line().await? {
                if words.iter().all(|word| line.contains(word)) {
                    return Ok(line);
                }
            }
            anyhow::bail!("it ended")
        })
        .await
        .with_context(|| format!("no line with {words:?}"))?
    }

    async fn note(&mut self, word: &str) -> Result<()> {
        let noted = timeout(PATIENCE, async {
            while let Some(line) = self.err.next_line().await? {
                if line.contains(word) {
                    return Ok(true);
                }
            }
            anyhow::Ok(false)
        });
        ensure!(noted.await??, "nothing was said of {word}");
        Ok(())
    }

    async fn interrupt(mut self) -> Result<()> {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        kill_process(pid.context("it runs")?, Signal::INT)?;
        let ended = timeout(PATIENCE, self.child.wait()).await??;
        ensure!(ended.success(), "{ended}");
        Ok(())
    }
}

#[tokio::test]
async fn what_happens_is_told_as_it_happens_also_after_nats_was_away() -> Result<()> {
    Stack::options()
        .nats_identities()
        .run(async |t| {
            let [url, creds] = way(t);
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            let mut tail = Tail::start(t, &["--since=1h", "-o", "cloudevents", &url, &creds])?;
            let kept = json(&tail.line(&["succeeded", "web"]).await?)?;
            ensure!(kept["specversion"] == "1.0" && kept["data"]["phase"] == "succeeded", "{kept}");
            t.nats.stop().await?;
            tail.note("is lost").await?;
            t.nats.start().await?;
            t.apply(&deployment("api").image(V1)).await?.ok()?;
            t.succeeded("api").await?;
            tail.note("again").await?;
            tail.line(&["succeeded", "api"]).await?;
            tail.interrupt().await?;

            // A reader that goes away ends it as well, though nothing happens.
            let mut tail = Tail::start(t, &["--since=1h", &url, &creds])?;
            tail.line(&["succeeded", "/web"]).await?;
            drop(tail.out);
            let ended = timeout(PATIENCE, tail.child.wait()).await??;
            ensure!(ended.success(), "{ended}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_user_of_one_namespace_sees_what_happens_there_from_now_on() -> Result<()> {
    Stack::options()
        .nats_identities()
        .run(async |t| {
            let request = UserRequest {
                role: Role::Namespace,
                name: "jane".to_owned(),
                cluster: t.cluster.clone(),
                namespace: Some(t.namespace.clone()),
                life: None,
            };
            let identities = t.nats.identities().context("no identities")?;
            identities.user(&request)?;
            let creds = format!("--nats-creds={}", identities.creds(&request).display());
            let url = format!("--nats-url={}", t.nats.url());
            let kept = t.kubectl(&["roadstead", "events", &url, &creds]).await?;
            ensure!(kept.status.code() == Some(4) && kept.stderr.contains("-f without --since"), "{kept}");
            let other = t.kubectl(&["roadstead", "events", "-A", "-f", &url, &creds]).await?;
            ensure!(other.status.code() == Some(4) && other.stderr.contains(&t.namespace), "{other}");
            let mut tail = Tail::start(t, &[&url, &creds])?;
            // It says nothing when it is ready: something happens until it is seen.
            let mut number = 0;
            let seen = timeout(PATIENCE, async {
                loop {
                    number += 1;
                    t.apply(&deployment(&format!("web-{number}")).image(V1)).await?.ok()?;
                    t.succeeded(&format!("web-{number}")).await?;
                    let heard = timeout(std::time::Duration::from_secs(2), tail.out.next_line());
                    if let Ok(line) = heard.await {
                        return anyhow::Ok(line?.unwrap_or_default());
                    }
                }
            });
            let seen = seen.await??;
            ensure!(seen.contains(&format!("{}/web-", t.namespace)), "{seen}");
            tail.interrupt().await
        })
        .await
}

#[tokio::test]
async fn a_change_that_was_given_up_is_listed_with_why_and_put_back() -> Result<()> {
    Stack::options()
        .nats_identities()
        .value("attempts", 2)
        .run(async |t| {
            let [url, creds] = way(t);
            let none = t.kubectl(&["roadstead", "dead", "list", &url, &creds]).await?;
            ensure!(none.success() && none.stderr.contains("No change was given up"), "{none}");
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            retries::freeze(t).await?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            let dead = t.deployment_that("web", "is dead", |web| web.phase() == Some("dead")).await?;
            let change = dead.change().context("no change")?.to_owned();
            crate::events::has(t, "web", "ChangeDead").await?;

            let listed =
                json(&t.kubectl(&["roadstead", "dead", "list", "-o", "json", &url, &creds]).await?.ok()?)?;
            let item = &listed["items"][0];
            ensure!(listed["complete"] == true && item["change"] == change, "{listed:#}");
            ensure!(item["error"].as_str().is_some_and(|error| error.contains("on a Friday")), "{item:#}");
            let left = t.kubectl(&["roadstead", "dead", "list"]).await?;
            ensure!(left.stdout.contains(&change) && left.stderr.contains("nats-reader"), "{left}");
            // The letter holds a whole Deployment: it is not for who may read the events.
            let shown = t.kubectl(&["roadstead", "dead", "show", "web", &url, &creds]).await?;
            ensure!(shown.success() && shown.stdout.contains("on a Friday"), "{shown}");
            ensure!(shown.stderr.contains("letter itself cannot be shown"), "{shown}");
            let identities = t.nats.identities().context("no identities")?;
            let all = format!("--nats-creds={}", identities.unrestricted_file("test").display());
            let cluster = format!("--nats-cluster={}", t.cluster);
            let shown =
                t.kubectl(&["roadstead", "dead", "show", "web", "-o", "json", &url, &all, &cluster]).await?;
            ensure!(json(&shown.stdout)?["letter"]["change"]["change"] == change, "{shown}");

            let drop = ["roadstead", "dead", "drop", "web", "--yes"];
            let refused = t.kubectl(&[&drop[..], &[&url, &creds]].concat()).await?;
            ensure!(
                refused.status.code() == Some(4) && refused.stderr.contains("--unrestricted"),
                "{refused}"
            );
            let unasked = t.kubectl(&["roadstead", "dead", "drop", "web", &url, &all, &cluster]).await?;
            ensure!(unasked.status.code() == Some(2) && unasked.stderr.contains("--yes"), "{unasked}");
            let dropped = t.kubectl(&[&drop[..], &[&url, &all, &cluster]].concat()).await?.ok()?;
            ensure!(dropped.starts_with("1 dead letters"), "{dropped}");
            let nothing = t.kubectl(&[&drop[..], &[&url, &all, &cluster]].concat()).await?;
            ensure!(nothing.status.code() == Some(3), "{nothing}");

            retries::thaw(t).await?;
            let replayed = t.kubectl(&["roadstead", "dead", "replay", "web"]).await?.ok()?;
            ensure!(replayed.contains(&format!("change {change} waits again, attempt 2")), "{replayed}");
            ensure!(t.succeeded("web").await?.image() == V2);
            let again = t.kubectl(&["roadstead", "dead", "replay", "web"]).await?;
            ensure!(again.status.code() == Some(3), "{again}");
            Ok(())
        })
        .await
}
