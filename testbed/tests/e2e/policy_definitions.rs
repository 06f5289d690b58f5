//! The definitions of policies and freezes come with Helm, are upgraded with it, and outlive it; what teams wrote stays
//! with them, and holds nothing without Roadstead.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, api::ListParams};
use serde_json::json;
use testbed::{Stack, eventually, release::Release};

use crate::hooks::Hook;

const NAMES: [&str; 4] = ["clusterfreezes", "clusterreleasepolicies", "freezes", "releasepolicies"];

fn policy(name: &str) -> String {
    let metadata = json!({ "name": name });
    json!({ "apiVersion": "roadstead.dev/v1alpha1", "kind": "ReleasePolicy", "metadata": metadata, "spec": {} })
        .to_string()
}

fn definitions(t: &Stack) -> Api<CustomResourceDefinition> {
    Api::all(t.client.clone())
}

/// Plurals of the kinds that there are.
async fn defined(t: &Stack) -> Result<Vec<String>> {
    let all = definitions(t).list(&ListParams::default()).await?;
    let ours = all.into_iter().filter(|definition| definition.spec.group == "roadstead.dev");
    Ok(ours.map(|definition| definition.spec.names.plural).collect())
}

/// No kind is defined any more.
async fn gone(t: &Stack) -> Result<()> {
    eventually("the definitions are gone", testbed::PATIENCE, async || {
        let left = defined(t).await?;
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .await
}

/// A copy of the chart as it may have been: a column of freezes has another name.
fn older(folder: &Path) -> Result<PathBuf> {
    let older = folder.join("older");
    let chart = Release::chart();
    let mut folders = vec![chart.clone()];
    while let Some(from) = folders.pop() {
        let to = older.join(from.strip_prefix(&chart)?);
        std::fs::create_dir_all(&to)?;
        for entry in std::fs::read_dir(&from)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                std::fs::copy(entry.path(), to.join(entry.file_name()))?;
            }
        }
    }
    let file = older.join("files/crds/freezes.yaml");
    let text = std::fs::read_to_string(&file)?;
    ensure!(text.contains("name: Owner"), "{text}");
    std::fs::write(&file, text.replace("name: Owner", "name: Author"))?;
    Ok(older)
}

#[tokio::test]
async fn helm_brings_upgrades_and_keeps_them() -> Result<()> {
    Stack::options()
        .own_control_plane()
        .without_executor()
        .not_opted_in()
        .run(async |t| {
            let (now, before) =
                (Release::chart().display().to_string(), older(&t.folder)?.display().to_string());
            let values = t.folder.join("values.json").display().to_string();
            let columns = async || {
                let freezes = definitions(t).get("freezes.roadstead.dev").await?;
                let columns = freezes.spec.versions[0].additional_printer_columns.clone().unwrap_or_default();
                Ok::<_, anyhow::Error>(columns.into_iter().map(|column| column.name).collect::<Vec<_>>())
            };
            for version in ["3", "4"] {
                t.admin_kubectl(&["delete", "crd", "--all"]).await?.ok()?;
                gone(t).await?;
                let helm = async |args: &[&str]| match version {
                    "3" => t.helm3(args).await,
                    _ => t.helm4(args).await,
                };
                let name = format!("{}-{version}", t.release);
                let common = ["-n", &name, "--values", &values, "--set", "crds.install=true"];
                let install =
                    |chart| [&["install", &name, chart, "--create-namespace"][..], &common].concat();
                helm(&install(&before)).await?.ok()?;
                ensure!(defined(t).await? == NAMES, "{:?}", defined(t).await?);
                ensure!(columns().await?.contains(&"Author".to_owned()), "{:?}", columns().await?);
                let create = ["create", "-n", &t.namespace, "-f", "-"];
                eventually("a policy is taken", testbed::PATIENCE, async || {
                    let said = t.admin_kubectl_with(&create, &policy("web")).await?;
                    ensure!(said.success() || said.stderr.contains("AlreadyExists"), "{said}");
                    Ok(())
                })
                .await?;

                helm(&[&["upgrade", &name, &now][..], &common].concat()).await?.ok()?;
                let upgraded = columns().await?;
                ensure!(
                    upgraded.contains(&"Owner".to_owned()) && !upgraded.contains(&"Author".to_owned()),
                    "{upgraded:?}"
                );

                // They belong to one release; another leaves them out.
                let second = format!("{name}-second");
                let other =
                    ["install", &second, &now, "-n", &second, "--create-namespace", "--values", &values];
                let told = helm(&[&other[..], &["--set", "crds.install=true"]].concat()).await?.refused()?;
                ensure!(told.contains("roadstead.dev") && told.contains("ownership"), "{told}");
                helm(&other).await?.ok()?;
                helm(&["uninstall", &second, "-n", &second]).await?.ok()?;

                helm(&["uninstall", &name, "-n", &name]).await?.ok()?;
                ensure!(defined(t).await? == NAMES, "{:?}", defined(t).await?);
                t.admin_kubectl(&["get", "rp", "web", "-n", &t.namespace]).await?.ok()?;
                // And the same release finds them again.
                helm(&install(&now)).await?.ok()?;
                helm(&["uninstall", &name, "-n", &name]).await?.ok()?;
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn the_uninstall_leaves_policies_alone_unless_it_is_told_otherwise() -> Result<()> {
    Stack::options()
        .own_control_plane()
        .value("uninstall.crds", true)
        .run(async |t| {
            let create = ["create", "-n", &t.namespace, "-f", "-"];
            t.admin_kubectl_with(&create, &policy("web")).await?.ok()?;
            let cli = crate::hooks::admin(t)?;
            let args = ["uninstall", "-n", &t.release, "--release", &t.release];
            let said = cli.run(&args, None).await?.ok()?;
            ensure!(!said.contains("customresourcedefinition"), "{said}");
            t.admin_kubectl(&["get", "rp", "web", "-n", &t.namespace]).await?.ok()?;
            // The webhook configurations are gone, so that nobody is asked who is not there.
            t.webhook.kill()?;
            t.admin_kubectl_with(&create, &policy("other")).await?.ok()?;

            let hook = Hook::prepare(t, "pre-delete").await?;
            let said = hook.run(&["--dry-run"]).await?.ok()?;
            ensure!(
                said.contains("customresourcedefinition freezes.roadstead.dev deleted (dry run)"),
                "{said}"
            );
            ensure!(defined(t).await? == NAMES, "{:?}", defined(t).await?);
            let said = hook.run(&[]).await?.ok()?;
            for plural in NAMES {
                ensure!(
                    said.contains(&format!("customresourcedefinition {plural}.roadstead.dev deleted")),
                    "{said}"
                );
            }
            gone(t).await?;
            // Twice.
            hook.run(&[]).await?.ok().map(drop)
        })
        .await
}
