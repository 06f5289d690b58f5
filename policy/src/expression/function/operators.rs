//! Operators: arithmetic that overflows is an error, comparison of numbers whatever their types, `in`.

use std::cmp::Ordering;

use super::Row;
use crate::expression::{
    Fault, Run,
    value::{Value, compare_numbers},
};

type Done<'a> = Result<Value<'a>, Fault>;

/// What has an order.
macro_rules! ordered {
    ($name:literal) => {
        &[
            concat!($name, "(bool, bool) bool"),
            concat!($name, "(int, int) bool"),
            concat!($name, "(int, uint) bool"),
            concat!($name, "(int, double) bool"),
            concat!($name, "(uint, uint) bool"),
            concat!($name, "(uint, int) bool"),
            concat!($name, "(uint, double) bool"),
            concat!($name, "(double, double) bool"),
            concat!($name, "(double, int) bool"),
            concat!($name, "(double, uint) bool"),
            concat!($name, "(string, string) bool"),
            concat!($name, "(bytes, bytes) bool"),
            concat!($name, "(duration, duration) bool"),
            concat!($name, "(timestamp, timestamp) bool"),
        ]
    };
}

pub const TABLE: &[Row] = &[
    (
        &[
            "_+_(int, int) int",
            "_+_(uint, uint) uint",
            "_+_(double, double) double",
            "_+_(string, string) string",
            "_+_(bytes, bytes) bytes",
            "_+_(list(A), list(A)) list(A)",
            "_+_(duration, duration) duration",
            "_+_(timestamp, duration) timestamp",
            "_+_(duration, timestamp) timestamp",
        ],
        add,
    ),
    (
        &[
            "_-_(int, int) int",
            "_-_(uint, uint) uint",
            "_-_(double, double) double",
            "_-_(duration, duration) duration",
            "_-_(timestamp, duration) timestamp",
            "_-_(timestamp, timestamp) duration",
        ],
        subtract,
    ),
    (&["_*_(int, int) int", "_*_(uint, uint) uint", "_*_(double, double) double"], multiply),
    (&["_/_(int, int) int", "_/_(uint, uint) uint", "_/_(double, double) double"], divide),
    (&["_%_(int, int) int", "_%_(uint, uint) uint"], remainder),
    (&["-_(int) int", "-_(double) double"], negate),
    (&["!_(bool) bool"], not),
    (&["_==_(A, A) bool"], |run, of| Ok(Value::Bool(of[0].equals(&of[1], run)?))),
    (&["_!=_(A, A) bool"], |run, of| Ok(Value::Bool(!of[0].equals(&of[1], run)?))),
    (ordered!("_<_"), |run, of| order(run, "<", of, Ordering::is_lt)),
    (ordered!("_<=_"), |run, of| order(run, "<=", of, Ordering::is_le)),
    (ordered!("_>_"), |run, of| order(run, ">", of, Ordering::is_gt)),
    (ordered!("_>=_"), |run, of| order(run, ">=", of, Ordering::is_ge)),
    (&["@in(A, list(A)) bool", "@in(A, map(A, B)) bool"], within),
];

/// A number that fits, or what overflowed.
fn fits<'a, T>(number: Option<T>, value: impl FnOnce(T) -> Value<'a>, what: &'static str) -> Done<'a> {
    number.map(value).ok_or_else(|| Fault::of(format!("{what} overflow")))
}

/// `+`
pub fn add<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    match (&of[0], &of[1]) {
        (Value::Int(one), Value::Int(other)) => fits(one.checked_add(*other), Value::Int, "integer"),
        (Value::Uint(one), Value::Uint(other)) => {
            fits(one.checked_add(*other), Value::Uint, "unsigned integer")
        }
        (Value::Double(one), Value::Double(other)) => Ok(Value::Double(one + other)),
        (Value::Text(one), Value::Text(other)) => {
            let (one, other) = (one.as_str(), other.as_str());
            run.spend_bytes(one.len() + other.len())?;
            Ok(Value::text(format!("{one}{other}")))
        }
        (Value::Bytes(one), Value::Bytes(other)) => {
            run.spend_bytes(one.len() + other.len())?;
            Ok(Value::Bytes([&**one, &**other].concat().into()))
        }
        (Value::List(one), Value::List(other)) => {
            run.spend(one.len() + other.len())?;
            let elements = (0..one.len()).map(|at| one.at(at)).chain((0..other.len()).map(|at| other.at(at)));
            Ok(Value::list(elements.collect::<Result<_, _>>()?))
        }
        (Value::Duration(one), Value::Duration(other)) => {
            fits(one.checked_add(*other), Value::Duration, "duration")
        }
        (Value::Timestamp(time), Value::Duration(by)) | (Value::Duration(by), Value::Timestamp(time)) => {
            fits(time.checked_add(*by).ok(), Value::Timestamp, "timestamp")
        }
        _ => Err(Fault::overload("+", of)),
    }
}

fn subtract<'a>(_: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    match (&of[0], &of[1]) {
        (Value::Int(one), Value::Int(other)) => fits(one.checked_sub(*other), Value::Int, "integer"),
        (Value::Uint(one), Value::Uint(other)) => {
            fits(one.checked_sub(*other), Value::Uint, "unsigned integer")
        }
        (Value::Double(one), Value::Double(other)) => Ok(Value::Double(one - other)),
        (Value::Duration(one), Value::Duration(other)) => {
            fits(one.checked_sub(*other), Value::Duration, "duration")
        }
        (Value::Timestamp(time), Value::Duration(by)) => {
            fits(time.checked_sub(*by).ok(), Value::Timestamp, "timestamp")
        }
        (Value::Timestamp(one), Value::Timestamp(other)) => Ok(Value::Duration(one.duration_since(*other))),
        _ => Err(Fault::overload("-", of)),
    }
}

fn multiply<'a>(_: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    match (&of[0], &of[1]) {
        (Value::Int(one), Value::Int(other)) => fits(one.checked_mul(*other), Value::Int, "integer"),
        (Value::Uint(one), Value::Uint(other)) => {
            fits(one.checked_mul(*other), Value::Uint, "unsigned integer")
        }
        (Value::Double(one), Value::Double(other)) => Ok(Value::Double(one * other)),
        _ => Err(Fault::overload("*", of)),
    }
}

fn divide<'a>(_: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    match (&of[0], &of[1]) {
        (Value::Int(_), Value::Int(0)) | (Value::Uint(_), Value::Uint(0)) => {
            Err(Fault::of("division by zero"))
        }
        (Value::Int(one), Value::Int(other)) => fits(one.checked_div(*other), Value::Int, "integer"),
        (Value::Uint(one), Value::Uint(other)) => Ok(Value::Uint(one / other)),
        (Value::Double(one), Value::Double(other)) => Ok(Value::Double(one / other)),
        _ => Err(Fault::overload("/", of)),
    }
}

fn remainder<'a>(_: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    match (&of[0], &of[1]) {
        (Value::Int(_), Value::Int(0)) | (Value::Uint(_), Value::Uint(0)) => {
            Err(Fault::of("modulus by zero"))
        }
        (Value::Int(one), Value::Int(other)) => fits(one.checked_rem(*other), Value::Int, "integer"),
        (Value::Uint(one), Value::Uint(other)) => Ok(Value::Uint(one % other)),
        _ => Err(Fault::overload("%", of)),
    }
}

fn negate<'a>(_: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    match &of[0] {
        Value::Int(number) => fits(number.checked_neg(), Value::Int, "integer"),
        Value::Double(number) => Ok(Value::Double(-number)),
        _ => Err(Fault::overload("-", of)),
    }
}

fn not<'a>(_: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    match &of[0] {
        Value::Bool(is) => Ok(Value::Bool(!is)),
        _ => Err(Fault::overload("!", of)),
    }
}

fn order<'a>(run: &mut Run<'_, 'a>, name: &str, of: &[Value<'a>], is: fn(Ordering) -> bool) -> Done<'a> {
    match compare(run, &of[0], &of[1])? {
        Some(ordering) => Ok(Value::Bool(is(ordering))),
        None if of.iter().all(|value| matches!(value, Value::Int(_) | Value::Uint(_) | Value::Double(_))) => {
            Ok(Value::Bool(false))
        }
        None => Err(Fault::overload(name, of)),
    }
}

/// How two values compare; `None` where they do not.
pub fn compare<'a>(
    run: &mut Run<'_, 'a>,
    one: &Value<'a>,
    other: &Value<'a>,
) -> Result<Option<Ordering>, Fault> {
    Ok(match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
        (Value::Text(one), Value::Text(other)) => {
            run.spend_bytes(one.as_str().len().min(other.as_str().len()))?;
            Some(one.as_str().cmp(other.as_str()))
        }
        (Value::Bytes(one), Value::Bytes(other)) => {
            run.spend_bytes(one.len().min(other.len()))?;
            Some(one.cmp(other))
        }
        (Value::Duration(one), Value::Duration(other)) => Some(one.cmp(other)),
        (Value::Timestamp(one), Value::Timestamp(other)) => Some(one.cmp(other)),
        (one, other) => compare_numbers(one, other),
    })
}

fn within<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    match &of[1] {
        Value::List(list) => {
            for at in 0..list.len() {
                if list.at(at)?.equals(&of[0], run)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        Value::Map(map) => Ok(Value::Bool(map.get(&of[0])?.is_some())),
        _ => Err(Fault::overload("in", of)),
    }
}
