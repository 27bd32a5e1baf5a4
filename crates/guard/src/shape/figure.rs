//! What may be computed from figures, and what HAVING may say of them: aggregates, numbers, parameters, and a few total
//! operations; in SELECT also windows over the groups that are shown.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentList, FunctionArguments, OrderByExpr, OrderByOptions,
    UnaryOperator, Value, ValueWithSpan, WindowSpec, WindowType,
};

use super::expression::{check_aggregate, check_key, lone_identifier};
use super::one_part;
use crate::rule::{Rule, TemplateRefused, refuse};

/// Longest number in the text.
const DIGITS_MAX: usize = 18;

/// The functions of figures. What they take is decided on the plan.
const FUNCTIONS: [&str; 3] = ["abs", "nullif", "round"];

/// Whether the call is of a function of figures.
pub(super) fn is_function(function: &Function) -> bool {
    one_part(&function.name, Rule::FigureForm).is_ok_and(|name| FUNCTIONS.contains(&name.as_str()))
}

/// A number computed from figures. In HAVING outputs may stand under their names.
pub(super) fn check_formula(expr: &Expr, place: &'static str) -> Result<(), TemplateRefused> {
    match expr {
        Expr::Nested(inner) => check_formula(inner, place),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => check_formula(expr, place),
        Expr::BinaryOp {
            left,
            op:
                BinaryOperator::Plus
                | BinaryOperator::Minus
                | BinaryOperator::Multiply
                | BinaryOperator::Divide,
            right,
        } => {
            check_formula(left, place)?;
            check_formula(right, place)
        }
        Expr::Cast {
            kind: CastKind::Cast,
            expr,
            data_type:
                DataType::Double(ExactNumberInfo::None)
                | DataType::DoublePrecision
                | DataType::Decimal(ExactNumberInfo::PrecisionAndScale(..))
                | DataType::Numeric(ExactNumberInfo::PrecisionAndScale(..)),
            array: false,
            format: None,
        } => check_formula(expr, place),
        Expr::Function(function) if function.over.is_some() => check_window(function, place),
        Expr::Function(function) if is_function(function) => check_function(function, place),
        Expr::Function(function) => check_aggregate(function),
        Expr::Identifier(_) if place == "HAVING" && lone_identifier(expr).is_some() => Ok(()),
        _ if is_decimal(expr) || is_placeholder(expr) => Ok(()),
        _ => refuse(Rule::FigureForm, place),
    }
}

fn check_function(function: &Function, place: &'static str) -> Result<(), TemplateRefused> {
    let Function {
        name: _, // known
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
        return refuse(Rule::FigureForm, place);
    };
    if !clauses.is_empty() || !within_group.is_empty() || args.is_empty() {
        return refuse(Rule::FigureForm, place);
    }
    for argument in args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => {
                check_formula(argument, place)?;
            }
            _ => return refuse(Rule::FigureForm, place),
        }
    }
    Ok(())
}

/// A function of groups beside a group: plain, over parts of group columns, in an order of group columns and figures.
fn check_window(function: &Function, place: &'static str) -> Result<(), TemplateRefused> {
    let refused = || TemplateRefused::new(Rule::WindowForm, place);
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
        over:
            Some(WindowType::WindowSpec(WindowSpec {
                window_name: None,
                partition_by,
                order_by,
                window_frame: None,
            })),
        within_group,
    } = function
    else {
        return Err(refused());
    };
    // What HAVING keeps is decided before, and a window sees no window.
    let may_stand = matches!(place, "SELECT" | "ORDER BY");
    let called = one_part(called, Rule::WindowForm)?;
    let many = match called.as_str() {
        "lag" | "lead" => 1..=2,
        "rank" | "row_number" => 0..=0,
        "sum" => 1..=1,
        _ => return Err(refused()),
    };
    let plain = clauses.is_empty() && within_group.is_empty() && many.contains(&args.len());
    if !may_stand || !plain {
        return Err(refused());
    }
    for argument in args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => {
                check_formula(argument, "OVER")?;
            }
            _ => return Err(refused()),
        }
    }
    for key in partition_by {
        check_key(key, "OVER")?;
    }
    order_by.iter().try_for_each(check_window_order)
}

fn check_window_order(key: &OrderByExpr) -> Result<(), TemplateRefused> {
    let OrderByExpr {
        expr,
        options: OrderByOptions {
            asc: _,
            nulls_first: _,
        },
        with_fill: None,
    } = key
    else {
        return refuse(Rule::WindowForm, "WITH FILL");
    };
    match check_key(expr, "OVER") {
        Ok(_) => Ok(()),
        Err(_) => check_formula(expr, "OVER"),
    }
}

/// `$name`.
fn is_placeholder(expr: &Expr) -> bool {
    let Expr::Value(ValueWithSpan { value, span: _ }) = expr else {
        return false;
    };
    matches!(value, Value::Placeholder(_))
}

/// An unsigned number, with digits after a point or without.
fn is_decimal(expr: &Expr) -> bool {
    let Expr::Value(ValueWithSpan { value, span: _ }) = expr else {
        return false;
    };
    matches!(value, Value::Number(digits, false) if digits.len() <= DIGITS_MAX)
}

/// Comparisons of formulas, joined by AND, OR and NOT.
pub(super) fn check_having(expr: &Expr) -> Result<(), TemplateRefused> {
    match expr {
        Expr::Nested(inner) => check_having(inner),
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => check_having(expr),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And | BinaryOperator::Or,
            right,
        } => {
            check_having(left)?;
            check_having(right)
        }
        Expr::BinaryOp {
            left,
            op:
                BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq,
            right,
        } => {
            check_formula(left, "HAVING")?;
            check_formula(right, "HAVING")
        }
        Expr::Between {
            expr,
            negated: false,
            low,
            high,
        } => {
            check_formula(expr, "HAVING")?;
            check_formula(low, "HAVING")?;
            check_formula(high, "HAVING")
        }
        _ => Err(TemplateRefused::bare(Rule::HavingForm)),
    }
}
