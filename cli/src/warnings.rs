//! What the API server and its webhooks say beside an answer, in `Warning` headers. kubectl prints it, and so do verbs that
//! write.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::{Response, header::WARNING};

/// Longest that is kept of one answer: a server that says more says too much.
const MOST: usize = 64;

/// The warnings since they were taken last.
#[derive(Clone, Debug, Default)]
pub struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    /// Keeps what an answer warns of; what was said already is not kept again, as kubectl does.
    pub fn keep<B>(&self, answer: &Response<B>) {
        let told = answer.headers().get_all(WARNING).iter().take(MOST);
        let mut kept = self.kept();
        for text in told.filter_map(|header| text(&String::from_utf8_lossy(header.as_bytes()))) {
            if !kept.contains(&text) {
                kept.push(text);
            }
        }
    }

    /// Takes them.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.kept())
    }

    fn kept(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text of a header `299 - "text"`.
/// <https://www.rfc-editor.org/rfc/rfc7234#section-5.5>
fn text(header: &str) -> Option<String> {
    let quoted = header.strip_prefix("299 ")?.split_once(' ')?.1.strip_prefix('"')?;
    let (mut text, mut letters) = (String::new(), quoted.chars());
    loop {
        match letters.next()? {
            '"' => return Some(text.replace(char::is_control, "?")),
            '\\' => text.push(letters.next()?),
            letter => text.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_the_quoted_text_of_its_header() {
        for (header, read) in [
            (r#"299 - "change a is approved""#, Some("change a is approved")),
            (r#"299 agent "say \"please\" \\""#, Some(r#"say "please" \"#)),
            (r#"299 - "old" "Sat, 25 Aug 2012 23:34:45 GMT""#, Some("old")),
            ("299 - \"an escape \x1b[2J\"", Some("an escape ?[2J")),
            (r#"199 - "another kind""#, None),
            (r#"299 - "without an end"#, None),
            ("299 -", None),
            ("", None),
        ] {
            assert_eq!(text(header).as_deref(), read, "{header}");
        }
    }

    #[test]
    fn what_is_said_twice_is_kept_once_and_taken_once() {
        let warnings = Warnings::default();
        for _ in 0..2 {
            let answer = Response::builder().header(WARNING, r#"299 - "a""#).header(WARNING, r#"299 - "b""#);
            warnings.keep(&answer.body(()).unwrap());
        }
        assert_eq!(warnings.take(), ["a", "b"]);
        assert!(warnings.take().is_empty());
    }
}
