//! Checks macros that go through something: what it is, what its variables are called, and what the body comes to.

use cel::{IdedExpr, common::ast::Expr};

use super::{Check, Checked};
use crate::expression::{
    CompileError,
    kind::Kind,
    tree::{Loop, Macro, Tree},
};

impl Check<'_> {
    /// Checks a macro, called on what it goes through.
    pub(super) fn macro_(
        &mut self,
        expr: &IdedExpr,
        macro_: Macro,
        range: &IdedExpr,
        arguments: &[IdedExpr],
    ) -> Checked {
        let (tree, over) = self.tree(range)?;
        // With as many arguments a second variable stands before the body, but for `map`, which may have a filter.
        let transforms = matches!(macro_, Macro::TransformMap | Macro::TransformMapEntry);
        let list = matches!(&expr.expr, Expr::Call(call) if call.func_name == "transformList");
        let quantifies = matches!(macro_, Macro::All | Macro::Exists | Macro::ExistsOne);
        let two = transforms || list || (quantifies && arguments.len() == 3);
        let (variables, bodies) = arguments.split_at(if two { 2 } else { 1 });
        let variables =
            variables.iter().map(|variable| self.variable(variable)).collect::<Result<Vec<_>, _>>()?;
        if two && variables[0] == variables[1] {
            return Err(self.wrong(expr, format!("'{}' is there twice", variables[0])));
        }
        let kinds = self.elements(range, macro_, &over, two)?;
        let element = kinds.last().cloned().unwrap_or(Kind::Dyn);
        let first = kinds.first().cloned().unwrap_or(Kind::Dyn);
        let outside = self.locals.len();
        self.locals.extend(variables.into_iter().zip(kinds));
        let (filter, body) = match bodies {
            [filter, body] => {
                let (tree, kind) = self.tree(filter)?;
                self.condition(filter, &kind)?;
                (Some(tree), body)
            }
            [body] => (None, body),
            _ => return Err(self.wrong(expr, "has a wrong number of arguments".to_owned())),
        };
        let (body_tree, kind) = self.tree(body)?;
        self.locals.truncate(outside);
        let result = self.result(body, macro_, &over, (first, element), kind)?;
        Ok((Tree::Loop(Box::new(Loop { macro_, range: tree, two, filter, body: body_tree })), result))
    }

    fn variable(&self, expr: &IdedExpr) -> Result<String, CompileError> {
        match &expr.expr {
            Expr::Ident(name) => Ok(name.clone()),
            _ => Err(self.wrong(expr, "must be the name of a variable".to_owned())),
        }
    }

    /// Types of the variables.
    fn elements(
        &self,
        expr: &IdedExpr,
        macro_: Macro,
        over: &Kind,
        two: bool,
    ) -> Result<Vec<Kind>, CompileError> {
        if matches!(macro_, Macro::OptionalMap | Macro::OptionalFlatMap) {
            return match over {
                Kind::Dyn => Ok(vec![Kind::Dyn]),
                Kind::Optional(of) => Ok(vec![(**of).clone()]),
                over => Err(self.wrong(expr, format!("must be an optional, and is {over}"))),
            };
        }
        Ok(match over {
            Kind::Dyn if two => vec![Kind::Dyn, Kind::Dyn],
            Kind::Dyn => vec![Kind::Dyn],
            Kind::List(of) if two => vec![Kind::INT, (**of).clone()],
            Kind::List(of) => vec![(**of).clone()],
            Kind::Map(of) if two => vec![of.0.clone(), of.1.clone()],
            Kind::Map(of) if macro_ != Macro::SortBy => vec![of.0.clone()],
            over => return Err(self.wrong(expr, format!("must be a list or a map, and is {over}"))),
        })
    }

    fn result(
        &self,
        body: &IdedExpr,
        macro_: Macro,
        over: &Kind,
        (first, element): (Kind, Kind),
        kind: Kind,
    ) -> Result<Kind, CompileError> {
        match macro_ {
            Macro::All | Macro::Exists | Macro::ExistsOne => {
                self.condition(body, &kind)?;
                Ok(Kind::BOOL)
            }
            Macro::Filter => {
                self.condition(body, &kind)?;
                Ok(Kind::list(element))
            }
            Macro::Map => Ok(Kind::list(kind)),
            Macro::TransformMap => Ok(Kind::map(first, kind)),
            Macro::TransformMapEntry => match kind {
                Kind::Dyn | Kind::Map(_) => Ok(kind),
                kind => Err(self.wrong(body, format!("must be a map, and is {kind}"))),
            },
            Macro::SortBy => Ok(over.clone()),
            Macro::OptionalMap => Ok(Kind::optional(kind)),
            Macro::OptionalFlatMap => match kind {
                Kind::Dyn | Kind::Optional(_) => Ok(kind),
                kind => Err(self.wrong(body, format!("must be an optional, and is {kind}"))),
            },
        }
    }
}
