//! `kubectl roadstead approve`, `release`, `cancel`, `retry` and `rollback`, as a plugin of kubectl and with the rights of
//! its user.

use std::{path::Path, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use contract::Phase;
use serde_json::{Value, json};
use testbed::{DeploymentView as _, Output, Stack, deployment, eventually, folder::binaries_folder};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
};

use crate::{V1, V2, V3, policies, queue, retries, verbs::bind};

/// `kubectl roadstead` as the developer.
async fn plugin(t: &Stack, args: &[&str]) -> Result<Output> {
    t.kubectl(&[&["roadstead"][..], args].concat()).await
}

/// The same as the administrator.
async fn admin(t: &Stack, args: &[&str]) -> Result<Output> {
    t.admin_kubectl(&[&["roadstead"][..], args, &["-n", &t.namespace]].concat()).await
}

/// The same as somebody else: a plugin has no `--as`, but a kubeconfig has.
async fn acting(t: &Stack, who: &str, args: &[&str]) -> Result<Output> {
    let mut config: Value =
        serde_norway::from_str(&std::fs::read_to_string(t.folder.join("admin.kubeconfig"))?)?;
    config["users"][0]["user"]["as"] = json!(who);
    let path = t.folder.join(format!("as-{who}.kubeconfig"));
    testbed::kubeconfig::write_private(&path, &serde_norway::to_string(&config)?)?;
    let path = path.display().to_string();
    t.kubectl(&[&["roadstead"][..], args, &["--kubeconfig", &path]].concat()).await
}

/// Checks with which code a command ended, and what it said then.
pub(crate) fn ended(output: &Output, code: i32, says: &[&str]) -> Result<()> {
    ensure!(output.status.code() == Some(code), "not {code}: {output}");
    for part in says {
        ensure!(output.stderr.contains(part), "not {part:?}: {output}");
    }
    Ok(())
}

/// One version has succeeded and the next waits, while no executor does anything.
async fn held(t: &Stack) -> Result<String> {
    t.apply(&deployment("web").image(V1)).await?.ok()?;
    t.succeeded("web").await?;
    t.executor.freeze()?;
    t.apply(&deployment("web").image(V2)).await?.ok()?;
    Ok(t.held("web").await?.change().context("no change")?.to_owned())
}

#[tokio::test]
async fn a_change_is_approved_by_who_may_and_the_record_is_told() -> Result<()> {
    Stack::options()
        .run(async |t| {
            policies::put(t, "ReleasePolicy", "one", json!({"approvals": {"required": 1}})).await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            let change = t.held("web").await?.change().context("no change")?.to_owned();
            let own = plugin(t, &["approve", "web"]).await?;
            ended(&own, 4, &["you may not approve change", "somebody else has to"])?;
            let nobody = acting(t, "nobody", &["approve", "web"]).await?;
            ended(&nobody, 4, &["you may not get Deployment web", "ClusterRole view gives that right"])?;

            bind(t, &t.namespace, ("ClusterRole", "edit"), ("User", "ann")).await?;
            let role = format!("{}-approver", t.fullname);
            let names = format!("ClusterRole {role} gives");
            // As a dry run, for the moment in which the API server does not ask for the verb yet.
            let dry = ["approve", "web", "--dry-run=server"];
            eventually("the verb is missing, and nothing else", testbed::PATIENCE, async || {
                ended(&acting(t, "ann", &dry).await?, 4, &["ann may not approve", &names])
            })
            .await?;
            bind(t, &t.namespace, ("ClusterRole", &role), ("User", "ann")).await?;
            let tried =
                eventually("ann may approve", testbed::PATIENCE, async || acting(t, "ann", &dry).await?.ok())
                    .await?;
            ensure!(tried.starts_with("deployment.apps/web approved (server dry run): change "), "{tried}");
            ensure!(t.held("web").await?.own("roadstead.dev/approvals").is_none(), "a dry run approved");
            let wrong = acting(t, "ann", &["approve", "web", "--change", "zzzzzzzzzz"]).await?;
            ended(&wrong, 3, &["change zzzzzzzzzz", &format!("change {change} waits")])?;

            let done = acting(t, "ann", &["approve", "deployment.apps/web", "missing", "-o", "json"]).await?;
            ended(
                &done,
                6,
                &["Warning: Roadstead: change", "no Deployment missing", "1 of 2 were not done"],
            )?;
            let done: Value = serde_json::from_str(&done.stdout)?;
            ensure!(done["kind"] == "ActionList" && done["dryRun"] == "none", "{done}");
            let item = &done["items"][0];
            ensure!(item["change"] == change && item["did"] == "approved", "{done}");
            let told = item["message"].as_str().context("no message")?;
            ensure!(told.contains("requested by developer; approved so far by ann"), "{told}");
            t.succeeded("web").await?;
            ended(&acting(t, "ann", &["approve", "web"]).await?, 3, &["no change of Deployment web"])?;
            let none = acting(t, "ann", &["approve", "-l", "app=web"]).await?;
            ended(&none, 3, &["no Deployment of that selection"])
        })
        .await
}

#[tokio::test]
async fn an_order_to_release_needs_the_verb_and_a_person_who_agrees() -> Result<()> {
    Stack::options()
        .run(async |t| {
            policies::put(
                t,
                "Freeze",
                "stock",
                json!({
                    "reason": "we count", "owner": "ann", "until": "2126-01-01T00:00:00Z",
                }),
            )
            .await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.held("web").await?;
            let release = ["release", "web", "--reason", "the shop is down"];
            ended(&admin(t, &release).await?, 2, &["--yes"])?;
            let names = format!("ClusterRole {}-releaser gives", t.fullname);
            eventually("the verb is asked for", testbed::PATIENCE, async || {
                let dry = [&release[..], &["--dry-run=server"]].concat();
                ended(&plugin(t, &dry).await?, 4, &["you may not release change", &names])
            })
            .await?;
            ensure!(t.held("web").await?.own("roadstead.dev/override").is_none());

            let mut no = Terminal::open(t, &release)?;
            let asked = no.until("[y/N]").await?;
            ensure!(
                asked.contains("of Deployment web") && asked.contains("requested by developer"),
                "{asked}"
            );
            ensure!(no.answer("no").await?.contains("nothing was done: nobody agreed"));
            let done = admin(t, &[&release[..], &["--yes"]].concat()).await?.ok()?;
            ensure!(done.contains("recorded of admin: the shop is down"), "{done}");
            t.succeeded("web").await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn what_took_the_place_of_the_change_that_was_read_is_not_released() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let older = held(t).await?;
            let mut yes = Terminal::open(t, &["release", "web", "--reason", "fire"])?;
            ensure!(yes.until("[y/N]").await?.contains(&older));
            t.apply(&deployment("web").image(V3)).await?.ok()?;
            let newer = t.held("web").await?.change().context("no change")?.to_owned();
            let told = yes.answer("yes").await?;
            ensure!(told.contains(&format!("change {older}")) && told.contains("was overtaken"), "{told}");
            ensure!(told.contains(&format!("change {newer} waits")), "{told}");
            let web = t.held("web").await?;
            ensure!(web.own("roadstead.dev/override").is_none(), "{}", web.summary());
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_change_is_taken_back_and_the_webhook_knows_it_as_the_way_back() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let change = held(t).await?;
            for mode in ["client", "server"] {
                let tried = plugin(t, &["cancel", "web", &format!("--dry-run={mode}")]).await?.ok()?;
                ensure!(tried.contains(&format!("cancelled ({mode} dry run): change {change}")), "{tried}");
                ensure!(tried.contains(&format!("({V1} → {V2}) is taken back")), "{tried}");
            }
            ensure!(t.held("web").await?.change() == Some(&change), "a dry run did it");
            let done = plugin(t, &["cancel", "web", "--change", &change]).await?;
            ensure!(done.success() && done.stderr.contains("is cancelled"), "{done}");
            // The executor is frozen: nobody but the webhook opened the gate.
            let web = t.succeeded("web").await?;
            ensure!(web.image() == V1 && web.gate() == Some("open"), "{}", web.summary());
            ensure!(t.replica_sets("web").await?.len() == 1, "the cancelled change has a ReplicaSet");
            ended(&plugin(t, &["cancel", "web"]).await?, 3, &["no change of it waits"])?;
            t.apply(&deployment("new").image(V1)).await?.ok()?;
            let first = plugin(t, &["cancel", "new"]).await?;
            ended(&first, 3, &["is the first of", "kubectl delete deployment new"])?;
            t.executor.thaw()?;
            eventually("the change is told of as cancelled", testbed::PATIENCE, async || {
                let phases = queue::phases(t, "web").await?;
                ensure!(phases.contains(&Phase::Cancelled), "{phases:?}");
                Ok(())
            })
            .await
        })
        .await
}

#[tokio::test]
async fn what_was_given_up_and_what_has_failed_is_queued_again() -> Result<()> {
    Stack::options()
        .value("attempts", 1)
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            ended(&plugin(t, &["retry", "web"]).await?, 3, &["nothing to retry", "no change of it waits"])?;
            retries::freeze(t).await?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            let dead = t.deployment_that("web", "is dead", |web| web.phase() == Some("dead")).await?;
            let change = dead.change().context("no change")?;
            retries::thaw(t).await?;
            let done = plugin(t, &["retry", "-l", "app=web"]).await?.ok()?;
            ensure!(
                done.contains(&format!("queued again: change {change} waits again: attempt 2")),
                "{done}"
            );
            ensure!(t.succeeded("web").await?.image() == V2);

            t.apply(&deployment("web").unschedulable().progress_deadline(1)).await?.ok()?;
            let failed = t.deployment_that("web", "has failed", |web| web.phase() == Some("failed")).await?;
            t.executor.freeze()?;
            plugin(t, &["retry", "web"]).await?.ok()?;
            let again = t.held("web").await?;
            ensure!(again.change() != failed.change(), "{} then {}", failed.summary(), again.summary());
            let waits = plugin(t, &["retry", "web"]).await?;
            ended(&waits, 3, &["nothing to retry", "waits; to look at it: kubectl roadstead get web"])?;
            // Back to what succeeded before: that never queues.
            let back = plugin(t, &["rollback", "web"]).await?.ok()?;
            ensure!(back.contains("goes at once, because aborting never queues"), "{back}");
            t.executor.thaw()?;
            ensure!(t.succeeded("web").await?.image() == V2);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn going_back_after_a_success_is_a_change_like_any_other() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let mut changes = Vec::new();
            for image in [V1, V2] {
                t.apply(&deployment("web").image(image)).await?.ok()?;
                changes.push(t.succeeded("web").await?.change().context("no change")?.to_owned());
            }
            let unknown = plugin(t, &["rollback", "web", "--to", "zzzzzzzzzz"]).await?;
            let entry =
                format!("--to {} or --to-revision 1: revision 1 ({V2} → {V1}), succeeded", changes[0]);
            ended(&unknown, 3, &["no ReplicaSet of Deployment web", &entry])?;
            let now = plugin(t, &["rollback", "web", "--to", &changes[1]]).await?;
            ended(&now, 3, &["revision 2 is what stands on Deployment web", &entry])?;

            t.executor.freeze()?;
            let tried = plugin(t, &["rollback", "web", "--dry-run=server"]).await?.ok()?;
            ensure!(
                tried.contains(&format!("to revision 1 ({V2} → {V1}); it waits for its turn")),
                "{tried}"
            );
            ensure!(t.deployment("web").await?.image() == V2, "a dry run did it");
            plugin(t, &["rollback", "web"]).await?.ok()?;
            let waits = t.held("web").await?;
            ensure!(waits.image() == V1, "{}", waits.summary());
            t.executor.thaw()?;
            let back = t.succeeded("web").await?;
            ensure!(back.image() == V1 && t.replica_sets("web").await?.len() == 2, "{}", back.summary());
            // And once more, by the id of the change.
            plugin(t, &["rollback", "web", "--to", &changes[1]]).await?.ok()?;
            ensure!(t.succeeded("web").await?.image() == V2);
            Ok(())
        })
        .await
}

/// `kubectl-roadstead` as the administrator in a pseudo-terminal.
struct Terminal {
    child: tokio::process::Child,
    seen: String,
}

impl Terminal {
    fn open(t: &Stack, args: &[&str]) -> Result<Self> {
        let quoted = |text: &str| format!("'{text}'");
        let program = binaries_folder()?.join("kubectl-roadstead");
        let line: Vec<_> = std::iter::once(quoted(&program.display().to_string()))
            .chain(args.iter().map(|text| quoted(text)))
            .collect();
        let child = Command::new("script")
            .args(["--quiet", "--return", "--command", &line.join(" ")])
            .arg(Path::new("/dev/null"))
            .env("KUBECONFIG", t.folder.join("admin.kubeconfig"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("`script` of util-linux opens the pseudo-terminal")?;
        Ok(Self { child, seen: String::new() })
    }

    /// Everything that it says until it says this.
    async fn until(&mut self, word: &str) -> Result<String> {
        let out = self.child.stdout.as_mut().context("it is piped")?;
        let mut piece = [0; 1024];
        while !self.seen.contains(word) {
            let count = tokio::time::timeout(testbed::PATIENCE, out.read(&mut piece)).await??;
            ensure!(count > 0, "it ended without {word:?}: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
        Ok(self.seen.clone())
    }

    /// Types a line; everything that it says until it ends, and it ends with an error.
    async fn answer(mut self, line: &str) -> Result<String> {
        let input = self.child.stdin.as_mut().context("it is piped")?;
        input.write_all(format!("{line}\n").as_bytes()).await?;
        let mut rest = String::new();
        let out = self.child.stdout.as_mut().context("it is piped")?;
        tokio::time::timeout(testbed::PATIENCE, out.read_to_string(&mut rest)).await??;
        let status = self.child.wait().await?;
        ensure!(!status.success(), "it succeeded: {rest}");
        Ok(rest)
    }
}
