//! The functions that expressions know, by what Kubernetes calls them. A signature is what is checked when a policy
//! is written, and what the documentation lists.

mod convert;
pub mod lists;
mod operators;
mod optionals;
pub mod patterns;
mod quantity;
mod re2;
mod semver;
mod sets;
mod strings;
mod times;

use std::sync::LazyLock;

pub use self::{quantity::Quantity, semver::Semver};
use super::{
    kind::Signature,
    tree::{Body, Literal, Tree},
};

/// A function: all that is called the same, and the same way.
pub struct Function {
    /// Its name, with the name of its library where it has one: `sets.contains`.
    pub name: &'static str,
    /// Whether it is called on a value.
    pub member: bool,
    /// What it may be called with.
    pub signatures: Vec<Signature>,
    /// What it does.
    pub body: Body,
}

/// Signatures of what has one name, and what it does.
pub type Row = (&'static [&'static str], Body);

/// Every table.
pub const TABLES: [&[Row]; 10] = [
    operators::TABLE,
    convert::TABLE,
    strings::TABLE,
    patterns::TABLE,
    lists::TABLE,
    sets::TABLE,
    optionals::TABLE,
    quantity::TABLE,
    semver::TABLE,
    times::TABLE,
];

static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(|| {
    let mut functions = Vec::<Function>::new();
    for (texts, body) in TABLES.into_iter().flatten() {
        for signature in texts.iter().filter_map(|text| Signature::read(text)) {
            let same = |function: &&mut Function| {
                function.name == signature.name && function.member == signature.member
            };
            match functions.iter_mut().find(same) {
                Some(function) => function.signatures.push(signature),
                None => functions.push(Function {
                    name: signature.name,
                    member: signature.member,
                    signatures: vec![signature],
                    body: *body,
                }),
            }
        }
    }
    functions
});

/// The function of that name that is called this way.
pub fn find(name: &str, member: bool) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name && function.member == member)
}

/// Whether there is a library of that name.
pub fn is_library(name: &str) -> bool {
    FUNCTIONS.iter().any(|function| function.name.split_once('.').is_some_and(|(library, _)| library == name))
}

/// What is wrong with a literal that a function is called with, where that can be seen before it is called.
pub fn literal_is_wrong(name: &str, arguments: &[Tree]) -> Option<String> {
    match (name, arguments) {
        ("duration", [Tree::Literal(Literal::Text(text))]) if times::duration(text).is_err() => {
            Some(format!("'{text}' is no duration: write 90s or 1h30m"))
        }
        ("timestamp", [Tree::Literal(Literal::Text(text))]) if times::timestamp(text).is_err() => {
            Some(format!("'{text}' is no time: write 2026-11-30T12:00:00Z"))
        }
        ("format", [Tree::Literal(Literal::Text(text)), _]) => strings::unknown_clause(text),
        ("format", _) => Some("format() must be called on a text that is written in place".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signature_can_be_read_and_no_function_is_there_twice() {
        for text in TABLES.into_iter().flatten().flat_map(|(texts, _)| *texts) {
            let signature = Signature::read(text).unwrap();
            let kinds = signature.parameters.iter().map(ToString::to_string).collect::<Vec<_>>();
            let written = if signature.member {
                format!("{}.{}({}) {}", kinds[0], signature.name, kinds[1..].join(", "), signature.result)
            } else {
                format!("{}({}) {}", signature.name, kinds.join(", "), signature.result)
            };
            assert_eq!(&written, text);
            let rows = TABLES.into_iter().flatten();
            let rows = rows.filter(|(texts, _)| {
                let one = Signature::read(texts[0]).unwrap();
                (one.name, one.member) == (signature.name, signature.member)
            });
            assert_eq!(rows.count(), 1, "{text}");
        }
    }
}
