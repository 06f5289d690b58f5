//! The command line of chaos, and its figures.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::run;

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
