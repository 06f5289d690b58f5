//! Optionals: what may be absent.

use super::Row;
use crate::expression::{
    Fault, Run,
    value::{List, Value},
};

pub const TABLE: &[Row] = &[
    (&["optional.of(A) optional(A)"], |_, of| Ok(Value::optional(Some(of[0].clone())))),
    (&["optional.none() optional(A)"], |_, _| Ok(Value::Optional(None))),
    (&["optional.ofNonZeroValue(A) optional(A)"], |_, of| {
        Ok(Value::optional((!is_zero(&of[0])).then(|| of[0].clone())))
    }),
    (&["optional.unwrap(list(optional(A))) list(A)"], |run, of| unwrap(run, of)),
    (&["list(optional(A)).unwrapOpt() list(A)"], |run, of| unwrap(run, of)),
    (&["optional(A).hasValue() bool"], |_, of| match &of[0] {
        Value::Optional(value) => Ok(Value::Bool(value.is_some())),
        _ => Err(Fault::overload("hasValue", of)),
    }),
    (&["optional(A).value() A"], |_, of| match &of[0] {
        Value::Optional(Some(value)) => Ok((**value).clone()),
        Value::Optional(None) => Err(Fault::of("optional.none() dereference")),
        _ => Err(Fault::overload("value", of)),
    }),
    (&["optional(A).or(optional(A)) optional(A)"], |_, of| match (&of[0], &of[1]) {
        (Value::Optional(None), other @ Value::Optional(_)) => Ok(other.clone()),
        (one @ Value::Optional(Some(_)), _) => Ok(one.clone()),
        _ => Err(Fault::overload("or", of)),
    }),
    (&["optional(A).orValue(A) A"], |_, of| match (&of[0], &of[1]) {
        (Value::Optional(Some(value)), _) => Ok((**value).clone()),
        (Value::Optional(None), other) => Ok(other.clone()),
        _ => Err(Fault::overload("orValue", of)),
    }),
];

fn unwrap<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let Value::List(list) = &of[0] else { return Err(Fault::overload("unwrap", of)) };
    run.spend(List::len(list))?;
    let mut values = Vec::new();
    for at in 0..list.len() {
        match list.at(at)? {
            Value::Optional(value) => values.extend(value.map(|value| (*value).clone())),
            other => return Err(Fault::overload("unwrap", &[other])),
        }
    }
    Ok(Value::list(values))
}

fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) | Value::Uint(0) | Value::Optional(None) => true,
        Value::Double(number) => *number == 0.0,
        Value::Text(text) => text.as_str().is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::List(list) => list.len() == 0,
        Value::Map(map) => map.len() == 0,
        Value::Duration(duration) => duration.is_zero(),
        _ => false,
    }
}
