//! Checks an expression as Kubernetes does when a policy is written, and makes what is evaluated out of it: every name
//! is known, every call has a signature that its arguments may fit, nothing is nested deeper than the stack bears.

mod calls;
mod macros;

use std::sync::Arc;

use cel::{
    IdedExpr,
    common::ast::{EntryExpr, Expr, ListExpr, LiteralValue, MapExpr, SelectExpr, SourceInfo},
};

use super::{
    CompileError,
    kind::Kind,
    names,
    subject::Variable,
    tree::{Entry, Literal, Tree},
};

/// How deep an expression may be nested; `&&` and `||` in a row are one level.
pub const MAX_DEPTH: usize = 64;

/// Most nodes of an expression.
const MAX_NODES: usize = 4096;

/// A node and its type.
type Checked = Result<(Tree, Kind), CompileError>;

/// What is known on the way.
pub struct Check<'s> {
    info: &'s SourceInfo,
    /// Variables of loops, the innermost last.
    locals: Vec<(String, Kind)>,
    depth: usize,
    nodes: usize,
    /// Whether it looks at what only a write has.
    pub about_the_write: bool,
}

impl<'s> Check<'s> {
    /// One of an expression whose nodes are at these places.
    pub const fn new(info: &'s SourceInfo) -> Self {
        Self { info, locals: Vec::new(), depth: 0, nodes: 0, about_the_write: false }
    }

    /// Checks a node and all below it.
    pub fn tree(&mut self, expr: &IdedExpr) -> Checked {
        self.nodes += 1;
        if self.depth >= MAX_DEPTH {
            return Err(self.wrong(expr, format!("nested more than {MAX_DEPTH} levels deep")));
        }
        if self.nodes > MAX_NODES {
            return Err(self.wrong(expr, format!("more than {MAX_NODES} operations: split it into several")));
        }
        self.depth += 1;
        let checked = match &expr.expr {
            Expr::Literal(literal) => Ok(literal_of(literal)),
            Expr::Ident(name) => self.name(expr, name),
            Expr::Select(select) => self.select(expr, select),
            Expr::Call(call) => self.call(expr, call),
            Expr::List(list) => self.list(list, None),
            Expr::Map(map) => self.map(map),
            Expr::Struct(of) => {
                Err(self.wrong(expr, format!("objects of types are not supported: {}", of.type_name)))
            }
            Expr::Comprehension(_) | Expr::Unspecified => Err(self.wrong(expr, "cannot be read".to_owned())),
        };
        self.depth -= 1;
        checked
    }

    /// What is wrong, and where.
    fn wrong(&self, expr: &IdedExpr, message: String) -> CompileError {
        let Some((start, _)) = self.info.offset_for(expr.id) else { return CompileError(message) };
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let before = self.info.source.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        CompileError(format!("{message} at line {line}, column {column}"))
    }

    fn name(&mut self, expr: &IdedExpr, name: &str) -> Checked {
        if let Some(at) = self.locals.iter().rposition(|(local, _)| local == name) {
            return Ok((Tree::Local(at), self.locals[at].1.clone()));
        }
        if let Some((_, variable)) = names::VARIABLES.iter().find(|(known, _)| *known == name) {
            self.about_the_write |= matches!(variable, Variable::OldObject | Variable::Request);
            return Ok((Tree::Variable(*variable), names::kind(*variable)));
        }
        if let Some(known) = names::TYPES.iter().find(|known| **known == name) {
            return Ok((Tree::Literal(Literal::Type(known)), Kind::Named("type")));
        }
        let known = names::VARIABLES.map(|(known, _)| known).join(", ");
        let hint = names::hint(name);
        Err(self.wrong(expr, format!("there is no '{name}'{hint}; there are {known}")))
    }

    fn select(&mut self, expr: &IdedExpr, select: &SelectExpr) -> Checked {
        let (of, kind) = self.tree(&select.operand)?;
        let field = self.field(expr, &kind, &select.field)?;
        Ok((Tree::Select(Box::new(of), Arc::from(select.field.as_str())), field))
    }

    /// The type of a field of a type.
    fn field(&self, expr: &IdedExpr, of: &Kind, name: &str) -> Result<Kind, CompileError> {
        match of {
            Kind::Dyn => Ok(Kind::Dyn),
            Kind::Map(of) => Ok(of.1.clone()),
            Kind::Optional(of) => Ok(Kind::optional(self.field(expr, of, name)?)),
            Kind::Struct(of) => of.field(name).ok_or_else(|| {
                let known = of.fields.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
                self.wrong(expr, format!("{} has no field '{name}'; it has {known}", of.name))
            }),
            of => Err(self.wrong(expr, format!("{of} has no fields: '{name}'"))),
        }
    }

    /// A list that is written; `of` is what its elements may be, if that is known: anything, where they are formatted.
    fn list(&mut self, list: &ListExpr, mut of: Option<Kind>) -> Checked {
        let mut entries = Vec::with_capacity(list.elements.len());
        for (at, element) in list.elements.iter().enumerate() {
            let optional = list.optional_indices.contains(&at);
            let (tree, kind) = self.tree(element)?;
            let kind = self.entered(element, kind, optional)?;
            of = Some(self.alike(element, of, kind)?);
            entries.push(Entry { of: tree, optional });
        }
        Ok((Tree::List(entries), Kind::list(of.unwrap_or(Kind::Dyn))))
    }

    fn map(&mut self, map: &MapExpr) -> Checked {
        let mut entries = Vec::with_capacity(map.entries.len());
        let (mut keys, mut values) = (None, None);
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
            let (key, kind) = self.tree(&entry.key)?;
            if !matches!(kind, Kind::Dyn | Kind::Named("bool" | "int" | "uint" | "string")) {
                return Err(self.wrong(&entry.key, format!("{kind} cannot be a key of a map")));
            }
            keys = Some(self.alike(&entry.key, keys, kind)?);
            let (value, kind) = self.tree(&entry.value)?;
            let kind = self.entered(&entry.value, kind, entry.optional)?;
            values = Some(self.alike(&entry.value, values, kind)?);
            entries.push(Entry { of: (key, value), optional: entry.optional });
        }
        Ok((Tree::Map(entries), Kind::map(keys.unwrap_or(Kind::Dyn), values.unwrap_or(Kind::Dyn))))
    }

    /// What an optional entry brings.
    fn entered(&self, expr: &IdedExpr, kind: Kind, optional: bool) -> Result<Kind, CompileError> {
        match (optional, kind) {
            (false, kind) => Ok(kind),
            (true, Kind::Optional(of)) => Ok((*of).clone()),
            (true, Kind::Dyn) => Ok(Kind::Dyn),
            (true, kind) => Err(self.wrong(expr, format!("must be an optional, and is {kind}"))),
        }
    }

    /// Kubernetes wants all elements of a list or map that is written to be of one type.
    fn alike(&self, expr: &IdedExpr, before: Option<Kind>, kind: Kind) -> Result<Kind, CompileError> {
        match before {
            None => Ok(kind),
            Some(before) if kind.fits(&before, &mut Vec::new()) => Ok(before.joined(&kind)),
            Some(before) => Err(self.wrong(
                expr,
                format!("must be {before} like those before, and is {kind}: write dyn() around it"),
            )),
        }
    }
}

fn literal_of(literal: &LiteralValue) -> (Tree, Kind) {
    let (literal, kind) = match literal {
        LiteralValue::Null => (Literal::Null, "null"),
        LiteralValue::Boolean(is) => (Literal::Bool(*is.inner()), "bool"),
        LiteralValue::Int(number) => (Literal::Int(*number.inner()), "int"),
        LiteralValue::UInt(number) => (Literal::Uint(*number.inner()), "uint"),
        LiteralValue::Double(number) => (Literal::Double(*number.inner()), "double"),
        LiteralValue::String(text) => (Literal::Text(Arc::from(text.inner())), "string"),
        LiteralValue::Bytes(bytes) => (Literal::Bytes(Arc::from(bytes.inner())), "bytes"),
    };
    (Tree::Literal(literal), Kind::Named(kind))
}
