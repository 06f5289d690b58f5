//! Finds the members of an object and the elements of an array in JSON text, without reading what is in them.
//! The text was checked to be JSON by whoever brings it; text that is not gives `None`, never a panic.

/// Members of the object that the text is: names as they are written, with their quotes, and values.
pub fn members(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut found = Vec::new();
    let mut at = opened(text, b'{')?;
    if text.as_bytes().get(at) == Some(&b'}') {
        return Some(found);
    }
    loop {
        at = after_space(text, at);
        let name = string_end(text.as_bytes(), at)?;
        let colon = after_space(text, name);
        if text.as_bytes().get(colon) != Some(&b':') {
            return None;
        }
        let value = after_space(text, colon + 1);
        let end = end(text.as_bytes(), value)?;
        found.push((text.get(at..name)?, text.get(value..end)?));
        at = match next(text, end)? {
            (b',', at) => at,
            (b'}', _) => return Some(found),
            _ => return None,
        };
    }
}

/// Elements of the array that the text is.
pub fn elements(text: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let mut at = opened(text, b'[')?;
    if text.as_bytes().get(at) == Some(&b']') {
        return Some(found);
    }
    loop {
        at = after_space(text, at);
        let end = end(text.as_bytes(), at)?;
        found.push(text.get(at..end)?);
        at = match next(text, end)? {
            (b',', at) => at,
            (b']', _) => return Some(found),
            _ => return None,
        };
    }
}

/// Where the first thing in the brackets begins.
fn opened(text: &str, bracket: u8) -> Option<usize> {
    let at = after_space(text, 0);
    (text.as_bytes().get(at) == Some(&bracket)).then(|| after_space(text, at + 1))
}

/// The next byte that is no space, and what is after it.
fn next(text: &str, at: usize) -> Option<(u8, usize)> {
    let at = after_space(text, at);
    text.as_bytes().get(at).map(|byte| (*byte, at + 1))
}

fn after_space(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// Where the value ends that begins here.
fn end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => string_end(text, at),
        b'{' | b'[' => bracket_end(text, at),
        _ => {
            let length = text[at..]
                .iter()
                .take_while(|byte| !matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'));
            match length.count() {
                0 => None,
                length => Some(at + length),
            }
        }
    }
}

/// In checked JSON brackets match: it is enough to count them.
fn bracket_end(text: &[u8], mut at: usize) -> Option<usize> {
    let mut open = 0_usize;
    loop {
        match text.get(at)? {
            b'"' => {
                at = string_end(text, at)?;
                continue;
            }
            b'{' | b'[' => open += 1,
            b'}' | b']' => {
                open -= 1;
                if open == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

fn string_end(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_and_elements_are_found_as_they_are_written() {
        let text = " { \"a\" : [1, {\"x\":\"}]\"}] ,\"b\\\"\":null}";
        assert_eq!(members(text), Some(vec![("\"a\"", "[1, {\"x\":\"}]\"}]"), ("\"b\\\"\"", "null")]));
        assert_eq!(elements("[1, {\"x\":\"}]\"} ,\"\\\\\"]"), Some(vec!["1", "{\"x\":\"}]\"}", "\"\\\\\""]));
        assert_eq!(members("{ }"), Some(vec![]));
        assert_eq!(elements("[\n]"), Some(vec![]));
    }

    proptest! {
        #[test]
        fn text_that_is_no_json_is_no_panic(text in "[\\[\\]{}\",:\\\\a1 é]{0,24}") {
            let _ = (members(&text), elements(&text));
        }
    }
}
