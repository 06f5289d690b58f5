//! `kubectl roadstead`, as a plugin of kubectl and with the rights of its user.

use anyhow::{Context as _, Result, ensure};
use contract::Phase;
use serde_json::{Value, json};
use testbed::{DeploymentView as _, Stack, deployment, eventually};

use crate::{
    V1, V2,
    policies::{closed, freeze, put, told},
};

#[tokio::test]
async fn get_shows_what_waits_and_what_is_in_flight() -> Result<()> {
    Stack::options()
        .slots(1)
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            let nothing = t.kubectl(&["roadstead", "get"]).await?;
            ensure!(nothing.stderr.contains("No changes wait in namespace"), "{nothing:?}");
            // It takes the only slot, so the next one waits.
            t.apply(&deployment("stuck").unschedulable()).await?.ok()?;
            t.released("stuck").await?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            let held = t.held("web").await?;
            let table = t.kubectl(&["roadstead", "get"]).await?.ok()?;
            let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
            ensure!(rows[0][..3] == ["DEPLOYMENT", "PHASE", "LANE"], "{table}");
            ensure!(rows[1][..3] == ["stuck", "released", "normal"], "{table}");
            ensure!(rows[2][..4] == ["web", "held", "normal", held.change().unwrap()], "{table}");
            ensure!(rows[2].contains(&"developer") && table.contains("→"), "{table}");
            let json: Value =
                serde_json::from_str(&t.kubectl(&["roadstead", "get", "web", "-o", "json"]).await?.ok()?)?;
            let row = &json["items"][0];
            ensure!(row["phase"] == "held" && row["change"] == held.change().unwrap(), "{json}");
            ensure!(row["images"][0]["old"] == V1 && row["images"][0]["new"] == V2, "{json}");
            let names = t.kubectl(&["roadstead", "get", "-o", "name"]).await?.ok()?;
            ensure!(names == "deployment.apps/stuck\ndeployment.apps/web\n", "{names}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_an_error_of_its_own_code() -> Result<()> {
    Stack::options()
        .without_executor()
        .run(async |t| {
            let missing = t.kubectl(&["roadstead", "get", "missing"]).await?;
            ensure!(missing.status.code() == Some(3) && missing.stderr.starts_with("error: "), "{missing:?}");
            let usage = t.kubectl(&["roadstead", "get", "-o", "picture"]).await?;
            ensure!(usage.status.code() == Some(2), "{usage:?}");
            let nobody = t.kubectl(&["roadstead", "get", "--kubeconfig", "/nowhere"]).await?;
            ensure!(!nobody.success() && nobody.stderr.contains("/nowhere"), "{nobody:?}");
            let version = t.kubectl(&["roadstead", "version"]).await?.ok()?;
            ensure!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn get_says_which_rules_hold_a_change_in_the_words_of_the_executor() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.succeeded("web").await?;
            put(t, "ReleasePolicy", "rare", closed()).await?;
            put(t, "ReleasePolicy", "two", json!({"approvals": {"required": 2}})).await?;
            let tagged = json!({
                "name": "tagged", "expression": "object.metadata.annotations.exists(key, key == 'ticket')",
                "message": "say in an annotation which ticket this is for",
            });
            put(t, "Freeze", "inventory", freeze(3_600)?).await?;
            t.apply(&deployment("web").image(V2)).await?.ok()?;
            t.held("web").await?;
            // It came after the change was submitted, and holds it at the release.
            put(t, "ReleasePolicy", "strict", json!({"validations": [tagged]})).await?;
            // Whoever waits is looked at again when a policy that it waits for is edited.
            let mut edited = closed();
            edited["windows"][0]["duration"] = json!("2m");
            put(t, "ReleasePolicy", "rare", edited).await?;
            // What only observes holds nothing.
            put(t, "ReleasePolicy", "looks", json!({"mode": "Observe", "approvals": {"required": 9}}))
                .await?;
            let told = eventually("the executor tells of all four", testbed::PATIENCE, async || {
                let event = told(t, "web", Phase::Held).await?;
                ensure!(event.obstacles.len() == 4, "{event:?}");
                Ok(event.obstacles)
            })
            .await?;
            let get = t.admin_kubectl(&["roadstead", "get", "-n", &t.namespace, "-o", "json"]).await?;
            let list: Value = serde_json::from_str(&get.ok()?)?;
            let seen: Vec<contract::Obstacle> =
                serde_json::from_value(list["items"][0]["obstacles"].clone())?;
            ensure!(seen == told, "the plugin says {seen:#?}, the executor {told:#?}");
            let table = t.admin_kubectl(&["roadstead", "get", "-n", &t.namespace]).await?.ok()?;
            ensure!(table.contains(&seen[0].message) && table.contains("; 3 other rules as well"), "{table}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn who_may_not_read_the_rules_is_told_that_they_are_left_out() -> Result<()> {
    Stack::options()
        .run(async |t| {
            put(t, "Freeze", "inventory", freeze(3_600)?).await?;
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            t.held("web").await?;
            let kubeconfig = reader_of_deployments(t).await?;
            let get = t.kubectl(&["roadstead", "get", "--kubeconfig", path(&kubeconfig)?]).await?;
            for left_out in ["Rules are left out", "Rules of the cluster may be left out"] {
                ensure!(get.stderr.contains(left_out), "{get:?}");
            }
            ensure!(get.success() && get.stdout.contains("waits for its turn"), "{get:?}");
            Ok(())
        })
        .await
}

fn path(file: &tempfile::NamedTempFile) -> Result<&str> {
    file.path().to_str().context("the folder's name is not text")
}

/// The kubeconfig of somebody who may read Deployments and ReplicaSets of the test's namespace, and nothing else.
async fn reader_of_deployments(t: &Stack) -> Result<tempfile::NamedTempFile> {
    let namespace = ["-n", &t.namespace];
    let account = format!("--serviceaccount={}:reader", t.namespace);
    for words in [
        &["create", "serviceaccount", "reader"][..],
        &["create", "role", "reader", "--verb=get,list", "--resource=deployments.apps,replicasets.apps"],
        &["create", "rolebinding", "reader", "--role=reader", &account],
    ] {
        t.admin_kubectl(&[words, &namespace[..]].concat()).await?.ok()?;
    }
    let token = t.admin_kubectl(&["create", "token", "reader", "-n", &t.namespace]).await?.ok()?;
    let view = t.kubectl(&["config", "view", "--raw", "-o", "json"]).await?.ok()?;
    let mut config: Value = serde_json::from_str(&view)?;
    for user in config["users"].as_array_mut().context("no users")? {
        user["user"] = json!({"token": token.trim()});
    }
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), config.to_string())?;
    Ok(file)
}
