//! Regular expressions, with the syntax of Kubernetes' own (RE2). They are matched in linear time; what is bounded is
//! the size of a pattern and what it costs to read one at run time.

use std::rc::Rc;

use regex::{Regex, RegexBuilder};

use super::{Row, re2, strings};
use crate::expression::{Fault, Run, value::Value};

/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 1024;
/// Largest program of a pattern, in bytes.
const MAX_PROGRAM: usize = 256 * 1024;
/// Longest pattern that is made at run time, in bytes. Reading one takes longer by far than matching it: what 128 bytes
/// of classes that ignore case unfold to takes some milliseconds.
const MAX_MADE: usize = 128;
/// Steps that it costs to read one: an expression may read two, and a review some twenty.
const READING: usize = 50_000;

pub const TABLE: &[Row] = &[
    (&["string.matches(string) bool"], |run, of| dynamic(run, "matches", of)),
    (&["matches(string, string) bool"], |run, of| dynamic(run, "matches", of)),
    (&["string.find(string) string"], |run, of| dynamic(run, "find", of)),
    (&["string.findAll(string) list(string)", "string.findAll(string, int) list(string)"], |run, of| {
        dynamic(run, "findAll", of)
    }),
];

/// Whether a function takes a pattern as its second value.
pub fn takes_pattern(name: &str) -> bool {
    matches!(name, "matches" | "find" | "findAll")
}

/// Reads a pattern.
pub fn read(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!("a pattern may have {MAX_PATTERN} bytes"));
    }
    RegexBuilder::new(&re2::translated(pattern)?)
        .size_limit(MAX_PROGRAM)
        .dfa_size_limit(MAX_PROGRAM)
        .nest_limit(50)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
            error => {
                format!("'{pattern}' is no pattern: {}", error.to_string().lines().last().unwrap_or_default())
            }
        })
}

fn dynamic<'a>(run: &mut Run<'_, 'a>, name: &str, of: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let pattern = strings::text(run, of, 1)?;
    let known = run.patterns.iter().find(|(known, _)| known == pattern).map(|(_, read)| Rc::clone(read));
    let pattern = match known {
        Some(known) => known,
        None if pattern.len() > MAX_MADE => {
            return Err(Fault::of(format!("a pattern that is made at run time may have {MAX_MADE} bytes")));
        }
        None => {
            let text = pattern.to_owned();
            run.spend(READING)?;
            let pattern = Rc::new(read(&text).map_err(Fault::of)?);
            run.patterns.push((text, Rc::clone(&pattern)));
            pattern
        }
    };
    search(run, name, &pattern, of)
}

/// Does what the function of that name does with a pattern that was read.
pub fn search<'a>(
    run: &mut Run<'_, 'a>,
    name: &str,
    pattern: &Regex,
    of: &[Value<'a>],
) -> Result<Value<'a>, Fault> {
    let text = strings::text(run, of, 0)?;
    // A byte costs more here than where it is only copied.
    run.spend(text.len() / 4)?;
    match name {
        "matches" => Ok(Value::Bool(pattern.is_match(text))),
        "find" => {
            Ok(pattern.find(text).map_or_else(|| Value::text(""), |found| strings::owned(found.as_str())))
        }
        _ => {
            let limit = match of.get(2) {
                Some(Value::Int(limit)) => usize::try_from(*limit).unwrap_or(usize::MAX),
                None => usize::MAX,
                Some(_) => return Err(Fault::overload("findAll", of)),
            };
            let mut all = Vec::new();
            for found in pattern.find_iter(text).take(limit) {
                run.spend(1 + text.len() / 64)?;
                all.push(strings::owned(found.as_str()));
            }
            Ok(Value::list(all))
        }
    }
}
