//! A cluster that goes on after the command that started it: `up`, `down`, `stop`, `start`, `status`.

mod exports;
mod parts;
mod up;

use std::path::{Path, PathBuf};

pub(crate) use parts::{down, start, status, stop};

use crate::args::Up;
use exports::Exports;

/// Where a cluster lives unless told otherwise: ignored by git.
pub(crate) fn in_checkout(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).join(name)
}

/// Starts a cluster, unless it runs, and prints how to use it.
pub(crate) async fn up(folder: &Path, options: &Up) -> anyhow::Result<()> {
    let parts = parts::all(folder)?;
    let running = parts.iter().filter(|part| part.is_running()).count();
    if let (Some(exports), true) = (Exports::read(folder)?, running > 0) {
        eprintln!("testbed: runs already ({running} of {} parts); `down` stops it", parts.len());
        exports.print();
        return Ok(());
    }
    // What is left of an `up` that was interrupted, or of a machine that was switched off.
    parts::remove(folder, &parts)?;
    std::fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    let started = tokio::select! {
        started = up::start(&folder, options) => started,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into).and_then(|()| {
            parts::remove(&folder, &parts::all(&folder)?)?;
            anyhow::bail!("interrupted; what was started is stopped")
        }),
    };
    match started {
        Ok(exports) => {
            exports.write(&folder)?;
            exports.print();
            Ok(())
        }
        Err(error) => {
            for part in parts::all(&folder)?.iter().filter(|part| part.is_running()) {
                part.kill()?;
            }
            let logs = format!("what was started is stopped; logs are in {}", folder.display());
            Err(error.context(logs))
        }
    }
}
