//! What the demo prints: sentences, commands with their output, facts, and a few lines that are redrawn in place
//! in a terminal and written one below the other where somebody else reads.

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::rc::Rc;
use std::time::Duration;

use crate::run::Output;

/// Lines of an output that are shown at its begin; the rest is counted.
const SHOWN: usize = 8;
/// Characters a line of an output, so that it stays one line.
const WIDTH: usize = 160;
/// Characters a line of our own sentences.
const SENTENCE: usize = 79;

/// A colour or weight, as parameters of SGR.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ink {
    Plain,
    Bold,
    Dim,
    Green,
    Yellow,
    Cyan,
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Cyan => "36",
        }
    }
}

/// Standard output.
#[derive(Clone, Debug)]
pub(super) struct Console {
    colour: bool,
    terminal: bool,
    live: Rc<Cell<usize>>,
}

impl Console {
    pub(super) fn standard() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let variable = |name| std::env::var(name).unwrap_or_default();
        let dumb = variable("TERM") == "dumb";
        let colour = terminal && !dumb && variable("NO_COLOR").is_empty();
        Self { colour, terminal: terminal && !dumb, live: Rc::default() }
    }

    /// How often live lines are worth a new look.
    pub(super) fn pace(&self) -> Duration {
        if self.terminal { Duration::from_millis(100) } else { Duration::from_secs(1) }
    }

    pub(super) fn ink(&self, ink: Ink, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\x1b[{}m{text}\x1b[0m", ink.code())
        } else {
            text.to_owned()
        }
    }

    pub(super) fn title(&self, text: &str) {
        self.line("");
        self.line(&self.ink(Ink::Bold, text));
        self.line(&self.ink(Ink::Bold, &"─".repeat(text.chars().count())));
    }

    pub(super) fn say(&self, text: &str) {
        self.line("");
        for line in wrapped(text, SENTENCE) {
            self.line(&line);
        }
    }

    /// A claim that was checked.
    pub(super) fn fact(&self, text: &str) {
        let mark = self.ink(Ink::Green, "✔");
        for (number, line) in wrapped(text, SENTENCE - 2).iter().enumerate() {
            self.line(&format!("{} {line}", if number == 0 { mark.as_str() } else { " " }));
        }
    }

    pub(super) fn command(&self, line: &str) {
        self.line(&self.ink(Ink::Cyan, &format!("$ {line}")));
    }

    /// What a command said: all of a short answer, the begin of a long one.
    pub(super) fn output(&self, output: &Output) {
        for text in [&output.stdout, &output.stderr] {
            let lines: Vec<_> = text.trim_end().lines().collect();
            let shown = if lines.len() > SHOWN + 1 { SHOWN / 2 } else { lines.len() };
            lines[..shown].iter().for_each(|line| self.line(&format!("  {}", cut(line))));
            if shown < lines.len() {
                self.line(&self.ink(Ink::Dim, &format!("  … {} more lines", lines.len() - shown)));
            }
        }
    }

    pub(super) fn line(&self, text: &str) {
        self.live.set(0);
        // A reader that went away changes nothing about what happens.
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    /// Lines that replace the live lines before them, in a terminal.
    pub(super) fn live(&self, lines: &[String]) {
        let up = self.live.get();
        if self.terminal && up > 0 {
            let _ = write!(std::io::stdout(), "\x1b[{up}A\x1b[J");
        }
        for line in lines {
            self.line(line);
        }
        self.live.set(lines.len());
    }

    /// Whether live lines are redrawn in place.
    pub(super) fn redraws(&self) -> bool {
        self.terminal
    }
}

fn cut(line: &str) -> String {
    let line = line.replace(char::is_control, " ");
    if line.chars().count() <= WIDTH {
        return line;
    }
    line.chars().take(WIDTH - 1).chain(['…']).collect()
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_wrapped_at_words_and_long_lines_are_cut() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(cut("a\tb"), "a b");
        assert_eq!(cut(&"x".repeat(200)).chars().count(), WIDTH);
    }
}
