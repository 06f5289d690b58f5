//! The file that a user of NATS connects with: its token and its key, in the form that every client reads.
//! <https://docs.nats.io/using-nats/developer/connecting/creds>

const TOKEN: &str = "NATS USER JWT";
const SEED: &str = "USER NKEY SEED";

/// The text of such a file.
#[must_use]
pub fn write(token: &str, seed: &str) -> String {
    // Clients count the dashes: five before and, at an end, six.
    format!(
        "-----BEGIN {TOKEN}-----\n{token}\n------END {TOKEN}------\n\n\
         The seed below proves who you are: treat this file as a secret.\n\n\
         -----BEGIN {SEED}-----\n{seed}\n------END {SEED}------\n"
    )
}

/// The token and the seed in such a text; `None` where one is missing.
#[must_use]
pub fn read(text: &str) -> Option<(&str, &str)> {
    Some((section(text, TOKEN)?, section(text, SEED)?))
}

fn section<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let begin = format!("BEGIN {name}");
    let mut lines = text.lines().skip_while(|line| !(line.starts_with("---") && line.contains(&begin)));
    lines.next()?;
    lines.next().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("---"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_reads_back_and_a_cut_one_does_not() {
        let text = write("eyJ0.e30.x", "SUAB");
        assert_eq!(read(&text), Some(("eyJ0.e30.x", "SUAB")));
        assert_eq!(read(&text.replace('\n', "\r\n")), Some(("eyJ0.e30.x", "SUAB")));
        for cut in ["", "-----BEGIN NATS USER JWT-----", &text[..60], &write("", "SUAB")] {
            assert_eq!(read(cut), None, "{cut}");
        }
    }
}
