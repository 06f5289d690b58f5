//! Measurements on the testbed. Each ends with lines `figure <name> <value> <unit>` that a script can read.

pub mod executor;
mod release;
mod usage;
mod webhook;

use anyhow::Result;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Bench {
    /// Time from the answer to an apply until the new ReplicaSet exists
    Release,
    /// Releases a second, memory and start of the executor with a large backlog
    Executor,
    /// What a review costs the webhook, next to a bare echo
    Webhook,
}

impl Bench {
    /// Measures and prints the figures.
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Release => release::run().await,
            Self::Executor => executor::run().await,
            // A runtime of its own: one thread that sends, waits and reads disturbs the server least.
            Self::Webhook => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                tokio::task::spawn_blocking(move || runtime.block_on(webhook::run())).await?
            }
        }
    }
}

/// A figure that a script can read.
fn figure(name: &str, value: f64, unit: &str) {
    println!("figure {name} {value:.2} {unit}");
}
