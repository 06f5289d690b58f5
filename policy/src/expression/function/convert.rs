//! Conversions between types, and `size`.

use std::cmp::Ordering;

use super::{Row, times};
use crate::expression::{
    Fault, Run,
    value::{Value, compare_numbers},
};

type Done<'a> = Result<Value<'a>, Fault>;

pub const TABLE: &[Row] = &[
    (&["size(string) int", "size(bytes) int", "size(list(A)) int", "size(map(A, B)) int"], size),
    (&["string.size() int", "bytes.size() int", "list(A).size() int", "map(A, B).size() int"], size),
    (&["dyn(A) dyn"], |_, of| Ok(of[0].clone())),
    (&["type(A) type"], |_, of| Ok(Value::Type(of[0].type_name()))),
    (&["bool(bool) bool", "bool(string) bool"], to_bool),
    (&["int(int) int", "int(uint) int", "int(double) int", "int(string) int", "int(timestamp) int"], to_int),
    (&["uint(uint) uint", "uint(int) uint", "uint(double) uint", "uint(string) uint"], to_uint),
    (
        &["double(double) double", "double(int) double", "double(uint) double", "double(string) double"],
        to_double,
    ),
    (
        &[
            "string(string) string",
            "string(bool) string",
            "string(int) string",
            "string(uint) string",
            "string(double) string",
            "string(bytes) string",
            "string(timestamp) string",
            "string(duration) string",
        ],
        to_text,
    ),
    (&["bytes(bytes) bytes", "bytes(string) bytes"], |run, of| match &of[0] {
        bytes @ Value::Bytes(_) => Ok(bytes.clone()),
        Value::Text(text) => {
            run.spend_bytes(text.as_str().len())?;
            Ok(Value::Bytes(text.as_str().as_bytes().into()))
        }
        _ => Err(Fault::overload("bytes", of)),
    }),
    (&["duration(duration) duration", "duration(string) duration"], |_, of| match &of[0] {
        duration @ Value::Duration(_) => Ok(duration.clone()),
        Value::Text(text) => times::duration(text.as_str()).map(Value::Duration),
        _ => Err(Fault::overload("duration", of)),
    }),
    (
        &["timestamp(timestamp) timestamp", "timestamp(string) timestamp", "timestamp(int) timestamp"],
        |_, of| match &of[0] {
            time @ Value::Timestamp(_) => Ok(time.clone()),
            Value::Text(text) => times::timestamp(text.as_str()).map(Value::Timestamp),
            Value::Int(seconds) => times::at(*seconds).map(Value::Timestamp),
            _ => Err(Fault::overload("timestamp", of)),
        },
    ),
];

fn size<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    let size = match &of[0] {
        Value::Text(text) => {
            run.spend_bytes(text.as_str().len())?;
            text.as_str().chars().count()
        }
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        _ => return Err(Fault::overload("size", of)),
    };
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

fn to_bool<'a>(_: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    match &of[0] {
        is @ Value::Bool(_) => Ok(is.clone()),
        Value::Text(text) => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            text => Err(Fault::of(format!("'{text}' is neither true nor false"))),
        },
        _ => Err(Fault::overload("bool", of)),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the number was checked to be in range")]
fn to_int<'a>(_: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    let number = match &of[0] {
        Value::Int(number) => Some(*number),
        Value::Uint(number) => i64::try_from(*number).ok(),
        // Kubernetes takes neither end of the range.
        number @ Value::Double(double) => {
            let above = compare_numbers(number, &Value::Int(i64::MIN)) == Some(Ordering::Greater);
            let below = compare_numbers(number, &Value::Int(i64::MAX)) == Some(Ordering::Less);
            (above && below).then_some(*double as i64)
        }
        Value::Text(text) => whole(text.as_str()).and_then(|text| text.parse().ok()),
        Value::Timestamp(time) => Some(time.as_second()),
        _ => return Err(Fault::overload("int", of)),
    };
    number.map(Value::Int).ok_or_else(|| Fault::of("no number, or out of the range of int"))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number was checked to be in range"
)]
fn to_uint<'a>(_: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    let number = match &of[0] {
        Value::Uint(number) => Some(*number),
        Value::Int(number) => u64::try_from(*number).ok(),
        number @ Value::Double(double) => {
            let below = compare_numbers(number, &Value::Uint(u64::MAX)) == Some(Ordering::Less);
            (*double >= 0.0 && below).then_some(*double as u64)
        }
        Value::Text(text) if text.as_str().starts_with('+') => None,
        Value::Text(text) => text.as_str().parse().ok(),
        _ => return Err(Fault::overload("uint", of)),
    };
    number.map(Value::Uint).ok_or_else(|| Fault::of("no number, or out of the range of uint"))
}

#[allow(clippy::cast_precision_loss, reason = "that is what the conversion is for")]
fn to_double<'a>(_: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    match &of[0] {
        number @ Value::Double(_) => Ok(number.clone()),
        Value::Int(number) => Ok(Value::Double(*number as f64)),
        Value::Uint(number) => Ok(Value::Double(*number as f64)),
        Value::Text(text) => {
            let number = text.as_str().parse().ok().filter(|number: &f64| number.is_finite());
            number.map(Value::Double).ok_or_else(|| Fault::of(format!("'{}' is no number", text.as_str())))
        }
        _ => Err(Fault::overload("double", of)),
    }
}

fn to_text<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    if let text @ Value::Text(_) = &of[0] {
        return Ok(text.clone());
    }
    plain(run, &of[0])?.map(Value::text).ok_or_else(|| Fault::overload("string", of))
}

/// The text of a value, as `string()` makes it; `None` for a type that it takes not.
pub fn plain(run: &mut Run<'_, '_>, value: &Value<'_>) -> Result<Option<String>, Fault> {
    Ok(Some(match value {
        Value::Text(text) => {
            run.spend_bytes(text.as_str().len())?;
            text.as_str().to_owned()
        }
        Value::Bool(is) => is.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => double(*number),
        Value::Bytes(bytes) => {
            run.spend_bytes(bytes.len())?;
            let text = std::str::from_utf8(bytes);
            text.map_err(|_| Fault::of("the bytes are no text"))?.to_owned()
        }
        Value::Timestamp(time) => time.to_string(),
        Value::Duration(duration) => times::seconds(*duration),
        _ => return Ok(None),
    }))
}

/// As Go's `%g` writes it.
fn double(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{number}"),
    }
}

/// Digits with a sign or without, as Go reads an integer.
fn whole(text: &str) -> Option<&str> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}
