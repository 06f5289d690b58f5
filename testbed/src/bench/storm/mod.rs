//! The storm: many Deployments changed at once while kube-controller-manager has its default limits, and an
//! unrelated urgent change every 15 s. First in a namespace without Roadstead, then in one with it, on the same
//! control plane in the same run.

mod observer;
mod plot;
mod side;

use std::{path::Path, time::Duration};

use anyhow::Result;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, api::PostParams};
use serde_json::json;

use self::side::{Side, Wave};
use super::figure;
use crate::Stack;

/// Deployments that change at once, where nothing else is asked for.
const SIZES: [usize; 2] = [200, 1000];

/// Calls that kube-controller-manager may make at once, and then each second: its defaults, which are not raised.
const BURST: f64 = 30.0;
const QPS: f64 = 20.0;

/// Measures and prints; the plot of each size is written to `plots`.
pub(super) async fn run(size: Option<usize>, plots: &Path) -> Result<()> {
    for size in size.map_or(SIZES.to_vec(), |size| vec![size]) {
        let run = Stack::options()
            .controller_default_limits()
            .namespaces(2)
            .namespace_annotation(contract::key::URGENT, "allowed")
            .run(async |t| {
                let (plain, held) = both(t, size).await?;
                print(size, &plain, &held);
                std::fs::create_dir_all(plots)?;
                let file = plots.join(format!("storm-{size}.svg"));
                std::fs::write(&file, plot::svg(size, &plain, &held))?;
                println!("the plot is in {}", file.display());
                Ok(())
            });
        run.await?;
    }
    Ok(())
}

/// The storm without Roadstead, then with it.
async fn both(t: &Stack, size: usize) -> Result<(Wave, Wave)> {
    let plain = [format!("{}-plain", t.namespaces[0]), format!("{}-plain", t.namespaces[1])];
    for name in &plain {
        let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
        Api::<Namespace>::all(t.client.clone()).create(&PostParams::default(), &namespace).await?;
    }
    let client = t.developer_client().await?;
    let mut plain = Side::new("without Roadstead", &client, &plain[0], &plain[1], size, None);
    let webhook = Some(&t.webhook);
    let mut held = Side::new("with Roadstead", &client, &t.namespaces[0], &t.namespaces[1], size, webhook);
    plain.prepare().await?;
    held.prepare().await?;
    Ok((plain.wave().await?, held.wave().await?))
}

fn print(size: usize, plain: &Wave, held: &Wave) {
    let most = |urgent: Vec<Duration>| urgent.into_iter().max().unwrap_or_default().as_secs_f64();
    // Without Roadstead nothing is denied: every urgent change counts.
    let (plain_urgent, late, early) = (most(plain.urgent()), most(held.late()), most(held.early()));
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let allowed = (size as f64 - BURST) / QPS + 4.0;
    println!();
    println!("{size} Deployments changed at once           without    with Roadstead");
    println!("wave rolled out after, s           {:>14.1} {:>17.1}", plain.took(), held.took());
    println!("slowest urgent change, s           {plain_urgent:>14.1} {:>17.1}", late.max(early));
    println!("  begun while denials drained, s   {:>14} {early:>17.1} (aim {allowed:.1})", "");
    println!("  begun later, s                   {:>14} {late:>17.1} (aim 4.0)", "");
    println!("urgent changes                     {:>14} {:>17}", plain.urgent().len(), held.urgent().len());
    println!("denials by the gate                {:>14} {:>17.0}", "", held.denied);
    println!("denials drained after, s           {:>14} {:>17.1}", "", held.drained());
    figure(&format!("urgent_max_s_{size}"), late, "s");
    figure(&format!("urgent_early_s_{size}"), early, "s");
    figure(&format!("wave_ratio_{size}"), held.took() / plain.took(), "x");
    figure(&format!("wave_s_{size}"), held.took(), "s");
    figure(&format!("plain_urgent_max_s_{size}"), plain_urgent, "s");
    figure(&format!("plain_wave_s_{size}"), plain.took(), "s");
}
