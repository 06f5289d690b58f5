//! The order in which a test's Roadstead comes up.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use contract::access::Role;
use contract::key::ENABLED_LABEL;
use kube::Api;
use serde_json::{Value, json};

use super::options::{Options, Share, set};
use super::{Commands, Objects, Stack};
use crate::balancer::Balancer;
use crate::control_plane::{ControlPlane, ControlPlaneOptions};
use crate::mount::Mount;
use crate::nats::Nats;
use crate::part::Part;
use crate::process::Lifetime;
use crate::proxy::Proxy;
use crate::release::{Release, Seat};
use crate::served;
use crate::unique::short_name;

/// How much later than its predecessor each mount of the Secret follows: no two kubelets are equally fast.
const LATER: Duration = Duration::from_millis(400);

pub(super) async fn start(options: Options) -> anyhow::Result<Stack> {
    let id = short_name()?;
    let control_plane = match options.control_plane {
        Share::WithOtherTests => ControlPlane::shared().await?,
        Share::Own { default_limits, audit } => {
            let own = |options| ControlPlaneOptions { default_limits, audit, ..options };
            ControlPlane::own(&format!("cluster-{id}"), own).await?
        }
    };
    start_on(&options, &id, Arc::clone(&control_plane)).await.inspect_err(|_| control_plane.keep_files())
}

async fn start_on(options: &Options, id: &str, control_plane: Arc<ControlPlane>) -> anyhow::Result<Stack> {
    let folder = control_plane.folder().with_file_name(format!("t-{id}"));
    std::fs::create_dir_all(&folder)?;
    let namespaces = namespaces(id, options.namespaces);
    let client = control_plane.client().await?;
    let release = Release::prepare(&format!("roadstead-{id}"), &folder)?;
    let release = if options.certs > 0 { release.rotating() } else { release };
    let nats = if options.nats_identities {
        Nats::with_identities(control_plane.tools(), &folder, Lifetime::Ours, id)?
    } else {
        Nats::new(control_plane.tools(), &folder, Lifetime::Ours)?
    };
    if !options.left_out.nats {
        nats.part.spawn()?;
    }
    let tools = Commands::new(&control_plane, &folder, &namespaces[0], nats.url())?;
    control_plane.define().await?;
    let objects = install(options, id, &release, &tools, &namespaces, nats.url(), &control_plane).await?;
    let proxy = Proxy::start(control_plane.server()).await?;
    let Workloads { webhook, more_webhooks, balancer, mounts, certs, mut executors } =
        workloads(options, &release, &client, &control_plane, (&nats, &proxy)).await?;
    let executor = executors.pop().context("a test has at least one executor, if not started")?;
    let stack = Stack {
        client,
        namespace: namespaces[0].clone(),
        namespaces,
        release: release.name.clone(),
        fullname: release.fullname(),
        cluster: id.to_owned(),
        webhook,
        more_webhooks,
        executor,
        more_executors: executors,
        certs,
        nats,
        control_plane,
        folder,
        proxy,
        balancer,
        _mounts: mounts,
        tools,
        objects,
    };
    stack.bring_up(options).await?;
    Ok(stack)
}

fn namespaces(id: &str, count: usize) -> Vec<String> {
    let name = |number| if number == 0 { format!("t-{id}") } else { format!("t-{id}-{}", number + 1) };
    (0..count.max(1)).map(name).collect()
}

/// Applies namespaces and what the chart renders, as an administrator would.
async fn install(
    options: &Options,
    id: &str,
    release: &Release,
    tools: &Commands,
    namespaces: &[String],
    nats_url: &str,
    control_plane: &Arc<ControlPlane>,
) -> anyhow::Result<Objects> {
    let mut values = release.values(nats_url)?;
    set(&mut values, "cluster", json!(id));
    set(&mut values, "namespaces", json!(namespaces));
    // They are there once for all tests ([`ControlPlane::define`]).
    set(&mut values, "crds.install", json!(false));
    if let Ok(filter) = std::env::var("ROADSTEAD_LOG") {
        set(&mut values, "log.level", json!(filter));
    }
    for (path, value) in &options.values {
        set(&mut values, path, value.clone());
    }
    let values_file = release.folder.join("values.json");
    std::fs::write(&values_file, serde_json::to_vec_pretty(&values)?)?;
    let (chart, values) = (Release::chart().display().to_string(), values_file.display().to_string());
    // What Helm runs before an uninstall must not run when the rest is applied.
    let render =
        ["template", &release.name, &chart, "--namespace", &release.name, "--values", &values, "--no-hooks"];
    let rendered = tools.helm4.run(&render, None).await?.ok()?;

    let own = namespaces.iter().flat_map(|namespace| namespace_objects(namespace, options));
    let own =
        own.chain([json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": release.name } })]);
    let own = own.fold(String::new(), |text, object| text + "---\n" + &object.to_string() + "\n");
    let file = release.folder.join("objects.yaml");
    std::fs::write(&file, own + &rendered)?;
    let kubectl = tools.admin_kubectl.clone();
    let shared = options.control_plane == Share::WithOtherTests;
    let (namespace, control_plane) = (namespaces[0].clone(), Arc::clone(control_plane));
    let objects = Objects { file, kubectl, namespace, control_plane, shared, done: false };
    let file = objects.file.display().to_string();
    let apply = ["apply", "--server-side", "--field-manager=testbed", "-f", &file];
    tools.admin_kubectl.run(&apply, None).await?.ok().context("the chart's objects are not accepted")?;
    Ok(objects)
}

/// A namespace and, at once, its default ServiceAccount: pods wait for it otherwise, with a Warning event.
fn namespace_objects(namespace: &str, options: &Options) -> [Value; 2] {
    let mut metadata = json!({ "name": namespace, "labels": { "testbed": "test" } });
    if options.opted_in {
        metadata["labels"][ENABLED_LABEL] = json!("true");
    }
    for (key, value) in &options.annotations {
        metadata["annotations"][key.as_str()] = json!(value);
    }
    let account = json!({ "name": "default", "namespace": namespace });
    [
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata }),
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": account }),
    ]
}

/// The processes of a Roadstead, not started yet; the executors' first is the last.
struct Workloads {
    webhook: Part,
    more_webhooks: Vec<Part>,
    balancer: Option<Balancer>,
    mounts: Vec<Mount>,
    certs: Vec<Part>,
    executors: Vec<Part>,
}

async fn workloads(
    options: &Options,
    release: &Release,
    client: &kube::Client,
    control_plane: &ControlPlane,
    (nats, proxy): (&Nats, &Proxy),
) -> anyhow::Result<Workloads> {
    let env = |role, over: &[(String, String)]| [&[nats.env(role)], over].concat();
    let webhook_env = env(Role::Webhook, &options.webhook_env);
    let executor_env = env(Role::Executor, &options.executor_env);
    let (direct, through_proxy) = (control_plane.server(), proxy.server());
    let server = |through: bool| if through { &through_proxy } else { direct };
    let seat = Seat {
        client: client.clone(),
        server: server(options.through_proxy.webhook),
        env: &webhook_env,
        lifetime: Lifetime::Ours,
    };
    let (webhook, more_webhooks, balancer) = if options.webhooks > 1 {
        let (mut webhooks, balancer) = release.webhooks(options.webhooks, &seat).await?;
        (webhooks.remove(0), webhooks, Some(balancer))
    } else {
        (release.webhook(&seat).await?, Vec::new(), None)
    };
    let (mut mounts, mut certs) = (Vec::new(), Vec::new());
    if options.certs > 0 {
        for (number, part) in (0..).zip(std::iter::once(&webhook).chain(&more_webhooks)) {
            let secrets = Api::namespaced(client.clone(), &release.name);
            let folder = release.mounted_for(part.name());
            mounts.push(Mount::start(secrets, &release.leaf_secret(), folder, number * LATER));
        }
    }
    for number in 1..=options.certs {
        certs.push(
            release
                .certs(&format!("certs-{number}"), &Seat { server: direct, env: &[], ..seat.clone() })
                .await?,
        );
    }
    let seat = Seat { server: server(options.through_proxy.executor), env: &executor_env, ..seat };
    let mut executors = Vec::new();
    for number in (1..=options.executors.max(1)).rev() {
        let name = if number == 1 { "executor".to_owned() } else { format!("executor-{number}") };
        executors.push(release.executor(&name, &seat).await?);
    }
    Ok(Workloads { webhook, more_webhooks, balancer, mounts, certs, executors })
}

impl Stack {
    /// Starts what is not left out, and waits until a first change would be held and seen.
    async fn bring_up(&self, options: &Options) -> anyhow::Result<()> {
        let left_out = options.left_out;
        let mut parts = Vec::new();
        if !left_out.nats {
            parts.push(&self.nats.part);
        }
        parts.extend(&self.certs);
        if !left_out.webhook {
            parts.extend(self.webhooks());
        }
        if !left_out.executor {
            parts.extend([&self.executor].into_iter().chain(&self.more_executors));
        }
        parts.iter().try_for_each(|part| part.spawn())?;
        // With NATS left out the workloads are not ready, and are not meant to be.
        if !left_out.nats {
            futures::future::try_join_all(parts.iter().map(|part| part.ready())).await?;
        }
        if options.opted_in && !left_out.webhook {
            for namespace in &self.namespaces {
                served::held(&self.client, namespace).await?;
            }
        }
        if options.opted_in && !left_out.executor && !left_out.nats {
            served::swept(&self.client, &self.release, &self.fullname, &self.namespaces).await?;
        }
        Ok(())
    }
}
