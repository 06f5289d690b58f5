//! Functions of texts. Places in a text are counted in characters, not in bytes.

use std::fmt::Write as _;

use super::{Row, convert};
use crate::expression::{
    Fault, Run,
    value::{List, Text, Value},
};

type Done<'a> = Result<Value<'a>, Fault>;

/// What `format` knows after a `%`.
const CLAUSES: [char; 7] = ['s', 'd', 'x', 'X', 'o', 'b', '%'];

pub const TABLE: &[Row] = &[
    (&["string.contains(string) bool"], |run, of| test(run, of, |text, of| text.contains(of))),
    (&["string.startsWith(string) bool"], |run, of| test(run, of, |text, of| text.starts_with(of))),
    (&["string.endsWith(string) bool"], |run, of| test(run, of, |text, of| text.ends_with(of))),
    (&["string.lowerAscii() string"], |run, of| made(run, of, str::to_ascii_lowercase)),
    (&["string.upperAscii() string"], |run, of| made(run, of, str::to_ascii_uppercase)),
    (&["string.trim() string"], |run, of| made(run, of, |text| text.trim().to_owned())),
    (&["strings.quote(string) string"], |run, of| made(run, of, quote)),
    (&["string.charAt(int) string"], |run, of| {
        let (text, at) = (text(run, of, 0)?, place(of, 1)?);
        match text.chars().nth(at) {
            Some(character) => Ok(Value::text(character)),
            None if at == text.chars().count() => Ok(Value::text("")),
            None => Err(Fault::index(at)),
        }
    }),
    (&["string.substring(int) string", "string.substring(int, int) string"], substring),
    (&["string.replace(string, string) string", "string.replace(string, string, int) string"], replace),
    (&["string.split(string) list(string)", "string.split(string, int) list(string)"], split),
    (&["list(string).join() string", "list(string).join(string) string"], join),
    (&["string.format(list(dyn)) string"], format),
];

/// The text of an argument, paid for.
pub fn text<'v>(run: &mut Run<'_, '_>, of: &'v [Value<'_>], at: usize) -> Result<&'v str, Fault> {
    match of.get(at) {
        Some(Value::Text(text)) => {
            run.spend_bytes(text.as_str().len())?;
            Ok(text.as_str())
        }
        _ => Err(Fault::overload("a function of texts", of)),
    }
}

/// A number that is not below zero.
pub fn place(of: &[Value<'_>], at: usize) -> Result<usize, Fault> {
    match of.get(at) {
        Some(Value::Int(place)) => usize::try_from(*place).map_err(|_| Fault::index(place)),
        _ => Err(Fault::overload("a function of numbers", of)),
    }
}

/// A number; any below zero: no limit.
fn limit(of: &[Value<'_>], at: usize) -> Result<usize, Fault> {
    match of.get(at) {
        None => Ok(usize::MAX),
        Some(Value::Int(limit)) => Ok(usize::try_from(*limit).unwrap_or(usize::MAX)),
        _ => Err(Fault::overload("a function of numbers", of)),
    }
}

fn test<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>], is: fn(&str, &str) -> bool) -> Done<'a> {
    Ok(Value::Bool(is(text(run, of, 0)?, text(run, of, 1)?)))
}

fn made<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>], make: fn(&str) -> String) -> Done<'a> {
    Ok(Value::text(make(text(run, of, 0)?)))
}

fn substring<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    let text = text(run, of, 0)?;
    let count = text.chars().count();
    let from = place(of, 1)?;
    let to = if of.len() > 2 { place(of, 2)? } else { count };
    if from > to || to > count {
        return Err(Fault::of(format!("index out of range: {from} to {to} of {count}")));
    }
    Ok(Value::text(text.chars().skip(from).take(to - from).collect::<String>()))
}

fn replace<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    let (text, old, new) = (text(run, of, 0)?, text(run, of, 1)?, text(run, of, 2)?);
    let limit = limit(of, 3)?;
    let found = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    run.spend_bytes(found.min(limit).saturating_mul(new.len()))?;
    Ok(Value::text(text.replacen(old, new, limit)))
}

fn split<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    let (text, by) = (text(run, of, 0)?, text(run, of, 1)?);
    let limit = limit(of, 2)?;
    let pieces = if by.is_empty() { text.chars().count() } else { text.matches(by).count() };
    run.spend(pieces.min(limit))?;
    let list = match limit {
        0 => Vec::new(),
        // By nothing: into characters, the last piece being what is left.
        _ if by.is_empty() => {
            let mut pieces = text.chars().take(limit - 1).map(String::from).collect::<Vec<_>>();
            let rest = text.chars().skip(pieces.len()).collect::<String>();
            if !rest.is_empty() {
                pieces.push(rest);
            }
            pieces
        }
        limit => text.splitn(limit, by).map(str::to_owned).collect(),
    };
    Ok(Value::list(list.into_iter().map(Value::text).collect()))
}

fn join<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    let Value::List(list) = &of[0] else { return Err(Fault::overload("join", of)) };
    let by = if of.len() > 1 { text(run, of, 1)? } else { "" };
    let mut joined = String::new();
    for at in 0..List::len(list) {
        let Value::Text(piece) = list.at(at)? else { return Err(Fault::overload("join", of)) };
        run.spend(1)?;
        run.spend_bytes(piece.as_str().len() + by.len())?;
        if at > 0 {
            joined.push_str(by);
        }
        joined.push_str(piece.as_str());
    }
    Ok(Value::text(joined))
}

/// As a literal of the language.
fn quote(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0b' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

fn format<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    let Value::List(values) = &of[1] else { return Err(Fault::overload("format", of)) };
    let mut characters = text(run, of, 0)?.chars();
    let mut formatted = String::new();
    let mut at = 0;
    while let Some(character) = characters.next() {
        if character != '%' {
            formatted.push(character);
            continue;
        }
        let clause = characters.next();
        if clause == Some('%') {
            formatted.push('%');
            continue;
        }
        if at >= values.len() {
            return Err(Fault::index(at));
        }
        let value = values.at(at)?;
        at += 1;
        write_clause(run, &mut formatted, clause, &value)?;
    }
    Ok(Value::text(formatted))
}

fn write_clause<'a>(
    run: &mut Run<'_, 'a>,
    formatted: &mut String,
    clause: Option<char>,
    value: &Value<'a>,
) -> Result<(), Fault> {
    let written = match (clause, value) {
        (Some('s'), value) => return show(run, formatted, value, false),
        (Some('d'), Value::Int(number)) => write!(formatted, "{number}"),
        (Some('d'), Value::Uint(number)) => write!(formatted, "{number}"),
        (Some('b'), Value::Bool(is)) => write!(formatted, "{}", u8::from(*is)),
        (Some(base @ ('b' | 'o' | 'x' | 'X')), Value::Int(number)) => {
            let sign = if *number < 0 { "-" } else { "" };
            write!(formatted, "{sign}{}", in_base(base, number.unsigned_abs()))
        }
        (Some(base @ ('b' | 'o' | 'x' | 'X')), Value::Uint(number)) => {
            write!(formatted, "{}", in_base(base, *number))
        }
        (Some(base @ ('x' | 'X')), Value::Text(text)) => {
            return hex(run, formatted, base, text.as_str().as_bytes());
        }
        (Some(base @ ('x' | 'X')), Value::Bytes(bytes)) => return hex(run, formatted, base, bytes),
        (Some(clause), value) => {
            return Err(Fault::of(format!("%{clause} is not for {}", value.type_name())));
        }
        (None, _) => return Err(Fault::of("nothing after %")),
    };
    written.map_err(|_| Fault::of("a number that cannot be written"))
}

fn in_base(base: char, number: u64) -> String {
    match base {
        'b' => format!("{number:b}"),
        'o' => format!("{number:o}"),
        'x' => format!("{number:x}"),
        _ => format!("{number:X}"),
    }
}

fn hex(run: &mut Run<'_, '_>, formatted: &mut String, base: char, bytes: &[u8]) -> Result<(), Fault> {
    run.spend_bytes(bytes.len())?;
    let write = |byte: &u8| if base == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") };
    formatted.extend(bytes.iter().map(write));
    Ok(())
}

/// A value as `%s` shows it; within a list or map, texts are quoted.
fn show<'a>(run: &mut Run<'_, 'a>, into: &mut String, value: &Value<'a>, within: bool) -> Result<(), Fault> {
    run.deeper(|run| match value {
        Value::List(list) => {
            into.push('[');
            for at in 0..list.len() {
                into.push_str(if at > 0 { ", " } else { "" });
                show(run, into, &list.at(at)?, true)?;
            }
            into.push(']');
            Ok(())
        }
        Value::Map(map) => {
            into.push('{');
            for at in 0..map.len() {
                into.push_str(if at > 0 { ", " } else { "" });
                show(run, into, &map.key(at)?, true)?;
                into.push(':');
                show(run, into, &map.value(at)?, true)?;
            }
            into.push('}');
            Ok(())
        }
        Value::Null => {
            into.push_str("null");
            Ok(())
        }
        Value::Type(name) => {
            into.push_str(name);
            Ok(())
        }
        Value::Double(number) if within => {
            let text = format!("{number:.6}");
            into.push_str(&text);
            Ok(())
        }
        value => {
            let text = convert::plain(run, value)?;
            let text = text.ok_or_else(|| Fault::of(format!("%s is not for {}", value.type_name())))?;
            let text = match value {
                Value::Text(_) if within => quote(&text),
                Value::Timestamp(_) if within => format!("timestamp({})", quote(&text)),
                Value::Duration(_) if within => format!("duration({})", quote(&text)),
                _ => text,
            };
            into.push_str(&text);
            Ok(())
        }
    })
}

/// What is wrong with a text to be formatted.
pub fn unknown_clause(text: &str) -> Option<String> {
    let mut characters = text.chars();
    while characters.find(|character| *character == '%').is_some() {
        match characters.next() {
            Some(known) if CLAUSES.contains(&known) => {}
            // They depend on a locale in Kubernetes.
            Some(unknown) => return Some(format!("%{unknown} is not supported in a format; use %s")),
            None => return Some("nothing after % in a format".to_owned()),
        }
    }
    None
}

/// A text for whoever wants one.
pub fn owned<'a>(text: &str) -> Value<'a> {
    Value::Text(Text::from(text))
}
