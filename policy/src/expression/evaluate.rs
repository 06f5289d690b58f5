//! Evaluates a checked expression, as Kubernetes does: what fails may be outweighed by the other side of `||` and `&&`,
//! and optionals go on where there is nothing. Recursive: the check bounds how deep an expression is.

use super::{
    Fault, Run, function, loops,
    tree::{Entry, Tree},
    value::{List, Map, Value},
};

/// Most values that a function is called with.
pub const MAX_ARGUMENTS: usize = 4;

impl<'a> Run<'_, 'a> {
    /// What a node comes to.
    pub fn value(&mut self, tree: &Tree) -> Result<Value<'a>, Fault> {
        self.spend(1)?;
        match tree {
            Tree::Literal(literal) => Ok(literal.value()),
            Tree::Variable(variable) => self.subject.variable(*variable),
            Tree::Local(at) => self.locals.get(*at).cloned().ok_or_else(|| Fault::index(at)),
            Tree::Select(of, field) => {
                let of = self.value(of)?;
                select(&of, field)
            }
            Tree::SelectOptional(of, field) => {
                let of = self.value(of)?;
                let Some(of) = present(&of) else { return Ok(Value::Optional(None)) };
                Ok(Value::optional(fields(of, field)?.field(field)?))
            }
            Tree::Has(of, field) => {
                let of = self.value(of)?;
                let Some(of) = present(&of) else { return Ok(Value::Bool(false)) };
                Ok(Value::Bool(fields(of, field)?.field(field)?.is_some()))
            }
            Tree::Index(of) => {
                let (of, at) = (self.value(&of[0])?, self.value(&of[1])?);
                if let Value::Optional(_) = of {
                    return index_optional(&of, &at);
                }
                index(&of, &at)?.ok_or_else(|| missing(&at))
            }
            Tree::IndexOptional(of) => {
                let (of, at) = (self.value(&of[0])?, self.value(&of[1])?);
                index_optional(&of, &at)
            }
            Tree::And(terms) => self.logic(terms, false),
            Tree::Or(terms) => self.logic(terms, true),
            Tree::Choose(of) => match self.value(&of[0])? {
                Value::Bool(true) => self.value(&of[1]),
                Value::Bool(false) => self.value(&of[2]),
                other => Err(Fault::overload("?:", &[other])),
            },
            Tree::List(entries) => self.list(entries),
            Tree::Map(entries) => self.map(entries),
            Tree::Call(body, arguments) => self.call(*body, arguments),
            Tree::Pattern(name, pattern, arguments) => self.pattern(name, pattern, arguments),
            Tree::Loop(of) => loops::evaluate(self, of),
        }
    }

    /// `decides` settles it, wherever it stands; else what failed first.
    fn logic(&mut self, terms: &[Tree], decides: bool) -> Result<Value<'a>, Fault> {
        let mut failed = None;
        for term in terms {
            match self.value(term) {
                Ok(Value::Bool(is)) if is == decides => return Ok(Value::Bool(decides)),
                Ok(Value::Bool(_)) => {}
                Err(Fault::Cost) => return Err(Fault::Cost),
                Ok(other) => failed = failed.or_else(|| Some(Fault::overload("logical operator", &[other]))),
                Err(fault) => failed = failed.or(Some(fault)),
            }
        }
        failed.map_or(Ok(Value::Bool(!decides)), Err)
    }

    #[inline(never)]
    fn list(&mut self, entries: &[Entry<Tree>]) -> Result<Value<'a>, Fault> {
        let mut list = Vec::with_capacity(entries.len());
        for Entry { of, optional } in entries {
            match (self.value(of)?, *optional) {
                (value, false) => list.push(value),
                (Value::Optional(value), true) => list.extend(value.map(|value| (*value).clone())),
                (other, true) => return Err(Fault::overload("[?]", &[other])),
            }
        }
        Ok(Value::list(list))
    }

    #[inline(never)]
    fn map(&mut self, entries: &[Entry<(Tree, Tree)>]) -> Result<Value<'a>, Fault> {
        let mut map = Vec::with_capacity(entries.len());
        for Entry { of: (key, value), optional } in entries {
            let key = self.value(key)?;
            match (self.value(value)?, *optional) {
                (value, false) => map.push((key, value)),
                (Value::Optional(value), true) => map.extend(value.map(|value| (key, (*value).clone()))),
                (other, true) => return Err(Fault::overload("{?:}", &[other])),
            }
        }
        Ok(Value::Map(Map::built(map)?))
    }

    #[inline(never)]
    fn call(&mut self, body: super::tree::Body, arguments: &[Tree]) -> Result<Value<'a>, Fault> {
        let mut values = [const { Value::Null }; MAX_ARGUMENTS];
        for (value, argument) in values.iter_mut().zip(arguments) {
            *value = self.value(argument)?;
        }
        body(self, &values[..arguments.len().min(MAX_ARGUMENTS)])
    }

    #[inline(never)]
    fn pattern(
        &mut self,
        name: &str,
        pattern: &regex::Regex,
        arguments: &[Tree],
    ) -> Result<Value<'a>, Fault> {
        let mut values = [const { Value::Null }; MAX_ARGUMENTS];
        for (value, argument) in values.iter_mut().zip(arguments) {
            *value = self.value(argument)?;
        }
        function::patterns::search(self, name, pattern, &values[..arguments.len().min(MAX_ARGUMENTS)])
    }
}

/// What is in an optional, or the value itself.
fn present<'v, 'a>(value: &'v Value<'a>) -> Option<&'v Value<'a>> {
    match value {
        Value::Optional(value) => value.as_deref(),
        value => Some(value),
    }
}

fn fields<'v, 'a>(value: &'v Value<'a>, field: &str) -> Result<&'v Map<'a>, Fault> {
    match value {
        Value::Map(map) => Ok(map),
        other => Err(Fault::of(format!("{} has no fields: no such key: {field}", other.type_name()))),
    }
}

/// A field that must be there; of an optional, one that may be.
fn select<'a>(of: &Value<'a>, field: &str) -> Result<Value<'a>, Fault> {
    match of {
        Value::Optional(None) => Ok(Value::Optional(None)),
        Value::Optional(Some(of)) => Ok(Value::optional(fields(of, field)?.field(field)?)),
        of => fields(of, field)?.field(field)?.ok_or_else(|| Fault::of(format!("no such key: {field}"))),
    }
}

fn index_optional<'a>(of: &Value<'a>, at: &Value<'a>) -> Result<Value<'a>, Fault> {
    let Some(of) = present(of) else { return Ok(Value::Optional(None)) };
    index(of, at).map(Value::optional)
}

/// The element or entry there, if there is one.
fn index<'a>(of: &Value<'a>, at: &Value<'a>) -> Result<Option<Value<'a>>, Fault> {
    match (of, at) {
        (
            Value::Map(map),
            Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Text(_),
        ) => map.get(at),
        (Value::List(list), Value::Int(_) | Value::Uint(_) | Value::Double(_)) => element(list, at),
        _ => Err(Fault::overload("[]", &[of.clone(), at.clone()])),
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a double that is no whole number of that size was sorted out"
)]
fn element<'a>(list: &List<'a>, at: &Value<'a>) -> Result<Option<Value<'a>>, Fault> {
    let place = match at {
        Value::Int(at) => usize::try_from(*at).ok(),
        Value::Uint(at) => usize::try_from(*at).ok(),
        Value::Double(at) if at.fract() == 0.0 && at.abs() < 1e15 => usize::try_from(*at as i64).ok(),
        _ => return Err(Fault::overload("[]", &[Value::List(list.clone()), at.clone()])),
    };
    place.filter(|place| *place < list.len()).map(|place| list.at(place)).transpose()
}

fn missing(at: &Value<'_>) -> Fault {
    match at {
        Value::Text(key) => Fault::of(format!("no such key: {}", key.as_str())),
        Value::Int(at) => Fault::of(format!("index out of bounds or no such key: {at}")),
        _ => Fault::of("no such key"),
    }
}
