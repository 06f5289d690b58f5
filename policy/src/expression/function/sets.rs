//! Lists looked at as sets.

use super::Row;
use crate::expression::{
    Fault, Run,
    value::{List, Value},
};

pub const TABLE: &[Row] = &[
    (&["sets.contains(list(A), list(A)) bool"], |run, of| {
        let (one, other) = lists(of)?;
        Ok(Value::Bool(holds(run, one, other)?))
    }),
    (&["sets.equivalent(list(A), list(A)) bool"], |run, of| {
        let (one, other) = lists(of)?;
        Ok(Value::Bool(holds(run, one, other)? && holds(run, other, one)?))
    }),
    (&["sets.intersects(list(A), list(A)) bool"], |run, of| {
        let (one, other) = lists(of)?;
        for at in 0..other.len() {
            if has(run, one, &other.at(at)?)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }),
];

fn lists<'v, 'a>(of: &'v [Value<'a>]) -> Result<(&'v List<'a>, &'v List<'a>), Fault> {
    match of {
        [Value::List(one), Value::List(other)] => Ok((one, other)),
        _ => Err(Fault::overload("sets", of)),
    }
}

/// Whether every element of the other is in the one.
fn holds<'a>(run: &mut Run<'_, 'a>, one: &List<'a>, other: &List<'a>) -> Result<bool, Fault> {
    for at in 0..other.len() {
        if !has(run, one, &other.at(at)?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether an element is in a list.
pub fn has<'a>(run: &mut Run<'_, 'a>, list: &List<'a>, value: &Value<'a>) -> Result<bool, Fault> {
    for at in 0..list.len() {
        if list.at(at)?.equals(value, run)? {
            return Ok(true);
        }
    }
    Ok(false)
}
