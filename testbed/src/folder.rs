//! Where a test run keeps its files: `testbed-runs/<id>` in the target folder. A run holds a lock on its
//! folder; the next run removes the folders of runs that are over, but keeps the last ones that failed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// How many failed runs are kept.
const KEPT: usize = 5;
const LOCK: &str = "lock";
const FAILED: &str = "failed";
/// Folders of data, of no use once the run is over.
const DATA: [&str; 3] = ["etcd-data", "nats-data", crate::node::DATA];

/// The folder of this run; ours while it is alive.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    _lock: File,
}

impl RunFolder {
    /// Makes a folder for this run, and tidies up after earlier ones.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create() -> anyhow::Result<Self> {
        Self::create_in(&binaries_folder()?.join("testbed-runs"))
    }

    fn create_in(runs: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(runs).with_context(|| format!("cannot make {}", runs.display()))?;
        tidy(runs);
        let path = runs.join(crate::unique::short_name()?);
        fs::create_dir(&path)?;
        let lock = File::create(path.join(LOCK))?;
        lock.try_lock().context("the folder of this run is locked by somebody else")?;
        Ok(Self { path, _lock: lock })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps this folder after the run.
    pub fn keep(&self) {
        let _ = File::create(self.path.join(FAILED));
    }
}

/// The folder that holds the binaries built together with the one that runs now: the target folder of
/// this build, also for tests, which run from its `deps`.
///
/// # Errors
/// When the system does not tell where we run from.
pub fn binaries_folder() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("where do we run from?")?;
    let folder = own.parent().context("a binary lies in a folder")?;
    let inside = folder.ends_with("deps") || folder.ends_with("examples");
    Ok(if inside { folder.parent().unwrap_or(folder) } else { folder }.to_owned())
}

/// Best effort: another run may tidy up at the same time.
fn tidy(runs: &Path) {
    let Ok(entries) = fs::read_dir(runs) else { return };
    let mut failed = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        // A folder without a lock file is just being made.
        let Ok(lock) = File::open(path.join(LOCK)) else { continue };
        if lock.try_lock().is_err() {
            continue;
        }
        if path.join(FAILED).exists() {
            remove_data(&path, 3);
            failed.push((fs::metadata(path.join(FAILED)).and_then(|m| m.modified()).ok(), path));
        } else {
            let _ = fs::remove_dir_all(path);
        }
    }
    failed.sort();
    let surplus = failed.len().saturating_sub(KEPT);
    for (_, path) in failed.into_iter().take(surplus) {
        let _ = fs::remove_dir_all(path);
    }
}

fn remove_data(path: &Path, depth: usize) {
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries.flatten().filter(|_| depth > 0) {
        if DATA.iter().any(|data| entry.file_name() == *data) {
            let _ = fs::remove_dir_all(entry.path());
        } else {
            remove_data(&entry.path(), depth - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_runs_that_are_over_go_and_failed_ones_stay_without_their_data() {
        let runs = tempfile::tempdir().unwrap();
        let good = RunFolder::create_in(runs.path()).unwrap().path().to_owned();
        let failed = RunFolder::create_in(runs.path()).unwrap();
        failed.keep();
        let bad = failed.path().to_owned();
        fs::create_dir_all(bad.join("t-x/nats-data")).unwrap();
        fs::write(bad.join("t-x/webhook.log"), "why").unwrap();
        drop(failed);
        let running = RunFolder::create_in(runs.path()).unwrap();
        let _now = RunFolder::create_in(runs.path()).unwrap();
        assert!(!good.exists());
        assert!(running.path().exists());
        assert!(bad.join("t-x/webhook.log").exists() && !bad.join("t-x/nats-data").exists());
    }

    #[test]
    fn only_the_last_failed_runs_are_kept() {
        let runs = tempfile::tempdir().unwrap();
        for _ in 0..KEPT + 3 {
            RunFolder::create_in(runs.path()).unwrap().keep();
        }
        let _now = RunFolder::create_in(runs.path()).unwrap();
        assert_eq!(fs::read_dir(runs.path()).unwrap().count(), KEPT + 1);
    }
}
