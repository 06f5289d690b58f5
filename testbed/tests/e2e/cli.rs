//! `kubectl roadstead`, as a plugin of kubectl and with the rights of its user.

use anyhow::{Result, ensure};
use serde_json::Value;
use testbed::{DeploymentView as _, Stack, deployment};

use crate::{V1, V2};

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
