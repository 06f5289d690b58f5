//! The Secrets: made once, whoever makes them, and repaired.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use certs::nats::Creds;
use contract::access::Role;
use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use testbed::{PATIENCE, eventually};

use crate::installation::{Installation, answered, make};

type Held = BTreeMap<String, BTreeMap<String, ByteString>>;

/// What all of them hold.
async fn held(t: &Installation) -> Result<Held> {
    let secrets = t.secrets().await?;
    Ok(secrets.into_iter().map(|(name, secret)| (name, secret.data.unwrap_or_default())).collect())
}

#[tokio::test]
async fn two_that_begin_at_once_make_one_set_of_keys_by_which_servers_and_components_meet() -> Result<()> {
    let t = Installation::of("race", 1).await?;
    let (one, two) = (t.keeper("one", &[]).await?, t.keeper("two", &[]).await?);
    one.ready().await?;
    two.ready().await?;
    let first = held(&t).await?;
    let parts: Vec<_> = first.keys().map(String::as_str).collect();
    let expected = [
        "callout",
        "certs",
        "executor",
        "guest",
        "keys",
        "metrics",
        "reader",
        "server",
        "uninstall",
        "webhook",
    ];
    ensure!(parts == expected, "{parts:?}");
    for (name, secret) in t.secrets().await? {
        for (label, value) in [("name", "roadstead"), ("managed-by", "roadstead-certs"), ("instance", "r")] {
            let found = secret.labels().get(&format!("app.kubernetes.io/{label}"));
            ensure!(found.is_some_and(|found| found == value), "{name} {label}: {found:?}");
        }
    }
    let server = t.server(0).await?;
    let (executor, _mount) = t.component(Role::Executor).await?;
    let (webhook, _mount) = t.component(Role::Webhook).await?;
    ops::streams::ensure(&async_nats::jetstream::new(executor.clone()), 1).await?;
    answered(&webhook).await?;
    // A third one, later, finds everything and makes nothing.
    one.kill()?;
    let three = t.keeper("three", &[]).await?;
    three.ready().await?;
    ensure!(held(&t).await? == first, "something was made anew");
    for part in [&one, &two, &three, &server] {
        let log = part.log();
        for (key, secret) in first["keys"].iter().filter(|(key, _)| key.starts_with("keys.")) {
            let seed = String::from_utf8(secret.0.clone())?;
            ensure!(!log.contains(seed.trim()), "{} tells {key}", part.name());
        }
        ensure!(!log.contains("-----BEGIN"), "{log}");
    }
    Ok(())
}

#[tokio::test]
async fn what_somebody_deletes_or_changes_comes_back_as_it_was() -> Result<()> {
    let t = Installation::of("repair", 1).await?;
    let keeper = t.keeper("keeper", &[]).await?;
    keeper.ready().await?;
    let before = held(&t).await?;
    for part in ["executor", "server"] {
        t.delete(part).await?;
        eventually("it is back", PATIENCE, async || {
            ensure!(held(&t).await? == before);
            Ok(())
        })
        .await?;
    }
    let broken = json!({"data": {"nats.creds": null, "ca.crt": "bm8gY2VydGlmaWNhdGU=", "mine": "eA=="}});
    let secrets = t.api::<Secret>();
    secrets.patch("r-nats-webhook", &PatchParams::default(), &Patch::Merge(broken)).await?;
    eventually("it is as before", PATIENCE, async || {
        ensure!(held(&t).await? == before);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_told_of_and_left_as_it_is() -> Result<()> {
    let t = Installation::of("damaged", 1).await?;
    let keeper = t.keeper("keeper", &[]).await?;
    keeper.ready().await?;
    let secrets = t.api::<Secret>();
    let damaged = json!({"data": {"keys.operator.nk": "bm90aGluZw=="}});
    secrets.patch("r-nats-keys", &PatchParams::default(), &Patch::Merge(damaged)).await?;
    eventually("it says so", PATIENCE, async || {
        let log = keeper.log();
        ensure!(log.contains("operator.nk holds no operator key"), "{log}");
        Ok(())
    })
    .await?;
    ensure!(t.text("keys", "keys.operator.nk").await? == "nothing");
    Ok(())
}

#[tokio::test]
async fn without_the_keys_everything_is_made_anew_and_the_servers_are_started_again() -> Result<()> {
    let t = Installation::of("lost", 1).await?;
    let servers: Api<StatefulSet> = t.api();
    let labels = json!({"app": "nats"});
    let template = json!({
        "metadata": {"labels": labels}, "spec": {"containers": [{"name": "nats", "image": "nats"}]},
    });
    let spec = json!({
        "replicas": 0, "serviceName": "r-nats", "selector": {"matchLabels": labels}, "template": template,
    });
    make(servers.clone(), json!({"metadata": {"name": "r-nats"}, "spec": spec})).await?;
    let keeper = t.keeper("keeper", &[]).await?;
    keeper.ready().await?;
    let restart = async || {
        let annotations =
            servers.get("r-nats").await?.spec.template.metadata.and_then(|meta| meta.annotations);
        anyhow::Ok(annotations.unwrap_or_default().remove("roadstead.dev/restart"))
    };
    ensure!(restart().await?.is_none(), "servers that have just been started were started again");
    let before = Creds::parse(&t.text("executor", "nats.creds").await?)?.claims.iss;
    t.delete("keys").await?;
    eventually("the servers are started again", PATIENCE, async || restart().await?.context("not yet"))
        .await?;
    eventually("there are other credentials", PATIENCE, async || {
        ensure!(Creds::parse(&t.text("executor", "nats.creds").await?)?.claims.iss != before);
        Ok(())
    })
    .await?;
    ensure!(keeper.log().contains("the Secret of the keys is gone"));
    // By the new files they all meet again.
    let _server = t.server(0).await?;
    let (executor, _mount) = t.component(Role::Executor).await?;
    ops::streams::ensure(&async_nats::jetstream::new(executor.clone()), 1).await?;
    answered(&executor).await
}
