//! Points in time and durations: what Go writes and RFC 3339.

use jiff::{SignedDuration, Timestamp, Zoned, tz::TimeZone};

use super::Row;
use crate::expression::{Fault, value::Value};

type Done<'a> = Result<Value<'a>, Fault>;

/// Units of a duration, in nanoseconds.
const UNITS: [(&str, f64); 7] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

pub const TABLE: &[Row] = &[
    (&["timestamp.getFullYear() int", "timestamp.getFullYear(string) int"], |_, of| {
        field(of, |time| i64::from(time.year()))
    }),
    (&["timestamp.getMonth() int", "timestamp.getMonth(string) int"], |_, of| {
        field(of, |time| i64::from(time.month()) - 1)
    }),
    (&["timestamp.getDate() int", "timestamp.getDate(string) int"], |_, of| {
        field(of, |time| i64::from(time.day()))
    }),
    (&["timestamp.getDayOfMonth() int", "timestamp.getDayOfMonth(string) int"], |_, of| {
        field(of, |time| i64::from(time.day()) - 1)
    }),
    (&["timestamp.getDayOfWeek() int", "timestamp.getDayOfWeek(string) int"], |_, of| {
        field(of, |time| i64::from(time.weekday().to_sunday_zero_offset()))
    }),
    (&["timestamp.getDayOfYear() int", "timestamp.getDayOfYear(string) int"], |_, of| {
        field(of, |time| i64::from(time.day_of_year()) - 1)
    }),
    (&["timestamp.getHours() int", "timestamp.getHours(string) int", "duration.getHours() int"], |_, of| {
        part(of, 3600, |time| i64::from(time.hour()))
    }),
    (
        &["timestamp.getMinutes() int", "timestamp.getMinutes(string) int", "duration.getMinutes() int"],
        |_, of| part(of, 60, |time| i64::from(time.minute())),
    ),
    (
        &["timestamp.getSeconds() int", "timestamp.getSeconds(string) int", "duration.getSeconds() int"],
        |_, of| part(of, 1, |time| i64::from(time.second())),
    ),
];

/// A field of a point in time, in a time zone or in UTC.
fn field<'a>(of: &[Value<'a>], field: impl Fn(&Zoned) -> i64) -> Done<'a> {
    let zone = match of.get(1) {
        None => TimeZone::UTC,
        Some(Value::Text(name)) => {
            let name = name.as_str();
            TimeZone::get(name).map_err(|_| Fault::of(format!("'{name:.64}' is no time zone")))?
        }
        Some(_) => return Err(Fault::overload("a function of times", of)),
    };
    match &of[0] {
        Value::Timestamp(time) => Ok(Value::Int(field(&time.to_zoned(zone)))),
        _ => Err(Fault::overload("a function of times", of)),
    }
}

/// The same, or a duration in that unit.
fn part<'a>(of: &[Value<'a>], unit: i64, of_time: impl Fn(&Zoned) -> i64) -> Done<'a> {
    match of {
        [Value::Duration(duration)] => Ok(Value::Int(duration.as_secs() / unit)),
        _ => field(of, of_time),
    }
}

/// `1h30m`, as Go reads it.
pub fn duration(text: &str) -> Result<SignedDuration, Fault> {
    read(text).ok_or_else(|| Fault::of(format!("'{text:.64}' is no duration: write 90s or 1h30m")))
}

#[allow(clippy::cast_possible_truncation, reason = "the number was checked to be in range")]
fn read(text: &str) -> Option<SignedDuration> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut nanos = 0.0;
    let mut rest = unsigned;
    loop {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let number = rest.get(..digits)?.parse::<f64>().ok()?;
        rest = rest.get(digits..)?;
        let end = rest.find(|character: char| character.is_ascii_digit() || character == '.');
        let (unit, behind) = rest.split_at(end.unwrap_or(rest.len()));
        nanos += number * UNITS.iter().find(|(known, _)| *known == unit)?.1;
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    // What Go can hold.
    let nanos = (nanos < 9.2e18).then_some(nanos.round() as i64)?;
    let duration = SignedDuration::from_nanos(nanos);
    Some(if text.starts_with('-') { -duration } else { duration })
}

/// RFC 3339.
pub fn timestamp(text: &str) -> Result<Timestamp, Fault> {
    let wrong = || Fault::of(format!("'{text:.64}' is no time: write 2026-11-30T12:00:00Z"));
    let shaped = text.len() >= 20 && text.as_bytes()[10] == b'T' && text.is_ascii() && !text.contains('[');
    if shaped { text.parse().map_err(|_| wrong()) } else { Err(wrong()) }
}

/// Seconds since 1970.
pub fn at(seconds: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_second(seconds).map_err(|_| Fault::of("timestamp overflow"))
}

/// A duration as `string()` writes it: `5400s`, `0.5s`.
pub fn seconds(duration: SignedDuration) -> String {
    format!("{}s", duration.as_secs_f64())
}
