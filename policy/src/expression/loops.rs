//! Evaluates the macros: what goes through a list, a map or an optional.

use std::rc::Rc;

use super::{
    Fault, Run,
    function::lists,
    tree::{Loop, Macro, Tree},
    value::{List, Map, Value},
};

/// What a macro comes to.
pub fn evaluate<'a>(run: &mut Run<'_, 'a>, of: &Loop) -> Result<Value<'a>, Fault> {
    let range = run.value(&of.range)?;
    let depth = run.locals.len();
    let value = match (of.macro_, range) {
        (Macro::OptionalMap | Macro::OptionalFlatMap, range) => optional(run, of, &range),
        (macro_, Value::List(list)) => over(run, of, macro_, list.len(), &|at| {
            Ok((Value::Int(i64::try_from(at).unwrap_or(i64::MAX)), list.at(at)?))
        }),
        (macro_, Value::Map(map)) if of.two => {
            over(run, of, macro_, map.len(), &|at| Ok((map.key(at)?, map.value(at)?)))
        }
        (macro_, Value::Map(map)) => over(run, of, macro_, map.len(), &|at| Ok((Value::Null, map.key(at)?))),
        (macro_, other) => Err(Fault::overload(&macro_.to_string(), &[other])),
    };
    run.locals.truncate(depth);
    value
}

fn optional<'a>(run: &mut Run<'_, 'a>, of: &Loop, range: &Value<'a>) -> Result<Value<'a>, Fault> {
    let value = match range {
        Value::Optional(None) => return Ok(Value::Optional(None)),
        Value::Optional(Some(value)) => (**value).clone(),
        other => return Err(Fault::overload(&of.macro_.to_string(), std::slice::from_ref(other))),
    };
    run.locals.push(value);
    match (of.macro_, run.value(&of.body)?) {
        (Macro::OptionalMap, value) => Ok(Value::optional(Some(value))),
        (_, value @ Value::Optional(_)) => Ok(value),
        (_, other) => Err(Fault::overload("optFlatMap", &[other])),
    }
}

/// The number or key, and the element or value, of each.
type Each<'e, 'a> = &'e dyn Fn(usize) -> Result<(Value<'a>, Value<'a>), Fault>;

fn over<'a>(
    run: &mut Run<'_, 'a>,
    of: &Loop,
    macro_: Macro,
    length: usize,
    each: Each<'_, 'a>,
) -> Result<Value<'a>, Fault> {
    let mut kept = Kept::default();
    let depth = run.locals.len();
    for at in 0..length {
        run.spend(1)?;
        run.locals.truncate(depth);
        let (first, second) = each(at)?;
        if of.two {
            run.locals.push(first.clone());
        }
        run.locals.push(second.clone());
        if let Some(filter) = &of.filter
            && !is(run, filter, macro_)?
        {
            continue;
        }
        match macro_ {
            Macro::All | Macro::Exists => {
                let decides = macro_ == Macro::Exists;
                match run.value(&of.body) {
                    Ok(Value::Bool(is)) if is == decides => return Ok(Value::Bool(decides)),
                    Ok(Value::Bool(_)) => {}
                    Err(Fault::Cost) => return Err(Fault::Cost),
                    Ok(other) => kept.fail(Fault::overload(&macro_.to_string(), &[other])),
                    Err(fault) => kept.fail(fault),
                }
            }
            Macro::ExistsOne => kept.count += usize::from(is(run, &of.body, macro_)?),
            Macro::Filter => {
                if is(run, &of.body, macro_)? {
                    kept.list.push(second);
                }
            }
            Macro::TransformMap => {
                let value = run.value(&of.body)?;
                kept.entries.push((first, value));
            }
            Macro::TransformMapEntry => match run.value(&of.body)? {
                Value::Map(map) => {
                    run.spend(map.len())?;
                    for at in 0..map.len() {
                        kept.entries.push((map.key(at)?, map.value(at)?));
                    }
                }
                other => return Err(Fault::overload("transformMapEntry", &[other])),
            },
            Macro::SortBy => {
                let key = run.value(&of.body)?;
                kept.list.push(second);
                kept.keys.push(key);
            }
            Macro::Map | Macro::OptionalMap | Macro::OptionalFlatMap => kept.list.push(run.value(&of.body)?),
        }
    }
    kept.end(run, macro_)
}

/// What a macro has kept so far.
#[derive(Default)]
struct Kept<'a> {
    list: Vec<Value<'a>>,
    keys: Vec<Value<'a>>,
    entries: Vec<(Value<'a>, Value<'a>)>,
    count: usize,
    failed: Option<Fault>,
}

impl<'a> Kept<'a> {
    fn fail(&mut self, fault: Fault) {
        self.failed.get_or_insert(fault);
    }

    fn end(self, run: &mut Run<'_, 'a>, macro_: Macro) -> Result<Value<'a>, Fault> {
        match macro_ {
            Macro::All | Macro::Exists => self.failed.map_or(Ok(Value::Bool(macro_ == Macro::All)), Err),
            Macro::ExistsOne => Ok(Value::Bool(self.count == 1)),
            Macro::TransformMap | Macro::TransformMapEntry => Ok(Value::Map(Map::built(self.entries)?)),
            Macro::SortBy => lists::sorted_by(run, self.list, &self.keys),
            _ => Ok(Value::List(List::Built(Rc::new(self.list)))),
        }
    }
}

/// A condition that must come to `true` or `false`.
fn is(run: &mut Run<'_, '_>, condition: &Tree, macro_: Macro) -> Result<bool, Fault> {
    match run.value(condition)? {
        Value::Bool(is) => Ok(is),
        other => Err(Fault::overload(&macro_.to_string(), &[other])),
    }
}
