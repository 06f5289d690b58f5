//! The command line of chaos, and its figures.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::{run, seeded};

/// Let users act at random and faults happen, and check what came of it
#[derive(Clone, Debug, clap::Args)]
pub struct Chaos {
    /// What everything random follows from [default: of the clock]
    #[arg(long)]
    seed: Option<u64>,
    /// Actions of users
    #[arg(long, default_value_t = 500)]
    actions: usize,
    /// Faults between them
    #[arg(long, default_value_t = 50)]
    faults: usize,
    /// Prove the checker instead: find each seeded bug in the binaries of this folder
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["seed", "actions", "faults"])]
    seeded_bugs: Option<PathBuf>,
    /// How the figures are printed
    #[arg(short, long, default_value = "text")]
    output: Output,
}

/// How figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// Lines `figure <name> <value> <unit>`
    Text,
    /// One object
    Json,
}

impl Chaos {
    /// Runs it and prints the figures.
    ///
    /// # Errors
    /// When something was violated, or the testbed itself failed.
    pub async fn run(self) -> anyhow::Result<()> {
        if let Some(folder) = &self.seeded_bugs {
            return self.prove(folder).await;
        }
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Short enough to be typed again.
        let seed = self.seed.unwrap_or(clock.as_secs() % 1_000_000);
        eprintln!("chaos: seed {seed}, {} actions, {} faults", self.actions, self.faults);
        let outcome = run::run(seed, self.actions, self.faults).await?;
        let played = &outcome.played;
        let violations = outcome.violations.len();
        self.print(&[
            ("seed", seed, "seed"),
            ("actions", count(played.done + played.refused + played.gave_up), "actions"),
            ("actions_done", count(played.done), "actions"),
            ("actions_gave_up", count(played.gave_up), "actions"),
            ("faults", count(played.faults), "faults"),
            ("releases", count(outcome.releases), "releases"),
            ("quiet_after_ms", outcome.quiet_after, "ms"),
            ("violations", count(violations), "violations"),
        ]);
        anyhow::ensure!(violations == 0, "{violations} violations; again with: --seed {seed}");
        Ok(())
    }

    async fn prove(&self, folder: &Path) -> anyhow::Result<()> {
        let proof = seeded::prove(folder).await?;
        self.print(&[
            ("seeded_bugs", count(seeded::BUGS.len()), "bugs"),
            ("seeded_bugs_missed", count(proof.missed.len()), "bugs"),
            ("false_alarms", count(proof.false_alarms.len()), "scenarios"),
        ]);
        anyhow::ensure!(proof.missed.is_empty(), "not found: {}", proof.missed.join(", "));
        let alarms = &proof.false_alarms;
        anyhow::ensure!(alarms.is_empty(), "violations without the bug: {}", alarms.join(", "));
        Ok(())
    }

    fn print(&self, figures: &[(&str, u64, &str)]) {
        match self.output {
            Output::Text => {
                for (name, value, unit) in figures {
                    println!("figure {name} {value} {unit}");
                }
            }
            Output::Json => {
                let object: serde_json::Map<_, _> =
                    figures.iter().map(|(name, value, _)| ((*name).to_owned(), json!(value))).collect();
                println!("{}", serde_json::Value::Object(object));
            }
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
