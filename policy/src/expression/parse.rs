//! Reads expressions, on a thread of its own: the parser is recursive, and a stack that is large enough for the longest
//! expression there may be is more than the threads of a server have. A panic in it would be the end of that thread
//! only.

use std::thread;

use cel::Env;

use super::{CompileError, Yields, check::Check, kind::Kind, tree::Tree};

/// Stack of the thread: 10 KiB of text cannot be nested deeper than this bears, and only what is used is taken.
const STACK: usize = 64 * 1024 * 1024;

/// How deep brackets may be nested: the time that the parser takes grows with it.
const MAX_BRACKETS: usize = 32;

/// The most errors of one expression that are told.
const MAX_ERRORS: usize = 3;

/// Reads and checks an expression; says too whether it looks at what only a write has.
pub fn checked(source: &str, yields: Yields) -> Result<(Tree, bool), CompileError> {
    brackets(source)?;
    thread::scope(|scope| {
        let reader = thread::Builder::new().name("expression".to_owned()).stack_size(STACK);
        let reader = reader.spawn_scoped(scope, || read(source, yields));
        let reader = reader.map_err(|error| CompileError(format!("no thread to read it on: {error}")))?;
        reader.join().unwrap_or_else(|_| Err(CompileError("cannot be read".to_owned())))
    })
}

fn read(source: &str, yields: Yields) -> Result<(Tree, bool), CompileError> {
    // Without a library it expands no macros: the check knows them.
    let parser = Env::default().parser().enable_optional_syntax(true);
    let (expr, info) = parser.parse_with_source_info(source).map_err(|errors| {
        let errors = errors.errors.iter().take(MAX_ERRORS);
        let said =
            errors.map(|error| format!("{} at line {}, column {}", error.msg, error.pos.0, error.pos.1));
        CompileError(said.collect::<Vec<_>>().join("; "))
    })?;
    let mut check = Check::new(&info);
    let (tree, kind) = check.tree(&expr)?;
    let wanted = match yields {
        Yields::Bool => Kind::BOOL,
        Yields::Text => Kind::STRING,
    };
    // As Kubernetes: also what is not known before there is a value is refused.
    if kind != wanted {
        let how = match yields {
            Yields::Bool => "compare it: `object.spec.paused == true`",
            Yields::Text => "convert it: `string(object.spec.replicas)`",
        };
        return Err(CompileError(format!("must come to {wanted}, and comes to {kind}; {how}")));
    }
    Ok((tree, check.about_the_write))
}

/// Brackets, outside of texts.
fn brackets(source: &str) -> Result<(), CompileError> {
    let mut open = 0_usize;
    let mut quote = None;
    let mut characters = source.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => {
                characters.next();
            }
            (Some(with), character) if character == with => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '(' | '[' | '{') => open += 1,
            (None, ')' | ']' | '}') => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_BRACKETS {
            return Err(CompileError(format!("brackets are nested more than {MAX_BRACKETS} deep")));
        }
    }
    Ok(())
}
