//! How long a change waits that need not wait: queue empty, slots free. The same Deployments are created in turn
//! in a namespace that is opted in and in one that is not, so that both meet the same control plane at the same
//! time; the difference is Roadstead.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::Namespace,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{PostParams, WatchEvent, WatchParams},
};

use super::figure;
use crate::{DeploymentView as _, PATIENCE, Stack, deployment, eventually};

/// Changes measured on each side.
const CHANGES: usize = 200;

/// Changes before them that are not counted: caches and connections are cold.
const WARM_UP: usize = 10;

/// Measures and prints.
pub(super) async fn run() -> Result<()> {
    let measured = Stack::options().run(async |t| {
        let plain_namespace = format!("{}-plain", t.namespace);
        let namespace: Namespace =
            serde_json::from_value(serde_json::json!({"metadata": {"name": plain_namespace}}))?;
        Api::<Namespace>::all(t.client.clone()).create(&PostParams::default(), &namespace).await?;
        let client = t.developer_client().await?;
        let mut held = Side::new(&client, &t.namespace);
        let mut plain = Side::new(&client, &plain_namespace);
        for number in 0..WARM_UP + CHANGES {
            for side in [&mut plain, &mut held] {
                let took = side.change(number).await?;
                if number >= WARM_UP {
                    side.times.push(took);
                }
            }
            eprint!("\r{} of {} changes", number + 1, WARM_UP + CHANGES);
            std::io::stderr().flush()?;
        }
        eprintln!();
        print(&mut held.times, &mut plain.times);
        Ok(())
    });
    measured.await
}

fn print(held: &mut [Duration], plain: &mut [Duration]) {
    held.sort_unstable();
    plain.sort_unstable();
    let ms =
        |times: &[Duration], percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("from the API server's answer to the new ReplicaSet, {CHANGES} changes each, queue empty:");
    println!("                 p50 ms    p99 ms");
    println!("with Roadstead {:>8.1}  {:>8.1}", ms(held, 50), ms(held, 99));
    println!("without        {:>8.1}  {:>8.1}", ms(plain, 50), ms(plain, 99));
    figure("release_p50_ms", ms(held, 50), "ms");
    figure("release_p99_ms", ms(held, 99), "ms");
    figure("plain_p50_ms", ms(plain, 50), "ms");
    figure("plain_p99_ms", ms(plain, 99), "ms");
    figure("release_over_plain_ratio", ms(held, 50) / ms(plain, 50), "x");
}

/// One namespace and what was measured in it.
struct Side {
    deployments: Api<Deployment>,
    replica_sets: Api<ReplicaSet>,
    times: Vec<Duration>,
}

impl Side {
    fn new(client: &Client, namespace: &str) -> Self {
        Self {
            deployments: Api::namespaced(client.clone(), namespace),
            replica_sets: Api::namespaced(client.clone(), namespace),
            times: Vec::with_capacity(CHANGES),
        }
    }

    /// Creates one Deployment and gives the time from the answer until a watch tells of its ReplicaSet; waits
    /// until it has rolled out, so that the next one finds every slot free.
    async fn change(&self, number: usize) -> Result<Duration> {
        let name = format!("web-{number}");
        let list = self.replica_sets.list_metadata(&kube::api::ListParams::default().limit(1)).await?;
        let version = list.metadata.resource_version.context("a list has a resource version")?;
        let selected = WatchParams::default().labels(&format!("app={name}")).timeout(60);
        let watch = self.replica_sets.watch(&selected, &version).await?;
        self.deployments.create(&PostParams::default(), &deployment(&name).object()).await?;
        let answered = Instant::now();
        let mut watch = std::pin::pin!(watch);
        let made = async {
            while let Some(event) = watch.try_next().await? {
                if matches!(event, WatchEvent::Added(_)) {
                    return anyhow::Ok(Instant::now());
                }
            }
            anyhow::bail!("the watch ended")
        };
        let made = tokio::time::timeout(PATIENCE, made).await.context("no ReplicaSet")??;
        eventually("it has rolled out", PATIENCE, async || {
            let web = self.deployments.get(&name).await?;
            ensure!(web.rolled_out() && web.phase().is_none(), "{} {}", web.name_any(), web.summary());
            Ok(())
        })
        .await?;
        Ok(made.saturating_duration_since(answered))
    }
}
