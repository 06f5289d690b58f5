//! Checks calls: operators, functions, and what looks like a call of one.

use std::sync::Arc;

use cel::{
    IdedExpr,
    common::ast::{CallExpr, Expr, LiteralValue, operators},
};

use super::{Check, Checked};
use crate::expression::{
    CompileError,
    evaluate::MAX_ARGUMENTS,
    function,
    kind::Kind,
    names,
    tree::{Literal, Tree},
};

impl Check<'_> {
    /// Checks a call.
    pub(super) fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Checked {
        if let Some(target) = &call.target {
            return self.member(expr, call, target);
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            (name @ (operators::LOGICAL_AND | operators::LOGICAL_OR), [_, _]) => self.logic(expr, name),
            (operators::CONDITIONAL, [condition, one, other]) => self.choice(expr, condition, one, other),
            (operators::INDEX, [of, at]) => self.index(expr, of, at, false),
            (operators::OPT_INDEX, [of, at]) => self.index(expr, of, at, true),
            (operators::OPT_SELECT, [of, field]) => self.optional_field(expr, of, field),
            (operators::HAS, arguments) => self.has(expr, arguments),
            (name, _) => {
                let arguments = self.all(&call.args)?;
                self.function(expr, name, false, arguments)
            }
        }
    }

    fn member(&mut self, expr: &IdedExpr, call: &CallExpr, target: &IdedExpr) -> Checked {
        let name = call.func_name.as_str();
        if let Expr::Ident(library) = &target.expr
            && !self.locals.iter().any(|(local, _)| local == library)
            && (function::is_library(library) || !names::hint(library).is_empty())
        {
            let arguments = self.all(&call.args)?;
            return self.function(expr, &format!("{library}.{name}"), false, arguments);
        }
        if let Some(macro_) = names::find_macro(name, call.args.len()) {
            return self.macro_(expr, macro_, target, &call.args);
        }
        let mut arguments = vec![self.tree(target)?];
        match call.args.as_slice() {
            [IdedExpr { expr: Expr::List(list), .. }] if name == "format" => {
                arguments.push(self.list(list, Some(Kind::Dyn))?);
            }
            args => arguments.extend(self.all(args)?),
        }
        self.function(expr, name, true, arguments)
    }

    fn all(&mut self, arguments: &[IdedExpr]) -> Result<Vec<(Tree, Kind)>, CompileError> {
        arguments.iter().map(|argument| self.tree(argument)).collect()
    }

    /// Terms in a row, however they are bracketed.
    fn logic(&mut self, expr: &IdedExpr, name: &str) -> Checked {
        let mut terms = Vec::new();
        // The innermost last: a list of what is still to be taken apart, not a recursion.
        let mut open = vec![expr];
        while let Some(term) = open.pop() {
            match &term.expr {
                Expr::Call(call)
                    if call.target.is_none() && call.func_name == name && call.args.len() == 2 =>
                {
                    open.extend(call.args.iter().rev());
                }
                _ => {
                    let (tree, kind) = self.tree(term)?;
                    self.condition(term, &kind)?;
                    terms.push(tree);
                }
            }
        }
        Ok((if name == operators::LOGICAL_AND { Tree::And(terms) } else { Tree::Or(terms) }, Kind::BOOL))
    }

    /// What must be `true` or `false`.
    pub(super) fn condition(&self, expr: &IdedExpr, kind: &Kind) -> Result<(), CompileError> {
        match kind {
            Kind::Dyn | Kind::Named("bool") => Ok(()),
            kind => Err(self.wrong(expr, format!("must be bool, and is {kind}"))),
        }
    }

    fn choice(&mut self, expr: &IdedExpr, condition: &IdedExpr, one: &IdedExpr, other: &IdedExpr) -> Checked {
        let (tree, kind) = self.tree(condition)?;
        self.condition(condition, &kind)?;
        let ((one, first), (other, second)) = (self.tree(one)?, self.tree(other)?);
        if !first.fits(&second, &mut Vec::new()) {
            return Err(self.wrong(expr, format!("'?:' is of {first} or of {second}: both must be the same")));
        }
        Ok((Tree::Choose(Box::new([tree, one, other])), first.joined(&second)))
    }

    fn index(&mut self, expr: &IdedExpr, of: &IdedExpr, at: &IdedExpr, optional: bool) -> Checked {
        let ((of, kind), (at, place)) = (self.tree(of)?, self.tree(at)?);
        let (inner, maybe) = match &kind {
            Kind::Optional(inner) => ((**inner).clone(), true),
            kind => (kind.clone(), false),
        };
        let element = match &inner {
            Kind::Dyn => Some(Kind::Dyn),
            Kind::List(element) => place.fits(&Kind::INT, &mut Vec::new()).then(|| (**element).clone()),
            Kind::Map(of) => place.fits(&of.0, &mut Vec::new()).then(|| of.1.clone()),
            _ => None,
        };
        let Some(element) = element else {
            return Err(self.wrong(expr, format!("there is no {kind}[{place}]")));
        };
        let element = if optional || maybe { Kind::optional(element) } else { element };
        let of = Box::new([of, at]);
        Ok((if optional { Tree::IndexOptional(of) } else { Tree::Index(of) }, element))
    }

    fn optional_field(&mut self, expr: &IdedExpr, of: &IdedExpr, field: &IdedExpr) -> Checked {
        let Expr::Literal(LiteralValue::String(name)) = &field.expr else {
            return Err(self.wrong(expr, "'.?' wants the name of a field".to_owned()));
        };
        let (of, kind) = self.tree(of)?;
        let kind = match self.field(expr, &kind, name.inner())? {
            kind @ Kind::Optional(_) => kind,
            kind => Kind::optional(kind),
        };
        Ok((Tree::SelectOptional(Box::new(of), Arc::from(name.inner())), kind))
    }

    fn has(&mut self, expr: &IdedExpr, arguments: &[IdedExpr]) -> Checked {
        let [IdedExpr { expr: Expr::Select(select), .. }] = arguments else {
            return Err(self.wrong(expr, "has() wants a field: has(object.spec)".to_owned()));
        };
        let (of, kind) = self.tree(&select.operand)?;
        self.field(expr, &kind, &select.field)?;
        Ok((Tree::Has(Box::new(of), Arc::from(select.field.as_str())), Kind::BOOL))
    }

    /// A function whose arguments were checked: one of its signatures must fit.
    pub(super) fn function(
        &mut self,
        expr: &IdedExpr,
        name: &str,
        member: bool,
        arguments: Vec<(Tree, Kind)>,
    ) -> Checked {
        let (mut trees, kinds): (Vec<_>, Vec<_>) = arguments.into_iter().unzip();
        let Some(function) = function::find(name, member) else {
            let of = name.split_once('.').map_or(name, |(library, _)| library);
            return Err(self.wrong(expr, format!("there is no function '{name}'{}", names::hint(of))));
        };
        let results = function.signatures.iter().filter_map(|signature| {
            let mut letters = Vec::new();
            let fits = signature.parameters.len() == kinds.len()
                && kinds
                    .iter()
                    .zip(&signature.parameters)
                    .all(|(kind, wanted)| kind.fits(wanted, &mut letters));
            fits.then(|| signature.result.with(&letters))
        });
        let Some(result) = results.reduce(|one, other| one.joined(&other)) else {
            let kinds = kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let shown = name.trim_matches(['_', '@']);
            return Err(self.wrong(expr, format!("there is no '{shown}' of ({kinds}){}", names::hint(name))));
        };
        debug_assert!(trees.len() <= MAX_ARGUMENTS, "a signature of more arguments than a call can have");
        if function::patterns::takes_pattern(name)
            && let Some(Tree::Literal(Literal::Text(pattern))) = trees.get(1)
        {
            let pattern = function::patterns::read(pattern).map_err(|message| self.wrong(expr, message))?;
            // Its place stays: what is called finds its other arguments where they always are.
            trees[1] = Tree::Literal(Literal::Null);
            return Ok((Tree::Pattern(function.name, Box::new(pattern), trees), result));
        }
        if let Some(message) = function::literal_is_wrong(name, &trees) {
            return Err(self.wrong(expr, message));
        }
        Ok((Tree::Call(function.body, trees), result))
    }
}
