//! Roadstead as its chart installs it, from the image that `make image` made: in the namespace `roadstead`, by one
//! command. Who needs it installs it; who finds it with other settings changes them, as an upgrade does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use testbed::bench::restarts::load;
use testbed::{Cluster, DeploymentView as _, Output, PATIENCE, eventually, release::Release};

/// Name of the release and of its namespace.
pub const ROADSTEAD: &str = "roadstead";
/// Who applies while something goes on; the machine has pods to run as well.
const CLIENTS: usize = 4;
/// Helm waits for pods that start on two cores.
pub const LONG: Duration = Duration::from_mins(4);

/// What `image/build.sh` writes, beside the folder that the tests are built in.
fn image() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("image").join("roadstead.tar")
}

/// Installs the chart of this checkout, or upgrades it, with these arguments of Helm, and waits until it says that it is done.
pub async fn install(c: &Cluster, args: &[&str]) -> Result<Output> {
    c.node().load(&image()).await.context("make image has to come before")?;
    install_chart(c, &Release::chart(), args).await
}

/// [`install`] of another chart.
pub async fn install_chart(c: &Cluster, chart: &Path, args: &[&str]) -> Result<Output> {
    let chart = chart.display().to_string();
    let begin =
        ["upgrade", ROADSTEAD, &chart, "--install", "--namespace", ROADSTEAD, "--create-namespace", "--wait"];
    let done =
        c.tool("helm").run_within(LONG, &[&begin[..], &["--timeout=220s"], args].concat(), None).await?;
    ensure!(done.success(), "{done}\n{}", what_runs(c).await?);
    Ok(done)
}

/// Uninstalls with this Helm; what is not there is no error.
pub async fn uninstall(c: &Cluster, helm: &str) -> Result<()> {
    let args =
        ["uninstall", ROADSTEAD, "--namespace", ROADSTEAD, "--wait", "--ignore-not-found", "--timeout=220s"];
    let done = c.tool(helm).run_within(LONG, &args, None).await?;
    ensure!(done.success(), "{done}\n{}", what_runs(c).await?);
    Ok(())
}

/// What there is to be said of a release that does not come up.
pub async fn what_runs(c: &Cluster) -> Result<String> {
    let mut said = String::new();
    let looks = [
        &["get", "all,secrets,persistentvolumeclaims", "-o", "wide"][..],
        &["get", "events", "--sort-by=.lastTimestamp"],
        &["logs", "--selector=app.kubernetes.io/name=roadstead", "--all-containers", "--prefix", "--tail=12"],
    ];
    for look in looks {
        said += &c.kubectl(&[look, &["--namespace", ROADSTEAD]].concat()).await?.to_string();
    }
    Ok(said)
}

/// Opts the test's namespace in, and waits until changes in it are held.
pub async fn opt_in(c: &Cluster) -> Result<()> {
    c.kubectl(&["label", "namespace", c.namespace(), "roadstead.dev/enabled=true"]).await?.ok()?;
    testbed::served::held(&c.client(), c.namespace()).await
}

/// Scales a workload of the release and waits until so many pods are ready.
pub async fn scale(c: &Cluster, workload: &str, replicas: u32) -> Result<()> {
    let replicas = format!("--replicas={replicas}");
    c.kubectl(&["--namespace", ROADSTEAD, "scale", workload, &replicas]).await?.ok()?;
    c.kubectl(&["--namespace", ROADSTEAD, "rollout", "status", workload, "--timeout=55s"]).await?.ok()?;
    if replicas == "--replicas=0" {
        let (_, name) = workload.split_once("/roadstead-").context("a workload of the release")?;
        let ended = format!("--selector=app.kubernetes.io/component={name}");
        c.kubectl(&["--namespace", ROADSTEAD, "wait", "--for=delete", "pod", &ended, "--timeout=55s"])
            .await?
            .ok()?;
    }
    Ok(())
}

/// A Deployment of the test's namespace.
pub async fn deployment(c: &Cluster, name: &str) -> Result<Deployment> {
    Ok(Api::namespaced(c.client(), c.namespace()).get(name).await?)
}

/// Waits until a change of a Deployment waits.
pub async fn waits(c: &Cluster, name: &str) -> Result<()> {
    eventually("its change is held", PATIENCE, async || {
        let seen = deployment(c, name).await?;
        ensure!(seen.phase() == Some("held") && seen.gate() == Some("closed"), "{}", seen.summary());
        Ok(())
    })
    .await
}

/// Runs `meanwhile` while Deployments of the test's namespace are changed all the time; no admission may fail.
pub async fn without_a_failed_admission(
    c: &Cluster,
    meanwhile: impl AsyncFnOnce() -> Result<()>,
) -> Result<()> {
    let connect = async || Ok(Api::namespaced(c.node().client().await?, c.namespace()));
    load(CLIENTS, connect, meanwhile).await?.all_served()
}

/// Everything in the cluster that is labelled as the release's, but for what a chart cannot have: one line each.
pub async fn what_is_left(c: &Cluster) -> Result<Vec<String>> {
    let kinds = "all,serviceaccounts,configmaps,secrets,persistentvolumeclaims,roles,rolebindings,networkpolicies,\
                 poddisruptionbudgets,clusterroles,clusterrolebindings,mutatingwebhookconfigurations,\
                 validatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings";
    let selector = format!("--selector=app.kubernetes.io/instance={ROADSTEAD}");
    let found = c.kubectl(&["get", kinds, "--all-namespaces", &selector, "--output=name"]).await?.ok()?;
    let mut left: Vec<_> = found.lines().map(str::to_owned).collect();
    left.sort();
    Ok(left)
}
