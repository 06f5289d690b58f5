//! Types of expressions, as far as they are known before there are values: what Kubernetes refuses when a policy is
//! written, is refused then. Signatures of functions are read from text: `list(A).indexOf(A) int`.

use std::{fmt, sync::Arc};

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not known before there is a value.
    Dyn,
    /// One that has a name and no parameters: `string`, `quantity`.
    Named(&'static str),
    /// `list`
    List(Arc<Kind>),
    /// `map`
    Map(Arc<(Kind, Kind)>),
    /// `optional_type`
    Optional(Arc<Kind>),
    /// Whose fields are known.
    Struct(&'static Struct),
    /// The same type, wherever the signature says so.
    Same(char),
}

/// Fields that are known, each with its type.
#[derive(Debug, PartialEq, Eq)]
pub struct Struct {
    /// Name in messages.
    pub name: &'static str,
    /// The fields.
    pub fields: &'static [(&'static str, Field)],
}

/// Type of a field that is known.
#[derive(Debug, PartialEq, Eq)]
pub enum Field {
    /// As a signature writes it.
    Of(&'static str),
    /// Its fields are known too.
    Struct(&'static Struct),
}

/// Names of the types without parameters.
const NAMES: [&str; 12] = [
    "bool",
    "int",
    "uint",
    "double",
    "string",
    "bytes",
    "null",
    "type",
    "duration",
    "timestamp",
    "quantity",
    "semver",
];

/// A signature, read.
#[derive(Clone, Debug)]
pub struct Signature {
    /// Name of the function.
    pub name: &'static str,
    /// Whether it is called on a value.
    pub member: bool,
    /// Types of what it is called on and with.
    pub parameters: Vec<Kind>,
    /// Type of what it comes to.
    pub result: Kind,
}

impl Kind {
    /// `bool`
    pub const BOOL: Self = Self::Named("bool");
    /// `int`
    pub const INT: Self = Self::Named("int");
    /// `string`
    pub const STRING: Self = Self::Named("string");

    /// `list`
    pub fn list(of: Self) -> Self {
        Self::List(Arc::new(of))
    }

    /// `map`
    pub fn map(key: Self, value: Self) -> Self {
        Self::Map(Arc::new((key, value)))
    }

    /// `optional_type`
    pub fn optional(of: Self) -> Self {
        Self::Optional(Arc::new(of))
    }

    /// Reads one; a letter stands for the same type everywhere.
    ///
    /// Signatures are constants: what is none reads as `dyn`, and a test looks at each of them.
    pub fn read(text: &str) -> Self {
        let inner = |prefix: &str| text.strip_prefix(prefix)?.strip_suffix(')');
        if let Some(of) = inner("list(") {
            return Self::list(Self::read(of));
        }
        if let Some(of) = inner("optional(") {
            return Self::optional(Self::read(of));
        }
        if let Some((key, value)) = inner("map(").and_then(|of| of.split_once(", ")) {
            return Self::map(Self::read(key), Self::read(value));
        }
        let mut letters = text.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) if letter.is_ascii_uppercase() => Self::Same(letter),
            _ => NAMES.iter().find(|name| **name == text).map_or(Self::Dyn, |name| Self::Named(name)),
        }
    }

    /// Whether a value of this type may stand where one of that type is wanted; says what letters stand for.
    pub fn fits(&self, wanted: &Self, letters: &mut Vec<(char, Self)>) -> bool {
        match (self, wanted) {
            (one, Self::Same(letter)) => {
                let Some(at) = letters.iter().position(|(known, _)| known == letter) else {
                    letters.push((*letter, one.clone()));
                    return true;
                };
                let known = letters[at].1.clone();
                let fits = one.fits(&known, &mut Vec::new());
                letters[at].1 = known.joined(one);
                fits
            }
            // What may be absent may be compared with null.
            (Self::Dyn, _)
            | (_, Self::Dyn)
            | (Self::Named("null"), Self::Struct(_) | Self::Optional(_))
            | (Self::Struct(_) | Self::Optional(_), Self::Named("null")) => true,
            (Self::List(one), Self::List(other)) | (Self::Optional(one), Self::Optional(other)) => {
                one.fits(other, letters)
            }
            (Self::Map(one), Self::Map(other)) => {
                one.0.fits(&other.0, letters) && one.1.fits(&other.1, letters)
            }
            (Self::Named("null"), Self::Named(other)) | (Self::Named(other), Self::Named("null")) => {
                matches!(*other, "null" | "duration" | "timestamp" | "quantity" | "semver")
            }
            (one, other) => one == other,
        }
    }

    /// The type of what is one or the other.
    pub fn joined(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::List(one), Self::List(other)) => Self::list(one.joined(other)),
            (Self::Optional(one), Self::Optional(other)) => Self::optional(one.joined(other)),
            (Self::Map(one), Self::Map(other)) => Self::map(one.0.joined(&other.0), one.1.joined(&other.1)),
            (Self::Named("null"), Self::Struct(_)) => other.clone(),
            (one, other) if one == other => one.clone(),
            (Self::Struct(_), Self::Named("null")) => self.clone(),
            _ => Self::Dyn,
        }
    }

    /// This type, with what its letters stand for.
    pub fn with(&self, letters: &[(char, Self)]) -> Self {
        match self {
            Self::Same(letter) => {
                letters.iter().find(|(known, _)| known == letter).map_or(Self::Dyn, |(_, kind)| kind.clone())
            }
            Self::List(of) => Self::list(of.with(letters)),
            Self::Optional(of) => Self::optional(of.with(letters)),
            Self::Map(of) => Self::map(of.0.with(letters), of.1.with(letters)),
            kind => kind.clone(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dyn => f.write_str("dyn"),
            Self::Named(name) => f.write_str(name),
            Self::List(of) => write!(f, "list({of})"),
            Self::Map(of) => write!(f, "map({}, {})", of.0, of.1),
            Self::Optional(of) => write!(f, "optional({of})"),
            Self::Struct(of) => f.write_str(of.name),
            Self::Same(letter) => write!(f, "{letter}"),
        }
    }
}

impl Struct {
    /// Type of a field.
    pub fn field(&self, name: &str) -> Option<Kind> {
        let (_, field) = self.fields.iter().find(|(known, _)| *known == name)?;
        Some(match field {
            Field::Of(kind) => Kind::read(kind),
            Field::Struct(of) => Kind::Struct(of),
        })
    }
}

impl Signature {
    /// Reads `string.charAt(int) string`, or `size(string) int`.
    pub fn read(text: &'static str) -> Option<Self> {
        let (call, result) = text.rsplit_once(") ")?;
        let open = opening(call)?;
        let (path, arguments) = (&call[..open], &call[open + 1..]);
        let (receiver, name) = match path.rsplit_once('.') {
            Some((receiver, name)) if is_kind(receiver) => (Some(receiver), name),
            _ => (None, path),
        };
        let mut parameters = receiver.into_iter().map(Kind::read).collect::<Vec<_>>();
        parameters.extend(split(arguments).into_iter().map(Kind::read));
        Some(Self { name, member: receiver.is_some(), parameters, result: Kind::read(result) })
    }
}

/// Where the bracket is that the end of the text closes.
fn opening(call: &str) -> Option<usize> {
    let mut closed = 1_usize;
    call.bytes().enumerate().rev().find_map(|(at, byte)| {
        match byte {
            b')' => closed += 1,
            b'(' => closed -= 1,
            _ => {}
        }
        (closed == 0).then_some(at)
    })
}

fn is_kind(text: &str) -> bool {
    text == "dyn" || Kind::read(text) != Kind::Dyn
}

/// The arguments, at the commas that are in no brackets.
fn split(arguments: &'static str) -> Vec<&'static str> {
    let mut split = Vec::new();
    let (mut open, mut from) = (0_usize, 0);
    for (at, byte) in arguments.bytes().enumerate() {
        match byte {
            b'(' => open += 1,
            b')' => open -= 1,
            b',' if open == 0 => {
                split.push(arguments[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    if !arguments.is_empty() {
        split.push(arguments[from..].trim());
    }
    split
}
