//! JSON that expressions look at: as text, read as far as they look, or as a value that was read before. What was
//! read once is kept, for the other expressions that look at the same object.

use std::{borrow::Cow, cell::OnceCell, rc::Rc};

use super::{
    Fault, scan,
    value::{List, Map, Text, Value},
};

/// JSON.
#[derive(Clone, Copy, Debug)]
pub enum Json<'a> {
    /// The text of an object, checked to be JSON.
    Text(&'a str),
    /// A value.
    Value(&'a serde_json::Value),
}

/// Some JSON, read when it is first looked at, and then one level deep.
#[derive(Debug)]
pub struct Node<'a> {
    json: Json<'a>,
    read: OnceCell<Option<Value<'a>>>,
}

/// Members of an object, in the order of their names.
pub type Members<'a> = Vec<(Cow<'a, str>, Node<'a>)>;

impl<'a> Node<'a> {
    /// JSON that nobody has looked at.
    pub const fn new(json: Json<'a>) -> Self {
        Self { json, read: OnceCell::new() }
    }

    /// What it is.
    pub fn value(&self) -> Result<Value<'a>, Fault> {
        let read = self.read.get_or_init(|| match self.json {
            Json::Text(text) => of_text(text.trim_ascii()),
            Json::Value(value) => Some(of_value(value)),
        });
        read.clone().ok_or_else(|| Fault::of("the object is not JSON"))
    }
}

fn of_text(text: &str) -> Option<Value<'_>> {
    Some(match text.as_bytes().first()? {
        b'{' => {
            let members = scan::members(text)?.into_iter();
            let members = members.map(|(name, value)| Some((unquoted(name)?, Node::new(Json::Text(value)))));
            Value::Map(Map::Json(ordered(members.collect::<Option<_>>()?)))
        }
        b'[' => {
            let elements = scan::elements(text)?.into_iter();
            Value::List(List::Json(elements.map(|element| Node::new(Json::Text(element))).collect()))
        }
        b'"' => Value::Text(match unquoted(text)? {
            Cow::Borrowed(text) => Text::Borrowed(text),
            Cow::Owned(text) => Text::from(text),
        }),
        _ => match text {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            // As Kubernetes reads it: a whole number that fits is an int, any other is a double.
            number => number.parse().map(Value::Int).or_else(|_| number.parse().map(Value::Double)).ok()?,
        },
    })
}

fn of_value(value: &serde_json::Value) -> Value<'_> {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(is) => Value::Bool(*is),
        serde_json::Value::Number(number) => {
            number.as_i64().map_or_else(|| Value::Double(number.as_f64().unwrap_or(f64::NAN)), Value::Int)
        }
        serde_json::Value::String(text) => Value::Text(Text::Borrowed(text)),
        serde_json::Value::Array(elements) => {
            Value::List(List::Json(elements.iter().map(|element| Node::new(Json::Value(element))).collect()))
        }
        serde_json::Value::Object(members) => {
            let members = members.iter();
            let members =
                members.map(|(name, value)| (Cow::Borrowed(name.as_str()), Node::new(Json::Value(value))));
            Value::Map(Map::Json(ordered(members.collect())))
        }
    }
}

/// By name, so that a lookup is a binary search; of two of the same name the last counts, as in Go.
fn ordered(mut members: Members<'_>) -> Rc<Members<'_>> {
    members.reverse();
    members.sort_by(|one, other| one.0.cmp(&other.0));
    members.dedup_by(|later, kept| later.0 == kept.0);
    Rc::new(members)
}

fn unquoted(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('\\') {
        return serde_json::from_str(text).ok().map(Cow::Owned);
    }
    text.get(1..text.len().checked_sub(1)?).map(Cow::Borrowed)
}
