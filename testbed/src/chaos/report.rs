//! What a person needs to see of a violation: the seed, what was done just before, and the history of the object.

use std::fmt::Write as _;
use std::path::Path;

use super::check::Violation;
use super::history::{History, Millis, Name, What};

/// Violations that are shown in full.
const SHOWN: usize = 5;
/// Actions and faults before a violation.
const TAIL: usize = 25;
/// Versions of an object around a violation.
const VERSIONS: usize = 40;

/// The report on violations, for a terminal.
#[must_use]
pub fn report(
    seed: u64,
    violations: &[Violation],
    history: &History,
    log: &[(Millis, String)],
    folder: &Path,
) -> String {
    let mut text = String::new();
    for violation in violations.iter().take(SHOWN) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\nVIOLATION {violation}");
        let _ = writeln!(text, "  what was done before (seed {seed}):");
        let before: Vec<_> = log.iter().filter(|(at, _)| *at <= violation.at).collect();
        for (at, line) in &before[before.len().saturating_sub(TAIL)..] {
            let _ = writeln!(text, "  {at:>8} ms  {line}");
        }
        let _ = writeln!(text, "  the history of {}:", violation.name);
        let lines = object(history, &violation.name);
        let end = lines.iter().rposition(|(at, _)| *at <= violation.at).map_or(0, |last| last + 5);
        let end = end.min(lines.len());
        for (at, line) in &lines[end.saturating_sub(VERSIONS)..end] {
            let _ = writeln!(text, "  {at:>8} ms  {line}");
        }
    }
    if violations.len() > SHOWN {
        let _ = writeln!(text, "\nand {} violations more:", violations.len() - SHOWN);
        for violation in &violations[SHOWN..] {
            let _ = writeln!(text, "  {violation}");
        }
    }
    let _ = writeln!(text, "\nseed {seed}; logs and the whole history are in {}", folder.display());
    text
}

/// All that was written of a Deployment, its ReplicaSets and its namespace, and told of it, one line each.
#[must_use]
pub fn object(history: &History, name: &Name) -> Vec<(Millis, String)> {
    let of_it = |other: &Name| {
        other.namespace == name.namespace
            && (other.name == name.name
                || other.name.rsplit_once('-').is_some_and(|(own, _)| own == name.name))
    };
    let mut lines: Vec<(Millis, String)> = Vec::new();
    for write in &history.writes {
        let by = write.by.as_deref().unwrap_or("-").trim_start_matches("system:serviceaccount:");
        let line = match &write.what {
            What::Deployment(d) if d.name == *name => {
                let own = &d.state;
                let text = |text: Option<&str>| text.unwrap_or("-").to_owned();
                format!(
                    "Deployment g{} gate={} phase={} change={} template={} released={} good={} paused={}/{} {} by {by}",
                    d.generation,
                    text(own.gate.map(contract::Gate::as_str)),
                    text(own.phase.map(contract::Phase::as_str)),
                    text(own.change.as_ref().map(contract::ChangeId::as_str)),
                    short(Some(&d.digest)),
                    short(own.released.as_ref()),
                    short(own.good.as_ref()),
                    d.paused,
                    own.paused,
                    d.looks,
                )
            }
            What::DeploymentGone(gone) if gone == name => "Deployment is gone".to_owned(),
            What::ReplicaSet(set) if of_it(&set.name) => {
                format!(
                    "ReplicaSet {} template={} {}x",
                    set.name.name,
                    short(Some(&set.digest)),
                    set.replicas
                )
            }
            What::Namespace(namespace) if namespace.name == name.namespace => {
                format!("Namespace opted in: {}, lane {:?}", namespace.enabled, namespace.lane)
            }
            _ => continue,
        };
        lines.push((write.at, format!("r{} {line}", write.revision)));
    }
    for told in history.told.iter().filter(|told| told.name == *name) {
        lines.push((told.at, format!("event {} of change {}: {}", told.phase, told.change, told.message)));
    }
    lines.sort_by_key(|(at, _)| *at);
    lines
}

/// Everything, for a file.
#[must_use]
pub fn whole(history: &History, log: &[(Millis, String)]) -> String {
    let mut text = String::new();
    for (at, line) in log {
        let _ = writeln!(text, "{at:>8} ms  {line}");
    }
    let mut names: Vec<&Name> = history
        .writes
        .iter()
        .filter_map(|write| match &write.what {
            What::Deployment(d) => Some(&d.name),
            _ => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let _ = writeln!(text, "\n{name}");
        for (at, line) in object(history, name) {
            let _ = writeln!(text, "{at:>8} ms  {line}");
        }
    }
    text
}

fn short(digest: Option<&contract::Digest>) -> &str {
    digest.and_then(|digest| digest.as_str().get(..8)).unwrap_or("-")
}
