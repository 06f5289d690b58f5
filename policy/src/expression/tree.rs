//! An expression, checked and ready to be evaluated: names are places, calls are functions, macros are loops.

use std::{fmt, sync::Arc};

use regex::Regex;

use super::{Fault, Run, subject::Variable, value::Value};

/// A node of an expression.
#[derive(Debug)]
pub enum Tree {
    /// `null`, `1`, `'a'`
    Literal(Literal),
    /// `object`
    Variable(Variable),
    /// A variable of a loop, by its place.
    Local(usize),
    /// `a.b`
    Select(Box<Tree>, Arc<str>),
    /// `a.?b`
    SelectOptional(Box<Tree>, Arc<str>),
    /// `has(a.b)`
    Has(Box<Tree>, Arc<str>),
    /// `a[b]`
    Index(Box<[Tree; 2]>),
    /// `a[?b]`
    IndexOptional(Box<[Tree; 2]>),
    /// `a && b && c`
    And(Vec<Tree>),
    /// `a || b || c`
    Or(Vec<Tree>),
    /// `a ? b : c`
    Choose(Box<[Tree; 3]>),
    /// `[a, ?b]`
    List(Vec<Entry<Tree>>),
    /// `{a: b, ?c: d}`
    Map(Vec<Entry<(Tree, Tree)>>),
    /// A function, of what it is called on and with.
    Call(Body, Vec<Tree>),
    /// `a.matches('b')` and its like, with a pattern that was read when the expression was.
    Pattern(&'static str, Box<Regex>, Vec<Tree>),
    /// A macro.
    Loop(Box<Loop>),
}

/// What a function does. It is called with as many values as one of its signatures says, of whatever types.
pub type Body = for<'s, 'a> fn(&mut Run<'s, 'a>, &[Value<'a>]) -> Result<Value<'a>, Fault>;

/// Something that is written in an expression.
#[derive(Debug)]
pub enum Literal {
    /// `null`
    Null,
    /// `true`
    Bool(bool),
    /// `1`
    Int(i64),
    /// `1u`
    Uint(u64),
    /// `1.0`
    Double(f64),
    /// `'a'`
    Text(Arc<str>),
    /// `b'a'`
    Bytes(Arc<[u8]>),
    /// `int`
    Type(&'static str),
}

/// An entry of a list or map that is written in an expression.
#[derive(Debug)]
pub struct Entry<T> {
    /// What is entered.
    pub of: T,
    /// Whether it is left out where there is none.
    pub optional: bool,
}

/// A macro.
#[derive(Debug)]
pub struct Loop {
    /// Which.
    pub macro_: Macro,
    /// What it goes through.
    pub range: Tree,
    /// Whether its body sees two variables: the number of an element or the key of an entry, and the value.
    pub two: bool,
    /// What an element must satisfy to be counted.
    pub filter: Option<Tree>,
    /// What is evaluated for each.
    pub body: Tree,
}

/// The macros that go through something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Macro {
    /// `all`
    All,
    /// `exists`
    Exists,
    /// `exists_one`, `existsOne`
    ExistsOne,
    /// `map`, `transformList`
    Map,
    /// `filter`
    Filter,
    /// `transformMap`
    TransformMap,
    /// `transformMapEntry`
    TransformMapEntry,
    /// `sortBy`
    SortBy,
    /// `optMap`
    OptionalMap,
    /// `optFlatMap`
    OptionalFlatMap,
}

impl Literal {
    /// Its value.
    pub fn value<'a>(&self) -> Value<'a> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(is) => Value::Bool(*is),
            Self::Int(number) => Value::Int(*number),
            Self::Uint(number) => Value::Uint(*number),
            Self::Double(number) => Value::Double(*number),
            Self::Text(text) => Value::Text(super::value::Text::Shared(Arc::clone(text))),
            Self::Bytes(bytes) => Value::Bytes(Arc::clone(bytes)),
            Self::Type(name) => Value::Type(name),
        }
    }
}

impl fmt::Display for Macro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
