//! What a part wrote.

use std::path::Path;

use super::Part;

/// Lines of the log that stand in an error.
const TAIL: usize = 15;

impl Part {
    /// Its log file.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.spec.log
    }

    /// All that it has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.spec.log).unwrap_or_default()).into_owned()
    }

    /// The end of it, for an error.
    pub(super) fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }
}
