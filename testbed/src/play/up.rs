//! The order in which a cluster comes up, told with times.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use contract::key::{ENABLED_LABEL, URGENT};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use testbed::control_plane::ControlPlaneOptions;
use testbed::folder::binaries_folder;
use testbed::kubeconfig::write_private;
use testbed::process::Lifetime;
use testbed::release::{Release, Seat};
use testbed::run::Tool;
use testbed::tools::Tools;
use testbed::{ControlPlane, Nats, Part, served};

use super::exports::Exports;
use crate::args::{Optional, Up};

/// Name of the release and of its namespace.
const RELEASE: &str = "roadstead";
/// The namespace that is opted in, so that a first `kubectl apply` is held.
const OPTED_IN: &str = "default";

/// Starts everything that is not left out.
pub(super) async fn start(folder: &Path, options: &Up) -> anyhow::Result<Exports> {
    let began = Instant::now();
    let progress = |what: &str| eprintln!("[{:5.1} s] {what}", began.elapsed().as_secs_f32());
    let tools = Tools::locate_in_background().await?;
    let own = folder.join(RELEASE);
    std::fs::create_dir_all(&own)?;
    let release = Release::prepare(RELEASE, &own)?;
    let nats = Nats::new(&tools, &own, Lifetime::Detached)?;
    nats.part.record()?;
    let without = |part| options.without.contains(&part);
    if !without(Optional::Nats) {
        nats.start().await?;
        progress("nats is ready");
    }
    let cluster = ControlPlaneOptions {
        lifetime: Lifetime::Detached,
        default_limits: options.default_limits,
        ..ControlPlaneOptions::new(folder.join("cluster"))
    };
    let cluster = ControlPlane::start(&cluster, &tools, progress).await?;
    install(&release, &nats, &cluster, options).await?;
    progress("the chart is installed: release roadstead in namespace roadstead");
    let client = cluster.client().await?;
    opt_in(&client).await?;
    progress("namespace default is opted in");

    let seat =
        Seat { client: client.clone(), server: cluster.server(), env: &[], lifetime: Lifetime::Detached };
    let webhook = release.webhook(&seat).await?;
    let executor = release.executor("executor", &seat).await?;
    // Without NATS neither gets ready, as it should be; with it, changes must be held before we say "up".
    let serving = !without(Optional::Nats);
    workload(&webhook, !without(Optional::Webhook), serving, progress).await?;
    workload(&executor, !without(Optional::Executor), serving, progress).await?;
    if serving && !without(Optional::Webhook) {
        served::held(&client, OPTED_IN).await?;
    }
    if serving && !without(Optional::Executor) {
        served::swept(&client, RELEASE, &release.fullname(), &[OPTED_IN.to_owned()]).await?;
    }
    progress("up; the environment to use it (make down stops it):");
    Ok(Exports {
        kubeconfig: cluster.kubeconfig(),
        path: vec![tools.folder().to_owned(), binaries_folder()?],
        nats_url: nats.url().to_owned(),
        webhook_url: release.webhook_url(),
        webhook_ca: release.certificate().ca_cert(),
    })
}

/// Installs the chart as a person would.
async fn install(release: &Release, nats: &Nats, cluster: &ControlPlane, options: &Up) -> anyhow::Result<()> {
    let mut values = release.values(nats.url())?;
    if let Some(slots) = options.slots {
        values["slots"] = json!(slots);
    }
    let file = release.folder.join("values.json");
    write_private(&file, &serde_json::to_string_pretty(&values)?)?;
    let env = [("KUBECONFIG", cluster.kubeconfig()), ("HOME", cluster.folder().join("home"))];
    let helm = Tool {
        program: cluster.tools().path("helm"),
        args: vec![],
        env: env.map(|(name, path)| (name.to_owned(), path.display().to_string())).to_vec(),
    };
    let (chart, file) = (Release::chart().display().to_string(), file.display().to_string());
    let args = [
        "install",
        RELEASE,
        &chart,
        "--namespace",
        RELEASE,
        "--create-namespace",
        "--wait",
        "--values",
        &file,
    ];
    helm.run(&args, None).await?.ok().map(drop).context("the chart cannot be installed")
}

async fn opt_in(client: &kube::Client) -> anyhow::Result<()> {
    let patch = json!({
        "metadata": { "labels": { ENABLED_LABEL: "true" }, "annotations": { URGENT: "allowed" } },
    });
    let namespaces = Api::<Namespace>::all(client.clone());
    namespaces.patch(OPTED_IN, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

/// Starts a workload, or only writes down how it would be started.
async fn workload(part: &Part, wanted: bool, serving: bool, progress: impl Fn(&str)) -> anyhow::Result<()> {
    part.record()?;
    let name = part.name();
    if !wanted {
        progress(&format!("{name} is left out"));
    } else if serving {
        part.start().await?;
        progress(&format!("{name} is ready"));
    } else {
        part.spawn()?;
        progress(&format!("{name} is started (not ready without nats)"));
    }
    Ok(())
}
