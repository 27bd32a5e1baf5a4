//! The expressions that the first gate accepts: columns, plain aggregates, comparisons with values.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, UnaryOperator, Value, ValueWithSpan,
};

use super::{figure, name, one_part};
use crate::rule::{Rule, TemplateRefused, refuse};

/// A group column: a column, `date_trunc('unit', column)`, or `CASE` with conditions and words. Returns the name of a
/// plain column.
pub(super) fn check_key(
    expr: &Expr,
    place: &'static str,
) -> Result<Option<String>, TemplateRefused> {
    match expr {
        Expr::Function(function) if is_truncation(function) => Ok(None),
        Expr::Case {
            case_token: _, // places in the text
            end_token: _,
            operand: None,
            conditions,
            else_result,
        } => {
            for CaseWhen { condition, result } in conditions {
                check_condition(condition)?;
                check_word(result)?;
            }
            else_result.as_deref().map_or(Ok(()), check_word)?;
            Ok(None)
        }
        _ => check_column(expr, Rule::OutputForm, place).map(Some),
    }
}

fn check_word(expr: &Expr) -> Result<(), TemplateRefused> {
    if is_text(expr) {
        Ok(())
    } else {
        refuse(Rule::GroupForm, "CASE")
    }
}

fn is_text(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(_),
            span: _
        })
    )
}

/// `date_trunc('unit', column)` and nothing beside.
fn is_truncation(function: &Function) -> bool {
    let Function {
        name: called,
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args:
            FunctionArguments::List(FunctionArgumentList {
                duplicate_treatment: None,
                args,
                clauses,
            }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group,
    } = function
    else {
        return false;
    };
    let named = one_part(called, Rule::GroupForm).is_ok_and(|called| called == "date_trunc");
    let [
        FunctionArg::Unnamed(FunctionArgExpr::Expr(unit)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(of)),
    ] = args.as_slice()
    else {
        return false;
    };
    named && clauses.is_empty() && within_group.is_empty() && is_text(unit) && column(of).is_some()
}

/// A column, with or without its table: `a` or `t.a`. Returns its name without the table.
pub(super) fn check_column(
    expr: &Expr,
    rule: Rule,
    place: &'static str,
) -> Result<String, TemplateRefused> {
    column(expr).ok_or_else(|| TemplateRefused::new(rule, place))
}

fn column(expr: &Expr) -> Option<String> {
    let ident = |ident: &Ident| name(ident, Rule::ColumnUnknown).ok();
    match expr {
        Expr::Identifier(only) => ident(only),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, last] => ident(table).and(ident(last)),
            _ => None,
        },
        _ => None,
    }
}

/// A name without a table.
pub(super) fn lone_identifier(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(_) => column(expr),
        _ => None,
    }
}

/// An unsigned number.
pub(super) fn is_number(expr: &Expr) -> bool {
    let Expr::Value(ValueWithSpan { value, span: _ }) = expr else {
        return false;
    };
    matches!(value, Value::Number(digits, false) if digits.parse::<i64>().is_ok())
}

/// A group column, an aggregate, or a number computed from aggregates. Returns the name of a column.
pub(super) fn check_output(expr: &Expr) -> Result<Option<String>, TemplateRefused> {
    match expr {
        Expr::Function(function) if is_truncation(function) => check_key(expr, "SELECT"),
        Expr::BinaryOp { .. }
        | Expr::Cast { .. }
        | Expr::Function(_)
        | Expr::Nested(_)
        | Expr::UnaryOp { .. } => {
            figure::check_formula(expr, "SELECT")?;
            Ok(None)
        }
        _ => check_key(expr, "SELECT"),
    }
}

pub(super) fn check_aggregate(function: &Function) -> Result<(), TemplateRefused> {
    let Function {
        name: called,
        uses_odbc_syntax,
        parameters,
        args,
        filter,
        null_treatment,
        over,
        within_group,
    } = function;
    let called = one_part(called, Rule::AggregateForm)?;
    let refused = || TemplateRefused::new(Rule::AggregateForm, called.clone());
    let FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment,
        args,
        clauses,
    }) = args
    else {
        return Err(refused());
    };
    let plain = !uses_odbc_syntax
        && matches!(parameters, FunctionArguments::None)
        && filter.is_none()
        && null_treatment.is_none()
        && over.is_none()
        && within_group.is_empty()
        && clauses.is_empty();
    let [FunctionArg::Unnamed(argument)] = args.as_slice() else {
        return Err(refused());
    };
    let fits = match (called.as_str(), duplicate_treatment, argument) {
        ("count", None, FunctionArgExpr::Wildcard) => true,
        ("count", Some(DuplicateTreatment::Distinct), FunctionArgExpr::Expr(argument))
        | ("count" | "sum" | "avg", None, FunctionArgExpr::Expr(argument)) => {
            column(argument).is_some()
        }
        _ => false,
    };
    if plain && fits {
        Ok(())
    } else {
        Err(refused())
    }
}

/// Comparisons of a column with values, joined by AND, OR and NOT.
pub(super) fn check_condition(expr: &Expr) -> Result<(), TemplateRefused> {
    let refused = || TemplateRefused::new(Rule::ConditionForm, "WHERE");
    match expr {
        Expr::Nested(inner) => check_condition(inner),
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => check_condition(expr),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And | BinaryOperator::Or,
            right,
        } => {
            check_condition(left)?;
            check_condition(right)
        }
        Expr::BinaryOp { left, op, right } => {
            let compares = matches!(
                op,
                BinaryOperator::Eq
                    | BinaryOperator::Gt
                    | BinaryOperator::GtEq
                    | BinaryOperator::Lt
                    | BinaryOperator::LtEq
                    | BinaryOperator::NotEq
            );
            let sides = column(left).is_some() && is_value(right);
            if compares && sides {
                Ok(())
            } else {
                Err(refused())
            }
        }
        Expr::InList {
            expr,
            list,
            negated: _, // the plan says it too
        } if column(expr).is_some() && list.iter().all(is_value) => Ok(()),
        Expr::Between {
            expr,
            negated: _, // the plan says it too
            low,
            high,
        } if column(expr).is_some() && is_value(low) && is_value(high) => Ok(()),
        _ => Err(refused()),
    }
}

/// A number, a text or a placeholder.
fn is_value(expr: &Expr) -> bool {
    match expr {
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => is_number(expr),
        Expr::Value(ValueWithSpan { value, span: _ }) => {
            is_number(expr) || matches!(value, Value::SingleQuotedString(_) | Value::Placeholder(_))
        }
        _ => false,
    }
}

/// Equalities of columns, joined by AND.
pub(super) fn check_equalities(expr: &Expr) -> Result<(), TemplateRefused> {
    match expr {
        Expr::Nested(inner) => check_equalities(inner),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            check_equalities(left)?;
            check_equalities(right)
        }
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq,
            right,
        } if column(left).is_some() && column(right).is_some() => Ok(()),
        _ => refuse(Rule::JoinForm, "ON"),
    }
}
