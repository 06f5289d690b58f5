//! Values of expressions, and when two are equal.

use std::{borrow::Cow, cmp::Ordering, rc::Rc, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{
    Fault, Run,
    function::{Quantity, Semver},
    json::{Members, Node},
};

/// A value.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `uint`
    Uint(u64),
    /// `double`
    Double(f64),
    /// `string`
    Text(Text<'a>),
    /// `bytes`
    Bytes(Arc<[u8]>),
    /// `list`
    List(List<'a>),
    /// `map`
    Map(Map<'a>),
    /// `optional_type`
    Optional(Option<Rc<Value<'a>>>),
    /// `google.protobuf.Duration`
    Duration(SignedDuration),
    /// `google.protobuf.Timestamp`
    Timestamp(Timestamp),
    /// What `quantity()` makes.
    Quantity(Quantity),
    /// What `semver()` makes.
    Semver(Rc<Semver>),
    /// A type, by its name.
    Type(&'static str),
}

/// A text.
#[derive(Clone, Debug)]
pub enum Text<'a> {
    /// A piece of what is looked at.
    Borrowed(&'a str),
    /// A literal, or one that was made.
    Shared(Arc<str>),
}

/// A list.
#[derive(Clone, Debug)]
pub enum List<'a> {
    /// As it stands in JSON.
    Json(Rc<[Node<'a>]>),
    /// One that was made.
    Built(Rc<Vec<Value<'a>>>),
}

/// A map.
#[derive(Clone, Debug)]
pub enum Map<'a> {
    /// As it stands in JSON.
    Json(Rc<Members<'a>>),
    /// One that was made, in the order of its keys.
    Built(Rc<Vec<(Value<'a>, Value<'a>)>>),
}

impl Text<'_> {
    /// Its characters.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self::Shared(Arc::from(text))
    }
}

impl From<&str> for Text<'_> {
    fn from(text: &str) -> Self {
        Self::Shared(Arc::from(text))
    }
}

impl<'a> Value<'a> {
    /// Its type, as `type()` says it.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Optional(_) => "optional_type",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Quantity(_) => "kubernetes.Quantity",
            Self::Semver(_) => "kubernetes.Semver",
            Self::Type(_) => "type",
        }
    }

    /// A text that was made.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text::from(text.into()))
    }

    /// A list that was made.
    pub fn list(elements: Vec<Self>) -> Self {
        Self::List(List::Built(Rc::new(elements)))
    }

    /// An optional.
    pub fn optional(value: Option<Self>) -> Self {
        Self::Optional(value.map(Rc::new))
    }

    /// Whether two values are equal. Values of different types are not, but for numbers.
    pub fn equals(&self, other: &Self, run: &mut Run<'_, 'a>) -> Result<bool, Fault> {
        run.deeper(|run| self.same(other, run))
    }

    fn same(&self, other: &Self, run: &mut Run<'_, 'a>) -> Result<bool, Fault> {
        Ok(match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => {
                run.spend_bytes(one.as_str().len().min(other.as_str().len()))?;
                one.as_str() == other.as_str()
            }
            (Self::Bytes(one), Self::Bytes(other)) => {
                run.spend_bytes(one.len().min(other.len()))?;
                one == other
            }
            (Self::List(one), Self::List(other)) => {
                if one.len() != other.len() {
                    return Ok(false);
                }
                for at in 0..one.len() {
                    if !one.at(at)?.equals(&other.at(at)?, run)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Self::Map(one), Self::Map(other)) => {
                if one.len() != other.len() {
                    return Ok(false);
                }
                for at in 0..one.len() {
                    let (key, value) = (one.key(at)?, one.value(at)?);
                    let Some(there) = other.get(&key)? else { return Ok(false) };
                    if !value.equals(&there, run)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Self::Optional(one), Self::Optional(other)) => match (one, other) {
                (None, None) => true,
                (Some(one), Some(other)) => one.equals(other, run)?,
                _ => false,
            },
            (Self::Duration(one), Self::Duration(other)) => one == other,
            (Self::Timestamp(one), Self::Timestamp(other)) => one == other,
            (Self::Quantity(one), Self::Quantity(other)) => one == other,
            (Self::Semver(one), Self::Semver(other)) => one.compare(other) == Ordering::Equal,
            (Self::Type(one), Self::Type(other)) => one == other,
            (one, other) => compare_numbers(one, other) == Some(Ordering::Equal),
        })
    }
}

/// How two numbers compare; `None` where one is none, or not a number.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "numbers out of range were told apart"
)]
pub fn compare_numbers(one: &Value<'_>, other: &Value<'_>) -> Option<Ordering> {
    let whole = |value: &Value<'_>| match value {
        Value::Int(number) => Some(i128::from(*number)),
        Value::Uint(number) => Some(i128::from(*number)),
        _ => None,
    };
    let against = |number: f64, whole: i128| {
        if number.is_nan() {
            None
        } else if number >= 1e30 {
            Some(Ordering::Greater)
        } else if number <= -1e30 {
            Some(Ordering::Less)
        } else {
            let floor = number.floor();
            let more = if number > floor { Ordering::Greater } else { Ordering::Equal };
            Some((floor as i128).cmp(&whole).then(more))
        }
    };
    match (one, other) {
        (Value::Double(one), Value::Double(other)) => one.partial_cmp(other),
        (Value::Double(one), other) => against(*one, whole(other)?),
        (one, Value::Double(other)) => against(*other, whole(one)?).map(Ordering::reverse),
        (one, other) => Some(whole(one)?.cmp(&whole(other)?)),
    }
}

impl<'a> List<'a> {
    /// How many elements there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Json(nodes) => nodes.len(),
            Self::Built(values) => values.len(),
        }
    }

    /// The element of that number, which there is.
    pub fn at(&self, at: usize) -> Result<Value<'a>, Fault> {
        match self {
            Self::Json(nodes) => nodes.get(at).map(Node::value).transpose()?,
            Self::Built(values) => values.get(at).cloned(),
        }
        .ok_or_else(|| Fault::index(at))
    }
}

impl<'a> Map<'a> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Json(members) => members.len(),
            Self::Built(entries) => entries.len(),
        }
    }

    /// One that is made: the keys may be texts, whole numbers, `true` and `false`, each once.
    pub fn built(mut entries: Vec<(Value<'a>, Value<'a>)>) -> Result<Self, Fault> {
        for (key, _) in &entries {
            if !matches!(key, Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Text(_)) {
                return Err(Fault::of(format!("{} cannot be a key of a map", key.type_name())));
            }
        }
        entries.sort_by(|one, other| order(&one.0, &other.0));
        if entries.windows(2).any(|pair| order(&pair[0].0, &pair[1].0) == Ordering::Equal) {
            return Err(Fault::of("a map has a key twice"));
        }
        Ok(Self::Built(Rc::new(entries)))
    }

    /// The key of that number, which there is.
    pub fn key(&self, at: usize) -> Result<Value<'a>, Fault> {
        match self {
            Self::Json(members) => members.get(at).map(|(name, _)| match name {
                Cow::Borrowed(name) => Value::Text(Text::Borrowed(name)),
                Cow::Owned(name) => Value::text(name.as_str()),
            }),
            Self::Built(entries) => entries.get(at).map(|(key, _)| key.clone()),
        }
        .ok_or_else(|| Fault::index(at))
    }

    /// The value of that number, which there is.
    pub fn value(&self, at: usize) -> Result<Value<'a>, Fault> {
        match self {
            Self::Json(members) => members.get(at).map(|(_, node)| node.value()).transpose()?,
            Self::Built(entries) => entries.get(at).map(|(_, value)| value.clone()),
        }
        .ok_or_else(|| Fault::index(at))
    }

    /// The value of a key, if there is one.
    pub fn get(&self, key: &Value<'a>) -> Result<Option<Value<'a>>, Fault> {
        match (self, key) {
            (_, Value::Text(name)) => self.field(name.as_str()),
            (Self::Built(entries), Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_)) => {
                Ok(entries
                    .binary_search_by(|(other, _)| order(other, key))
                    .ok()
                    .map(|at| entries[at].1.clone()))
            }
            _ => Ok(None),
        }
    }

    /// As [`Map::get`], for a name.
    pub fn field(&self, name: &str) -> Result<Option<Value<'a>>, Fault> {
        match self {
            Self::Json(members) => {
                let at = members.binary_search_by(|(other, _)| (**other).cmp(name));
                at.ok().map(|at| members[at].1.value()).transpose()
            }
            Self::Built(entries) => {
                let at = entries.binary_search_by(|(other, _)| match other {
                    Value::Text(other) => other.as_str().cmp(name),
                    _ => Ordering::Less,
                });
                Ok(at.ok().map(|at| entries[at].1.clone()))
            }
        }
    }
}

/// The order of keys: `false` and `true`, numbers as numbers whatever their types, texts.
fn order(one: &Value<'_>, other: &Value<'_>) -> Ordering {
    let rank = |value: &Value<'_>| match value {
        Value::Bool(_) => 0,
        Value::Text(_) => 2,
        _ => 1,
    };
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (Value::Text(one), Value::Text(other)) => one.as_str().cmp(other.as_str()),
        // What is not a number is no key: it is looked for in vain.
        (one, other) => {
            rank(one).cmp(&rank(other)).then_with(|| compare_numbers(one, other).unwrap_or(Ordering::Less))
        }
    }
}
