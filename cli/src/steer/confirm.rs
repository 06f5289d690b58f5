//! Asks a person. Where nobody is there to be asked, the answer is no.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use crate::failure::Failure;

/// Asks on the terminal, on standard error: what is piped stays an answer.
///
/// # Errors
/// When nobody is there, or does not agree.
pub fn ask(question: &str) -> Result<(), Failure> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(Failure::Usage(
            "nobody is there to be asked: standard input is no terminal; if you mean it, say --yes"
                .to_owned(),
        ));
    }
    let lines = question.lines().map(|line| line.replace(char::is_control, "?") + "\n").collect::<String>();
    let mut screen = std::io::stderr();
    screen.write_all(format!("{lines}Go on? [y/N] ").as_bytes())?;
    screen.flush()?;
    let mut line = String::new();
    input.lock().read_line(&mut line)?;
    if agrees(&line) { Ok(()) } else { Err(Failure::Partly("nothing was done: nobody agreed".to_owned())) }
}

fn agrees(line: &str) -> bool {
    ["y", "yes"].contains(&line.trim().to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for line in ["y\n", "Yes\n", " YES "] {
            assert!(agrees(line), "{line:?}");
        }
        for line in ["", "\n", "n\n", "yy\n", "yes please\n"] {
            assert!(!agrees(line), "{line:?}");
        }
    }
}
