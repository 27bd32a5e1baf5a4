//! Windows: what is asked of the groups beside a group, above the aggregation and what HAVING keeps of it.
//!
//! Functions are known by the identity of their implementation. Arguments are figures and numbers, parts are made by
//! group columns, and no frame but the one that the language gives to a window without a frame is read.

use std::sync::Arc;

use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_window::lead_lag::{lag_udwf, lead_udwf};
use datafusion::functions_window::rank::rank_udwf;
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::{WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr, LogicalPlan, SortExpr, Window as Node, WindowFrame, WindowFunctionDefinition,
};
use datafusion::scalar::ScalarValue;

use super::above::{Column, Figures};
use super::node::{Node as Kind, Term, classify, term};
use super::{Output, Shown};
use crate::formula::Formula;
use crate::rule::{Rule, TemplateRefused};
use crate::window::{Asked, By, DISTANCE_MAX, OrderBy, Window};

/// Most windows of a statement, each of which orders all groups.
const WINDOWS_MAX: usize = 16;

fn refused(part: &'static str) -> TemplateRefused {
    TemplateRefused::new(Rule::WindowForm, part)
}

/// The windows on top of a plan, the lowest first, and what is below them.
pub(super) fn peel(plan: &LogicalPlan) -> (Vec<&Node>, &LogicalPlan) {
    let (mut windows, mut below) = (Vec::new(), plan);
    while let Kind::Window(window) = classify(below) {
        windows.push(window);
        below = &window.input;
    }
    windows.reverse();
    (windows, below)
}

/// The windows in the order in which the plan appends their columns. `figures` are the columns below all of them.
pub(super) fn read(nodes: &[&Node], figures: &Figures<'_>) -> Result<Vec<Window>, TemplateRefused> {
    let mut windows = Vec::new();
    for Node {
        input,
        window_expr,
        schema,
    } in nodes
    {
        // Each node hands on what it takes, and puts its own columns behind.
        if schema.fields().len() != input.schema().fields().len() + window_expr.len() {
            return Err(refused("OVER"));
        }
        for expr in window_expr {
            windows.push(window(expr, figures)?);
        }
    }
    match windows.len() <= WINDOWS_MAX {
        true => Ok(windows),
        false => Err(TemplateRefused::new(Rule::SqlLong, "OVER")),
    }
}

fn window(expr: &Expr, figures: &Figures<'_>) -> Result<Window, TemplateRefused> {
    let WindowFunction { fun, params } = match term(expr) {
        Term::Window(function) => function,
        // The name that the planner gives to a column.
        Term::Alias(inner) => return window(inner, figures),
        _ => return Err(refused("OVER")),
    };
    let WindowFunctionParams {
        args,
        partition_by,
        order_by,
        window_frame,
        filter,
        null_treatment,
        distinct,
    } = params;
    if filter.is_some() || null_treatment.is_some() || *distinct {
        return Err(refused("OVER"));
    }
    let usual = WindowFrame::new((!order_by.is_empty()).then_some(false));
    if *window_frame != usual {
        return Err(refused("ROWS"));
    }
    let asked = asked(fun, args, figures)?;
    if order_by.is_empty() && !matches!(asked, Asked::Sum(_)) {
        return Err(refused("ORDER BY"));
    }
    let partition = partition_by.iter().map(|key| group(key, figures));
    let order = order_by.iter().map(|key| ordered(key, figures));
    Ok(Window {
        asked,
        partition: partition.collect::<Result<_, _>>()?,
        order: order.collect::<Result<_, _>>()?,
    })
}

fn asked(
    function: &WindowFunctionDefinition,
    arguments: &[Expr],
    figures: &Figures<'_>,
) -> Result<Asked, TemplateRefused> {
    let is_sum = |function| Arc::ptr_eq(function, &sum_udaf());
    let of = |expr: &Expr| {
        let formula = figures.formula(expr)?;
        let depends = formula.has_figure();
        depends.then_some(formula).ok_or_else(|| refused("OVER"))
    };
    match (function, arguments) {
        (WindowFunctionDefinition::AggregateUDF(function), [one]) if is_sum(function) => {
            Ok(Asked::Sum(of(one)?))
        }
        (WindowFunctionDefinition::AggregateUDF(_), _) => Err(refused("OVER")),
        (WindowFunctionDefinition::WindowUDF(function), arguments) => {
            let is = |known| Arc::ptr_eq(function, &known);
            let beside = |asked: fn(Formula, usize) -> Asked| match arguments {
                [one] => Ok(asked(of(one)?, 1)),
                [one, distance] => Ok(asked(of(one)?, distance_of(distance)?)),
                _ => Err(refused("OVER")),
            };
            match arguments {
                [] if is(rank_udwf()) => Ok(Asked::Rank),
                [] if is(row_number_udwf()) => Ok(Asked::RowNumber),
                _ if is(lag_udwf()) => beside(Asked::Lag),
                _ if is(lead_udwf()) => beside(Asked::Lead),
                _ => Err(refused("OVER")),
            }
        }
    }
}

fn distance_of(expr: &Expr) -> Result<usize, TemplateRefused> {
    let distance = match term(expr) {
        Term::Literal(ScalarValue::Int64(Some(distance))) => usize::try_from(*distance).ok(),
        _ => None,
    };
    { distance.filter(|distance| (1..=DISTANCE_MAX).contains(distance)) }
        .ok_or_else(|| refused("OVER"))
}

/// A group column.
fn group(expr: &Expr, figures: &Figures<'_>) -> Result<usize, TemplateRefused> {
    match term(expr) {
        Term::Column(column) => match figures.column(column)? {
            Column::Group(group) => Ok(group),
            Column::Figure(_) | Column::Window(_) => Err(refused("PARTITION BY")),
        },
        _ => Err(refused("PARTITION BY")),
    }
}

fn ordered(key: &SortExpr, figures: &Figures<'_>) -> Result<OrderBy, TemplateRefused> {
    let SortExpr {
        expr,
        asc,
        nulls_first,
    } = key;
    let column = match term(expr) {
        Term::Column(column) => Some(figures.column(column)?),
        _ => None,
    };
    let by = match column {
        Some(Column::Group(group)) => By::Group(group),
        Some(Column::Figure(_) | Column::Window(_)) | None => {
            let formula = figures.formula(expr)?;
            let depends = formula.has_figure();
            By::Formula(
                depends
                    .then_some(formula)
                    .ok_or_else(|| refused("ORDER BY"))?,
            )
        }
    };
    Ok(OrderBy {
        by,
        descending: !asc,
        nulls_first: *nulls_first,
    })
}

/// What lies before and after a group is one group only if the window names every group column; and that a group between
/// them is not shown can be seen only if they are outputs.
pub(super) fn check(
    windows: &[Window],
    groups: usize,
    outputs: &[Output],
) -> Result<(), TemplateRefused> {
    let is_shown = |group: usize| {
        let mut shown = outputs.iter();
        shown.any(|output| matches!(output.shown, Shown::Group(shown) if shown == group))
    };
    for window in windows {
        let named = |group: usize| {
            let ordered = |order: &OrderBy| order.by == By::Group(group);
            window.partition.contains(&group) || window.order.iter().any(ordered)
        };
        let by_figures = { window.order.iter() }.any(|order| matches!(order.by, By::Formula(_)));
        let is_beside = matches!(window.asked, Asked::Lag(..) | Asked::Lead(..));
        if is_beside && (by_figures || !(0..groups).all(|group| named(group) && is_shown(group))) {
            return Err(refused("ORDER BY"));
        }
    }
    Ok(())
}
