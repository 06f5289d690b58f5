//! Functions of lists, and looking for a text in a text: `indexOf` is one name for both.

use std::cmp::Ordering;

use super::{Row, operators, sets, strings};
use crate::expression::{
    Fault, Run,
    value::{List, Value},
};

type Done<'a> = Result<Value<'a>, Fault>;

/// Longest list that `lists.range` makes.
const MAX_RANGE: usize = 100_000;

pub const TABLE: &[Row] = &[
    (
        &["string.indexOf(string) int", "string.indexOf(string, int) int", "list(A).indexOf(A) int"],
        |run, of| match &of[0] {
            Value::List(list) => found(run, list, &of[1], &mut (0..list.len())),
            _ => index_of(run, of),
        },
    ),
    (
        &[
            "string.lastIndexOf(string) int",
            "string.lastIndexOf(string, int) int",
            "list(A).lastIndexOf(A) int",
        ],
        |run, of| match &of[0] {
            Value::List(list) => found(run, list, &of[1], &mut (0..list.len()).rev()),
            _ => last_index_of(run, of),
        },
    ),
    (&["list(A).isSorted() bool"], |run, of| {
        let list = values(run, of)?;
        for pair in list.windows(2) {
            if compared(run, &pair[0], &pair[1])?.is_gt() {
                return Ok(Value::Bool(false));
            }
        }
        Ok(Value::Bool(true))
    }),
    (
        &[
            "list(int).sum() int",
            "list(uint).sum() uint",
            "list(double).sum() double",
            "list(duration).sum() duration",
        ],
        sum,
    ),
    (&["list(A).min() A"], |run, of| extreme(run, of, Ordering::Less)),
    (&["list(A).max() A"], |run, of| extreme(run, of, Ordering::Greater)),
    (&["list(A).first() optional(A)"], |run, of| Ok(Value::optional(values(run, of)?.into_iter().next()))),
    (&["list(A).last() optional(A)"], |run, of| {
        Ok(Value::optional(values(run, of)?.into_iter().next_back()))
    }),
    (&["list(A).reverse() list(A)"], |run, of| Ok(Value::list(values(run, of)?.into_iter().rev().collect()))),
    (&["list(A).sort() list(A)"], |run, of| {
        let list = values(run, of)?;
        let keys = list.clone();
        sorted_by(run, list, &keys)
    }),
    (&["list(A).distinct() list(A)"], |run, of| {
        let mut kept = Vec::new();
        for value in values(run, of)? {
            let seen = List::Built(kept.into());
            if sets::has(run, &seen, &value)? {
                kept = of_built(seen);
            } else {
                kept = of_built(seen);
                kept.push(value);
            }
        }
        Ok(Value::list(kept))
    }),
    (&["list(A).slice(int, int) list(A)"], |run, of| {
        let (from, to) = (strings::place(of, 1)?, strings::place(of, 2)?);
        let list = values(run, of)?;
        let slice = list.get(from..to).ok_or_else(|| Fault::of(format!("cannot slice({from}, {to})")))?;
        Ok(Value::list(slice.to_vec()))
    }),
    (&["list(list(A)).flatten() list(A)", "list(dyn).flatten(int) list(dyn)"], |run, of| {
        let levels = if of.len() > 1 { strings::place(of, 1)? } else { 1 };
        let (list, mut flat) = (values(run, of)?, Vec::new());
        flatten(run, list, levels, &mut flat)?;
        Ok(Value::list(flat))
    }),
    (&["lists.range(int) list(int)"], |run, of| {
        let length = strings::place(of, 0)?;
        if length > MAX_RANGE {
            return Err(Fault::Cost);
        }
        run.spend(length)?;
        Ok(Value::list((0_i64..).take(length).map(Value::Int).collect()))
    }),
];

/// The elements, paid for.
fn values<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Result<Vec<Value<'a>>, Fault> {
    let Value::List(list) = &of[0] else { return Err(Fault::overload("a function of lists", of)) };
    run.spend(list.len())?;
    (0..list.len()).map(|at| list.at(at)).collect()
}

fn of_built(list: List<'_>) -> Vec<Value<'_>> {
    match list {
        List::Built(values) => std::rc::Rc::unwrap_or_clone(values),
        List::Json(_) => Vec::new(),
    }
}

fn compared<'a>(run: &mut Run<'_, 'a>, one: &Value<'a>, other: &Value<'a>) -> Result<Ordering, Fault> {
    run.spend(1)?;
    operators::compare(run, one, other)?
        .ok_or_else(|| Fault::overload("comparison", &[one.clone(), other.clone()]))
}

fn found<'a>(
    run: &mut Run<'_, 'a>,
    list: &List<'a>,
    value: &Value<'a>,
    places: &mut dyn Iterator<Item = usize>,
) -> Done<'a> {
    for at in places {
        if list.at(at)?.equals(value, run)? {
            return Ok(Value::Int(i64::try_from(at).unwrap_or(i64::MAX)));
        }
    }
    Ok(Value::Int(-1))
}

/// Characters before a byte of a text.
fn characters<'a>(text: &str, byte: Option<usize>) -> Value<'a> {
    let count = byte.and_then(|byte| i64::try_from(text.get(..byte)?.chars().count()).ok());
    Value::Int(count.unwrap_or(-1))
}

/// Where a character begins; behind the last: the end.
fn byte(text: &str, character: usize) -> usize {
    text.char_indices().nth(character).map_or(text.len(), |(byte, _)| byte)
}

fn index_of<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    let (text, part) = (strings::text(run, of, 0)?, strings::text(run, of, 1)?);
    let from = if of.len() > 2 { byte(text, strings::place(of, 2)?) } else { 0 };
    Ok(characters(text, text[from..].find(part).map(|at| from + at)))
}

fn last_index_of<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    let (text, part) = (strings::text(run, of, 0)?, strings::text(run, of, 1)?);
    if of.len() < 3 {
        return Ok(characters(text, text.rfind(part)));
    }
    let from = strings::place(of, 2)?;
    if !part.is_empty() && from >= text.chars().count() {
        return Ok(Value::Int(-1));
    }
    // What begins at that place or before it: no more than the part's length behind it.
    let end = byte(text, from.saturating_add(part.chars().count()));
    Ok(characters(text, text[..end].rfind(part)))
}

fn sum<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Done<'a> {
    let mut list = values(run, of)?.into_iter();
    let Some(mut sum) = list.next() else { return Ok(Value::Int(0)) };
    if !matches!(sum, Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Duration(_)) {
        return Err(Fault::overload("sum", &[sum]));
    }
    for value in list {
        sum = operators::add(run, &[sum, value])?;
    }
    Ok(sum)
}

fn extreme<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>], wanted: Ordering) -> Done<'a> {
    let mut list = values(run, of)?.into_iter();
    let Some(mut extreme) = list.next() else { return Err(Fault::of("min and max need an element")) };
    for value in list {
        if compared(run, &value, &extreme)? == wanted {
            extreme = value;
        }
    }
    Ok(extreme)
}

fn flatten<'a>(
    run: &mut Run<'_, 'a>,
    list: Vec<Value<'a>>,
    levels: usize,
    flat: &mut Vec<Value<'a>>,
) -> Result<(), Fault> {
    run.deeper(|run| {
        for value in list {
            run.spend(1)?;
            match value {
                Value::List(_) if levels > 0 => {
                    let nested = values(run, &[value])?;
                    flatten(run, nested, levels - 1, flat)?;
                }
                value => flat.push(value),
            }
        }
        Ok(())
    })
}

/// A list in the order of its keys, which must all be of one type that has an order.
pub fn sorted_by<'a>(run: &mut Run<'_, 'a>, list: Vec<Value<'a>>, keys: &[Value<'a>]) -> Done<'a> {
    let Some(first) = keys.first() else { return Ok(Value::list(list)) };
    let rounds = usize::try_from(keys.len().ilog2()).unwrap_or(usize::MAX) + 1;
    for key in keys {
        let bytes = match key {
            Value::Text(text) => text.as_str().len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        run.spend(rounds)?;
        run.spend_bytes(bytes.saturating_mul(rounds))?;
        // Each has an order with itself, but for what is not a number.
        if key.type_name() != first.type_name() || compared(run, key, key).is_err() {
            return Err(Fault::overload("sort", &[first.clone(), key.clone()]));
        }
    }
    let mut order = (0..list.len()).collect::<Vec<_>>();
    let mut fault = None;
    order.sort_by(|one, other| {
        compared(run, &keys[*one], &keys[*other]).unwrap_or_else(|error| {
            fault = Some(error);
            Ordering::Equal
        })
    });
    match fault {
        Some(fault) => Err(fault),
        None => Ok(Value::list(order.into_iter().filter_map(|at| list.get(at).cloned()).collect())),
    }
}
