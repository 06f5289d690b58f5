//! Tests in a node: starts one, runs the tests of a binary in its network, one at a time, and counts. Where a node cannot
//! run, says why and counts all as skipped: never as passed.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::scenario::SKIPPED;
use super::{Node, missing};
use crate::folder::RunFolder;
use crate::process::Lifetime;
use crate::run::Tool;

/// How long one test may take.
const LIMIT: Duration = Duration::from_mins(10);
/// How much of a failed test's output is shown; all of it is in a file.
const SHOWN: usize = 60;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    Skipped,
}

/// Runs them and prints the figures.
///
/// # Errors
/// When a test failed, or the node did not start though nothing seemed to be missing.
pub(super) async fn run(binary: &Path, filter: Option<&str>) -> anyhow::Result<()> {
    let names = names(binary, filter).await?;
    anyhow::ensure!(!names.is_empty(), "no test is called like that");
    let missing = missing();
    if !missing.is_empty() {
        println!("cluster tests not run: {}", missing.join("; "));
        return figures(&vec![Outcome::Skipped; names.len()]);
    }
    let run = RunFolder::create()?;
    let began = Instant::now();
    let node =
        Node::start(&run.path().join("node"), Lifetime::Ours, |_| ()).await.inspect_err(|_| run.keep())?;
    println!("the cluster is ready after {:.1} s", began.elapsed().as_secs_f32());
    let mut outcomes = Vec::new();
    for name in &names {
        outcomes.push(tokio::select! {
            outcome = one(&node, run.path(), binary, name) => outcome?,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                anyhow::bail!("interrupted")
            }
        });
    }
    if outcomes.contains(&Outcome::Failed) {
        run.keep();
        println!("logs are in {}", run.path().display());
    }
    node.stop().await?;
    figures(&outcomes)
}

/// The tests that are ignored outside of a node.
async fn names(binary: &Path, filter: Option<&str>) -> anyhow::Result<Vec<String>> {
    let list = Tool { program: binary.to_owned(), args: vec![], env: vec![] };
    let args = ["--list", "--ignored", "--format=terse"].into_iter().chain(filter);
    let said = list.run(&args.collect::<Vec<_>>(), None).await?.ok()?;
    Ok(said.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

async fn one(node: &Node, folder: &Path, binary: &Path, name: &str) -> anyhow::Result<Outcome> {
    let mut test = node.inside(binary.to_str().context("a test binary has a name in UTF-8")?)?;
    // Of an error that is returned it would say only where the runtime was.
    test.env.push(("RUST_BACKTRACE".to_owned(), "0".to_owned()));
    let began = Instant::now();
    let ended = test.run_within(LIMIT, &[name, "--exact", "--ignored", "--nocapture"], None).await;
    let took = began.elapsed().as_secs_f32();
    let (passed, said) = match ended {
        Ok(output) => (output.success(), format!("{}{}", output.stdout, output.stderr)),
        Err(error) => (false, format!("{error:#}")),
    };
    std::fs::write(folder.join(format!("{}.log", name.replace("::", "."))), &said)?;
    let reason = said.lines().find_map(|line| line.strip_prefix(SKIPPED));
    Ok(match (passed, reason) {
        (false, _) => {
            println!("test {name} ... FAILED ({took:.1} s)");
            let lines: Vec<_> = said.lines().collect();
            for line in &lines[lines.len().saturating_sub(SHOWN)..] {
                println!("    {line}");
            }
            Outcome::Failed
        }
        (true, Some(reason)) => {
            println!("test {name} ... skipped: {reason}");
            Outcome::Skipped
        }
        (true, None) => {
            println!("test {name} ... ok ({took:.1} s)");
            said.lines().filter(|line| line.starts_with("figure ")).for_each(|line| println!("{line}"));
            Outcome::Passed
        }
    })
}

fn figures(outcomes: &[Outcome]) -> anyhow::Result<()> {
    let count = |outcome| outcomes.iter().filter(|other| **other == outcome).count();
    let (passed, failed, skipped) = (count(Outcome::Passed), count(Outcome::Failed), count(Outcome::Skipped));
    for (name, value) in [("passed", passed), ("failed", failed), ("skipped", skipped)] {
        println!("figure {name} {value} tests");
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    anyhow::ensure!(failed == 0, "{failed} tests in the cluster failed");
    Ok(())
}
