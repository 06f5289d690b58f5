//! Measurements on the testbed. Each ends with lines `figure <name> <value> <unit>` that a script can read.

pub mod executor;
pub mod identity;
pub mod outbox;
mod release;
pub mod restarts;
pub mod rotation;
mod storm;
mod webhook;

use std::path::PathBuf;

use anyhow::Result;

/// What can be measured.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Bench {
    /// Time from the answer to an apply until the new ReplicaSet exists
    Release,
    /// What an urgent change takes while many Deployments change at once, with and without Roadstead
    Storm {
        /// Deployments that change at once [default: 200, then 1000]
        #[arg(long)]
        size: Option<usize>,
        /// Folder of the plots
        #[arg(long, default_value = "docs/images")]
        plots: PathBuf,
    },
    /// Memory of the webhooks with many Deployments and changes, while NATS is there and while it is away
    Outbox,
    /// Admissions that fail while the webhooks are restarted one after the other
    Restarts,
    /// Admissions that fail while the webhooks' certificate and its authority rotate
    Rotation,
    /// Releases a second, memory and start of the executor with a large backlog
    Executor,
    /// Every user of NATS against every subject, compared with the table of docs/security.md
    Identity,
    /// What a review costs the webhook, next to a bare echo
    Webhook,
}

impl Bench {
    /// Measures and prints the figures.
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Release => release::run().await,
            Self::Storm { size, plots } => storm::run(size, &plots).await,
            Self::Outbox => outbox::run().await,
            Self::Restarts => restarts::run().await,
            Self::Rotation => rotation::run().await,
            Self::Executor => executor::run().await,
            Self::Identity => identity::run().await,
            // A runtime of its own: one thread that sends, waits and reads disturbs the server least.
            Self::Webhook => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                tokio::task::spawn_blocking(move || runtime.block_on(webhook::run())).await?
            }
        }
    }
}

/// A count that a script can read.
fn count(name: &str, value: usize) {
    println!("figure {name} {value} count");
}

/// A figure that a script can read.
fn figure(name: &str, value: f64, unit: &str) {
    println!("figure {name} {value:.2} {unit}");
}
