//! `kubectl roadstead check`: what is well is said to be, and what is broken is named with what to do. As a process,
//! with the credentials that a person would have.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use certs::tls::{Files, LeafRequest, Usage};
use contract::access::Role;
use serde_json::{Value, json};
use testbed::{Output, Stack};

/// The way to the test's NATS, as whoever may read its history.
pub(crate) fn way(t: &Stack) -> [String; 2] {
    let (_, creds) = t.nats.env(Role::Reader);
    [format!("--nats-url={}", t.nats.url()), format!("--nats-creds={creds}")]
}

async fn check(t: &Stack, more: &[&str]) -> Result<(Output, Value)> {
    let release = [format!("--release={}", t.release), format!("--release-namespace={}", t.release)];
    let release: Vec<_> = release.iter().map(String::as_str).collect();
    let done = t.admin_kubectl(&[&["roadstead", "check", "-o", "json"], &release[..], more].concat()).await?;
    let report = serde_json::from_str(&done.stdout).with_context(|| done.to_string())?;
    Ok((done, report))
}

/// What one check came to.
fn status<'a>(report: &'a Value, check: &str) -> Result<(&'a str, &'a Value)> {
    let items = report["items"].as_array().context("no items")?;
    let found =
        items.iter().find(|item| item["check"] == check).with_context(|| format!("no {check}: {report}"))?;
    Ok((found["status"].as_str().unwrap_or_default(), found))
}

#[tokio::test]
async fn what_works_is_said_to_and_what_cannot_be_seen_is_skipped() -> Result<()> {
    Stack::options()
        .nats_identities()
        .run(async |t| {
            let way = way(t);
            let (done, report) = check(t, &[&way[0], &way[1]]).await?;
            ensure!(done.success(), "{done}");
            for name in [
                "version",
                "clock",
                "hold-webhook",
                "gate-webhook",
                "certificate",
                "namespaces",
                "streams",
                "consumers",
            ] {
                let (status, found) = status(&report, name)?;
                ensure!(status == "ok", "{found}");
            }
            // It runs beside the cluster.
            ensure!(status(&report, "executor")?.0 == "skipped", "{report}");
            // Nobody gave the way to NATS, and no Secret has it: the rest is shown.
            let (done, report) = check(t, &[]).await?;
            let (skipped, streams) = status(&report, "streams")?;
            ensure!(done.success() && skipped == "skipped", "{done}");
            let secret = format!("{}-nats-reader", t.fullname);
            ensure!(streams["message"].as_str().is_some_and(|said| said.contains(&secret)), "{streams}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn what_is_broken_is_a_failure_with_what_to_do() -> Result<()> {
    Stack::options()
        .nats_identities()
        .without_executor()
        .run(async |t| {
            let other = Files::new(t.folder.join("other"));
            let leaf = LeafRequest {
                common_name: "other".into(),
                organizations: vec![],
                dns_names: vec![],
                ips: vec![std::net::Ipv4Addr::LOCALHOST.into()],
                usage: Usage::Server,
                life: Duration::from_hours(1),
            };
            other.ensure("other", Duration::from_hours(1), &leaf)?;
            let bundle = BASE64_STANDARD.encode(std::fs::read(other.ca_cert())?);
            let patch =
                json!([{ "op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle }]);
            let gate = ["patch", "validatingwebhookconfiguration", &t.fullname, "--type=json", "-p"];
            t.admin_kubectl(&[&gate[..], &[&patch.to_string()]].concat()).await?.ok()?;
            let hold = format!("zz-{}", t.fullname);
            t.admin_kubectl(&["delete", "mutatingwebhookconfiguration", &hold]).await?.ok()?;
            let way = way(t);
            let (done, report) = check(t, &[&way[0], &way[1]]).await?;
            ensure!(done.status.code() == Some(6) && done.stderr.contains("failed"), "{done}");
            for (name, says) in [
                ("hold-webhook", hold.as_str()),
                ("certificate", "does not trust"),
                // No executor has made them.
                ("consumers", "are not there"),
            ] {
                let failed = report["items"].as_array().into_iter().flatten().any(|item| {
                    item["check"] == name
                        && item["status"] == "fail"
                        && item["fix"].is_string()
                        && item["message"].as_str().is_some_and(|said| said.contains(says))
                });
                ensure!(failed, "{name}: {report:#}");
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn before_an_install_rights_and_what_is_there_already_are_told() -> Result<()> {
    Stack::options()
        .without_executor()
        .run(async |t| {
            let (done, report) = check(t, &["--pre"]).await?;
            ensure!(done.success() && status(&report, "rights")?.0 == "ok", "{done}");
            ensure!(status(&report, "version")?.0 == "ok", "{report}");
            let developer = t.kubectl(&["roadstead", "check", "--pre"]).await?;
            ensure!(developer.status.code() == Some(6), "{developer}");
            ensure!(developer.stdout.contains("you may not create customresourcedefinitions"), "{developer}");
            ensure!(
                developer.stdout.contains("skipped") && !developer.stdout.contains('\x1b'),
                "{developer}"
            );
            Ok(())
        })
        .await
}
