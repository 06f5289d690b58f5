//! Standard output and standard error, and whether colour is wanted on the first.

use std::io::{IsTerminal as _, Write};

use crate::failure::Failure;

/// Where answers go.
pub struct Screen {
    out: Box<dyn Write>,
    terminal: bool,
    colour: bool,
}

impl Screen {
    /// Standard output; in colour when it is a terminal that can, and nobody objects.
    #[must_use]
    pub fn standard() -> Self {
        let out = std::io::stdout();
        let variable = |name| std::env::var(name).unwrap_or_default();
        let terminal = out.is_terminal();
        let colour = terminal && wants_colour(&variable("NO_COLOR"), &variable("TERM"));
        Self { out: Box::new(out), terminal, colour }
    }

    /// Whether a line can be written over.
    #[must_use]
    pub fn terminal(&self) -> bool {
        self.terminal
    }

    /// Whether to colour.
    #[must_use]
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// Prints a piece of the answer at once.
    ///
    /// # Errors
    /// When it cannot be written. A reader that went away (`| head`) is [`Failure::ReaderGone`].
    pub fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush())?;
        Ok(())
    }

    /// A remark beside the answer, to standard error. One that nobody can read is lost without harm.
    #[expect(clippy::unused_self, reason = "everything that is printed goes through the screen")]
    pub fn note(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// Why there is no answer.
    pub fn failure(&self, failure: &Failure) {
        if !matches!(failure, Failure::ReaderGone) {
            self.note(&format!("error: {failure}"));
        }
    }
}

/// <https://no-color.org>: any value but the empty one.
fn wants_colour(no_color: &str, term: &str) -> bool {
    no_color.is_empty() && term != "dumb"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_left_out_where_somebody_objects() {
        assert!(wants_colour("", "xterm"));
        assert!(!wants_colour("1", "xterm"));
        assert!(!wants_colour("", "dumb"));
    }
}
