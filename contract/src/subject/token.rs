//! One name as one token of a subject. Names are chosen by users: a dot, a star or a `>` in one must not widen
//! the subject.

use std::fmt::Write as _;

use super::SubjectError;

/// Longest name that is encoded, in bytes: names of Kubernetes end at 253. A longer subject makes the server
/// drop the connection.
pub(super) const MAX_NAME: usize = 253;

/// One name as one token of a subject: ASCII letters, digits, `-` and `_` as they are, every other byte as
/// `=` and two hexadecimal digits.
pub(super) fn token(what: &'static str, name: &str) -> Result<String, SubjectError> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(SubjectError::Length { what, length: name.len() });
    }
    let mut token = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            token.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(token, "={byte:02x}");
        }
    }
    Ok(token)
}

/// The name in a token, `None` where it was not made by [`token`].
pub(super) fn name(token: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'=' {
            let (code, tail) = tail.split_at_checked(2)?;
            bytes.extend(data_encoding::HEXLOWER.decode(code).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    (self::token("a name", &name).as_deref() == Ok(token)).then_some(name)
}
