//! Expressions: CEL as Kubernetes' own ValidatingAdmissionPolicy understands it, compiled once, evaluated over JSON that
//! is read as far as an expression looks, and bounded in what they cost. The `cel` crate reads the text; what is made of
//! it and how it is evaluated is ours, so that every step is counted and every difference to Kubernetes is a decision.
//! <https://kubernetes.io/docs/reference/using-api/cel/>

mod check;
mod evaluate;
mod function;
mod json;
mod kind;
mod loops;
mod names;
mod parse;
mod run;
mod scan;
mod subject;
#[cfg(test)]
mod tests;
mod tree;
mod value;

use std::fmt;

pub use self::{
    json::Json,
    run::MAX_STEPS,
    subject::{MAX_STEPS as MAX_STEPS_OF_A_REVIEW, Subject},
};
use self::{
    run::{Fault, Run},
    tree::Tree,
    value::Value,
};

/// Longest expression, in bytes.
pub const MAX_LENGTH: usize = 10 * 1024;

/// What an expression must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yields {
    /// `true` or `false`
    Bool,
    /// A text.
    Text,
}

/// A compiled expression.
pub struct Expression {
    source: String,
    yields: Yields,
    tree: Tree,
    about_the_write: bool,
}

/// An expression that is none, or may not be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CompileError(pub String);

/// An expression that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// It failed: no such key, no such overload, division by zero.
    #[error("{0}")]
    Failed(String),
    /// It cost more than it may.
    #[error("the expression costs more than it may")]
    Cost,
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it, in words for its author, with line and column where there are any.
    pub fn compile(source: &str, yields: Yields) -> Result<Self, CompileError> {
        if source.len() > MAX_LENGTH {
            return Err(CompileError(format!("must have at most {MAX_LENGTH} bytes")));
        }
        if source.trim().is_empty() {
            return Err(CompileError("must not be empty".to_owned()));
        }
        let (tree, about_the_write) = parse::checked(source, yields)?;
        Ok(Self { source: source.to_owned(), yields, tree, about_the_write })
    }

    /// The text that it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it looks at `oldObject` or `request`: it speaks of the write, and is evaluated when a change is
    /// submitted only.
    #[must_use]
    pub const fn is_about_the_write(&self) -> bool {
        self.about_the_write
    }

    /// Evaluates it to `true` or `false`.
    ///
    /// # Errors
    /// As [`RunError`] says.
    pub fn holds(&self, subject: &Subject<'_>) -> Result<bool, RunError> {
        match self.value(subject)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(RunError::Failed(format!("comes to {}, not to bool", other.type_name()))),
        }
    }

    /// Evaluates it to a text.
    ///
    /// # Errors
    /// As [`RunError`] says.
    pub fn text(&self, subject: &Subject<'_>) -> Result<String, RunError> {
        match self.value(subject)? {
            Value::Text(text) => Ok(text.as_str().to_owned()),
            other => Err(RunError::Failed(format!("comes to {}, not to a text", other.type_name()))),
        }
    }

    fn value<'a>(&self, subject: &Subject<'a>) -> Result<Value<'a>, RunError> {
        Run::new(subject).value(&self.tree).map_err(|fault| match fault {
            Fault::Failed(message) => RunError::Failed(message.into_owned()),
            Fault::Cost => RunError::Cost,
        })
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expression")
            .field("source", &self.source)
            .field("yields", &self.yields)
            .finish_non_exhaustive()
    }
}
