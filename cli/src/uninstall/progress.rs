//! How far it is: a line that is written over on a terminal, and elsewhere a line every few seconds. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// Between two lines that stay.
const LINES: Duration = Duration::from_secs(2);
/// Between two that are written over.
const FRAMES: Duration = Duration::from_millis(100);

/// What was last shown.
pub struct Progress {
    terminal: bool,
    shown: Instant,
    is_open: bool,
}

impl Progress {
    /// Nothing yet; what is over at once is not shown as under way.
    #[must_use]
    pub fn new(terminal: bool, now: Instant) -> Self {
        Self { terminal, shown: now, is_open: false }
    }

    /// What to print at this moment.
    #[must_use]
    pub fn at(&mut self, now: Instant, done: usize, all: usize) -> Option<String> {
        if now < self.shown + if self.terminal { FRAMES } else { LINES } {
            return None;
        }
        self.shown = now;
        let text = format!("{done} of {all} Deployments opened");
        if self.terminal {
            self.is_open = true;
            return Some(format!("\r\x1b[K{text}"));
        }
        Some(text + "\n")
    }

    /// What to print before other lines follow.
    #[must_use]
    pub fn end(&mut self) -> Option<&'static str> {
        std::mem::take(&mut self.is_open).then_some("\r\x1b[K")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_written_over_and_a_file_gets_a_line_now_and_then() {
        let begin = Instant::now();
        let at = |terminal| {
            let mut progress = Progress::new(terminal, begin);
            let texts: Vec<_> = [0, 50, 500, 2_100, 2_200]
                .into_iter()
                .filter_map(|milliseconds| progress.at(begin + Duration::from_millis(milliseconds), 3, 9))
                .collect();
            (texts, progress.end())
        };
        let line = "3 of 9 Deployments opened";
        assert_eq!(at(false), (vec![format!("{line}\n")], None));
        let frame = format!("\r\x1b[K{line}");
        assert_eq!(at(true), (vec![frame.clone(), frame.clone(), frame], Some("\r\x1b[K")));
    }
}
