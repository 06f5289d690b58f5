//! Measurements on the testbed. Each ends with lines `figure <name> <value> <unit>` that a script can read.

mod release;

use anyhow::Result;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Bench {
    /// Time from the answer to an apply until the new ReplicaSet exists
    Release,
}

impl Bench {
    /// Measures and prints the figures.
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Release => release::run().await,
        }
    }
}

/// A figure that a script can read.
fn figure(name: &str, value: f64, unit: &str) {
    println!("figure {name} {value:.2} {unit}");
}
