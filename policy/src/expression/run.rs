//! One evaluation: the names of its loops, and what it may still cost. A step is a node of the expression, or some
//! bytes that are looked at or made; who runs out of them stops, whatever `||` would make of it.

use std::{borrow::Cow, rc::Rc};

use regex::Regex;

use super::{Subject, value::Value};

/// Steps of one expression.
pub const MAX_STEPS: u64 = 100_000;

/// How deep values may be nested that are compared: expressions cannot nest them deeper than they are themselves.
const MAX_DEPTH: u32 = 256;

/// Bytes that are a step.
const BYTES_A_STEP: usize = 16;

/// Why an evaluation ends early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It failed; `||` and `&&` may still come to something.
    Failed(Cow<'static, str>),
    /// It costs more than it may.
    Cost,
}

/// An evaluation.
pub struct Run<'s, 'a> {
    /// What it looks at.
    pub subject: &'s Subject<'a>,
    /// Values of the variables of the loops that it is in, the innermost last.
    pub locals: Vec<Value<'a>>,
    /// Patterns that were made and read in it: a loop makes the same one again and again.
    pub patterns: Vec<(String, Rc<Regex>)>,
    steps: u64,
    spent: u64,
    depth: u32,
}

impl Fault {
    /// A failure.
    pub fn of(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Failed(message.into())
    }

    /// There is no element of that number.
    pub fn index(at: impl std::fmt::Display) -> Self {
        Self::Failed(format!("index out of bounds: {at}").into())
    }

    /// There is no such function for these values.
    pub fn overload(function: &str, arguments: &[Value<'_>]) -> Self {
        let types = arguments.iter().map(Value::type_name).collect::<Vec<_>>().join(", ");
        Self::Failed(format!("no such overload: {function} of ({types})").into())
    }
}

impl<'s, 'a> Run<'s, 'a> {
    /// One that may cost what is left of the subject, and no more than one expression may.
    pub fn new(subject: &'s Subject<'a>) -> Self {
        let steps = subject.steps_left().min(MAX_STEPS);
        Self { subject, locals: Vec::new(), patterns: Vec::new(), steps, spent: 0, depth: 0 }
    }

    /// Takes steps.
    pub fn spend(&mut self, steps: usize) -> Result<(), Fault> {
        self.spent = self.spent.saturating_add(u64::try_from(steps).unwrap_or(u64::MAX)).min(self.steps + 1);
        if self.spent > self.steps { Err(Fault::Cost) } else { Ok(()) }
    }

    /// Takes the steps for bytes that are looked at or made, before they are.
    pub fn spend_bytes(&mut self, bytes: usize) -> Result<(), Fault> {
        self.spend(bytes / BYTES_A_STEP)
    }

    /// Goes one level deeper into a value.
    pub fn deeper<T>(&mut self, look: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::Cost);
        }
        self.spend(1)?;
        self.depth += 1;
        let seen = look(self);
        self.depth -= 1;
        seen
    }
}

impl Drop for Run<'_, '_> {
    fn drop(&mut self) {
        self.subject.spend(self.spent);
    }
}
