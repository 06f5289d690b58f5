//! Names and tokens that nobody else has.

use std::fs::File;
use std::io::Read as _;

/// Characters of a short name: no vowels, so that no word appears by chance, and valid in a DNS label.
const LETTERS: &[u8; 32] = b"bcdfghjklmnpqrstvwxz023456789bcd";

/// A short name, six characters: 30 bits (a little less, some characters are twice in the table).
///
/// # Errors
/// When the system has no random bytes.
pub(crate) fn short_name() -> std::io::Result<String> {
    letters(6)
}

/// A bearer token that cannot be guessed.
///
/// # Errors
/// When the system has no random bytes.
pub(crate) fn token() -> std::io::Result<String> {
    letters(40)
}

fn letters(count: usize) -> std::io::Result<String> {
    let mut bytes = vec![0; count];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.into_iter().map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()])).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_differ_and_begin_with_what_a_label_may_begin_with() {
        let (one, two) = (super::short_name().unwrap(), super::short_name().unwrap());
        assert_ne!(one, two);
        assert!(one.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{one}");
    }
}
