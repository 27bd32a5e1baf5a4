//! The first gate: is the text one plain statement, every clause of which is known?
//!
//! DataFusion parses clauses that it then drops in silence (samples, locks, hints), so each struct of the syntax tree
//! is taken apart without `..`: a field that a new parser version adds fails to compile here. This gate knows nothing
//! of policies; it only leaves so little that the second gate can be read in one sitting.

mod expression;
mod figure;

use std::collections::BTreeSet;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, LimitClause, ObjectName,
    ObjectNamePart, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, Query, Select, SelectFlavor,
    SelectItem, SetExpr, Statement, TableAlias, TableFactor, TableWithJoins,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use crate::rule::{Rule, TemplateRefused, refuse};
use crate::safeguard::{Safeguard, stands};

/// Deepest nesting that the parser follows. What is accepted needs no more than a few.
const DEPTH_MAX: usize = 24;
/// Most tokens of a statement.
const TOKENS_MAX: usize = 4_096;
/// Most operators that join two parts. The parser reads a chain of them in a loop, which its limit of depth does not count, and
/// makes a tree of it that is as deep as the chain is long: every walk down that tree takes so much of the stack.
const OPERATORS_MAX: usize = 128;
/// Most output columns.
const OUTPUTS_MAX: usize = 32;

/// A statement whose every part is one of the accepted ones.
pub(crate) struct Shape {
    /// The statement as parsed.
    pub(crate) statement: Statement,
    /// The names of the placeholders in it, without `$`.
    pub(crate) placeholders: BTreeSet<String>,
}

/// Reads the text.
pub(crate) fn read(sql: &str, sql_bytes_max: usize) -> Result<Shape, TemplateRefused> {
    if sql.len() > sql_bytes_max {
        return Err(TemplateRefused::bare(Rule::SqlLong));
    }
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, sql)
        .tokenize()
        .map_err(|_| TemplateRefused::bare(Rule::Token))?;
    let placeholders = plain(&tokens)?;
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(DEPTH_MAX)
        .with_tokens(tokens);
    let statements = parser
        .parse_statements()
        .map_err(|_| TemplateRefused::bare(Rule::NotOneSelect))?;
    // The parser takes the word END for the end of everything, and drops what follows.
    if parser.peek_token().token != Token::EOF && stands(Safeguard::WholeText) {
        return Err(TemplateRefused::bare(Rule::NotOneSelect));
    }
    let [statement] = <[Statement; 1]>::try_from(statements)
        .map_err(|_| TemplateRefused::bare(Rule::NotOneSelect))?;
    let Statement::Query(query) = &statement else {
        return Err(TemplateRefused::bare(Rule::NotOneSelect));
    };
    check_query(query)?;
    Ok(Shape {
        statement,
        placeholders,
    })
}

/// Only signs that a template needs: comments may be hints, quoted names may be look-alikes, and the other forms of
/// strings are read differently by different readers.
fn plain(tokens: &[Token]) -> Result<BTreeSet<String>, TemplateRefused> {
    if tokens.len() > TOKENS_MAX {
        return Err(TemplateRefused::bare(Rule::SqlLong));
    }
    if tokens.iter().filter(|token| joins(token)).count() > OPERATORS_MAX {
        return Err(TemplateRefused::bare(Rule::SqlLong));
    }
    let mut placeholders = BTreeSet::new();
    for token in tokens {
        let plain = match token {
            Token::Word(word) => word.quote_style.is_none() && is_name(&word.value),
            Token::Number(digits, long) => !long && is_plain_number(digits),
            Token::Placeholder(name) => match name.strip_prefix('$') {
                Some(name) if is_lower_name(name) => {
                    placeholders.insert(name.to_owned());
                    true
                }
                _ => false,
            },
            Token::SingleQuotedString(_)
            | Token::Comma
            | Token::LParen
            | Token::RParen
            | Token::Period
            | Token::Mul
            | Token::Minus
            | Token::Plus
            | Token::Div
            | Token::Eq
            | Token::Neq
            | Token::Lt
            | Token::Gt
            | Token::LtEq
            | Token::GtEq
            | Token::Whitespace(Whitespace::Space | Whitespace::Newline | Whitespace::Tab) => true,
            _ => false,
        };
        if !plain && stands(Safeguard::Tokens) {
            return Err(TemplateRefused::bare(Rule::Token));
        }
    }
    Ok(placeholders)
}

/// Whether the token may join two parts of an expression to one that is deeper than both.
fn joins(token: &Token) -> bool {
    match token {
        Token::Word(word) => {
            let word = word.value.to_ascii_uppercase();
            ["AND", "BETWEEN", "IN", "NOT", "OR"].contains(&word.as_str())
        }
        Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::Div
        | Token::Eq
        | Token::Neq
        | Token::Lt
        | Token::Gt
        | Token::LtEq
        | Token::GtEq => true,
        _ => false,
    }
}

/// Digits, and a point between two of them.
fn is_plain_number(number: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match number.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(number),
    }
}

fn is_name(name: &str) -> bool {
    is_lower_name(&name.to_ascii_lowercase())
}

/// A name of a table, column or parameter: `[a-z_][a-z0-9_]{0,63}`.
pub(crate) fn is_lower_name(name: &str) -> bool {
    let begins = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| begins(byte) || byte.is_ascii_digit())
        && name.bytes().next().is_some_and(begins)
}

fn check_query(query: &Query) -> Result<(), TemplateRefused> {
    let Query {
        with,
        body,
        order_by,
        limit_clause,
        fetch,
        locks,
        for_clause,
        settings,
        format_clause,
        pipe_operators,
    } = query;
    absent(with.is_none(), "WITH")?;
    absent(fetch.is_none(), "FETCH")?;
    absent(locks.is_empty(), "FOR UPDATE")?;
    absent(for_clause.is_none(), "FOR")?;
    absent(settings.is_none(), "SETTINGS")?;
    absent(format_clause.is_none(), "FORMAT")?;
    absent(pipe_operators.is_empty(), "|>")?;
    let SetExpr::Select(select) = body.as_ref() else {
        return Err(TemplateRefused::bare(Rule::NotOneSelect));
    };
    let outputs = check_select(select)?;
    if let Some(order_by) = order_by {
        check_order(order_by, &outputs)?;
    }
    limit_clause.as_ref().map_or(Ok(()), check_limit)
}

/// Checks the body and returns the names of the outputs, as far as they have one.
fn check_select(select: &Select) -> Result<Vec<String>, TemplateRefused> {
    let Select {
        select_token: _, // the place of the word in the text
        optimizer_hints,
        distinct,
        select_modifiers,
        top,
        top_before_distinct,
        projection,
        exclude,
        into,
        from,
        lateral_views,
        prewhere,
        selection,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having,
        named_window,
        qualify,
        window_before_qualify,
        value_table_mode,
        flavor,
    } = select;
    absent(optimizer_hints.is_empty(), "hint")?;
    absent(distinct.is_none(), "DISTINCT")?;
    absent(select_modifiers.is_none(), "SELECT modifier")?;
    absent(top.is_none() && !top_before_distinct, "TOP")?;
    absent(exclude.is_none(), "EXCLUDE")?;
    absent(into.is_none(), "INTO")?;
    absent(lateral_views.is_empty(), "LATERAL VIEW")?;
    absent(prewhere.is_none(), "PREWHERE")?;
    absent(connect_by.is_empty(), "CONNECT BY")?;
    absent(cluster_by.is_empty(), "CLUSTER BY")?;
    absent(distribute_by.is_empty(), "DISTRIBUTE BY")?;
    absent(sort_by.is_empty(), "SORT BY")?;
    absent(named_window.is_empty(), "WINDOW")?;
    absent(qualify.is_none() && !window_before_qualify, "QUALIFY")?;
    absent(value_table_mode.is_none(), "AS STRUCT")?;
    absent(matches!(flavor, SelectFlavor::Standard), "FROM first")?;
    let [source] = from.as_slice() else {
        return refuse(Rule::TableForm, "FROM");
    };
    check_source(source)?;
    if let Some(selection) = selection {
        expression::check_condition(selection)?;
    }
    match group_by {
        GroupByExpr::All(_) => return refuse(Rule::Clause, "GROUP BY ALL"),
        GroupByExpr::Expressions(keys, modifiers) => {
            absent(modifiers.is_empty(), "GROUP BY modifier")?;
            for key in keys {
                expression::check_key(key, "GROUP BY")?;
            }
        }
    }
    having.as_ref().map_or(Ok(()), figure::check_having)?;
    check_outputs(projection)
}

fn check_outputs(projection: &[SelectItem]) -> Result<Vec<String>, TemplateRefused> {
    if projection.is_empty() || projection.len() > OUTPUTS_MAX {
        return Err(TemplateRefused::bare(Rule::OutputForm));
    }
    let mut names = Vec::with_capacity(projection.len());
    for item in projection {
        match item {
            SelectItem::UnnamedExpr(output) => {
                names.extend(expression::check_output(output)?);
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                expression::check_output(expr)?;
                names.push(name(alias, Rule::OutputForm)?);
            }
            SelectItem::ExprWithAliases { .. } => return refuse(Rule::OutputForm, "AS (…)"),
            SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => {
                return refuse(Rule::OutputForm, "*");
            }
        }
    }
    let distinct: BTreeSet<&String> = names.iter().collect();
    if distinct.len() != names.len() {
        return refuse(Rule::OutputForm, "two outputs of one name");
    }
    Ok(names)
}

fn check_source(source: &TableWithJoins) -> Result<(), TemplateRefused> {
    let TableWithJoins { relation, joins } = source;
    check_table(relation)?;
    for Join {
        relation,
        global,
        join_operator,
    } in joins
    {
        check_table(relation)?;
        absent(!global, "GLOBAL")?;
        match join_operator {
            JoinOperator::Join(JoinConstraint::On(on))
            | JoinOperator::Inner(JoinConstraint::On(on))
            | JoinOperator::Left(JoinConstraint::On(on))
            | JoinOperator::LeftOuter(JoinConstraint::On(on)) => expression::check_equalities(on)?,
            _ => return Err(TemplateRefused::bare(Rule::JoinForm)),
        }
    }
    Ok(())
}

fn check_table(factor: &TableFactor) -> Result<(), TemplateRefused> {
    let TableFactor::Table {
        name: table,
        alias,
        args,
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_hints,
    } = factor
    else {
        return Err(TemplateRefused::bare(Rule::TableForm));
    };
    let plain = args.is_none()
        && with_hints.is_empty()
        && version.is_none()
        && !with_ordinality
        && partitions.is_empty()
        && json_path.is_none()
        && sample.is_none()
        && index_hints.is_empty();
    if !plain && stands(Safeguard::TableForm) {
        return Err(TemplateRefused::bare(Rule::TableForm));
    }
    one_part(table, Rule::TableForm)?;
    if let Some(TableAlias {
        explicit: _, // whether AS is written
        name: alias,
        columns,
        at,
    }) = alias
    {
        name(alias, Rule::TableForm)?;
        if !columns.is_empty() || at.is_some() {
            return Err(TemplateRefused::bare(Rule::TableForm));
        }
    }
    Ok(())
}

fn check_order(order_by: &OrderBy, outputs: &[String]) -> Result<(), TemplateRefused> {
    let OrderBy { kind, interpolate } = order_by;
    absent(interpolate.is_none(), "INTERPOLATE")?;
    let OrderByKind::Expressions(keys) = kind else {
        return refuse(Rule::OrderForm, "ORDER BY ALL");
    };
    for OrderByExpr {
        expr,
        options: OrderByOptions {
            asc: _,
            nulls_first: _,
        },
        with_fill,
    } in keys
    {
        absent(with_fill.is_none(), "WITH FILL")?;
        let named = expression::lone_identifier(expr).is_some_and(|key| outputs.contains(&key));
        // An aggregate, or what is computed from some: whether it is an output too is decided on the plan.
        let computed = matches!(
            expr,
            Expr::BinaryOp { .. } | Expr::Cast { .. } | Expr::Function(_)
        ) && figure::check_formula(expr, "ORDER BY").is_ok();
        if !(named || computed) {
            return refuse(Rule::OrderForm, "ORDER BY");
        }
    }
    Ok(())
}

fn check_limit(clause: &LimitClause) -> Result<(), TemplateRefused> {
    let LimitClause::LimitOffset {
        limit: Some(limit),
        offset: None,
        limit_by,
    } = clause
    else {
        return refuse(Rule::OrderForm, "LIMIT");
    };
    if limit_by.is_empty() && expression::is_number(limit) {
        Ok(())
    } else {
        refuse(Rule::OrderForm, "LIMIT")
    }
}

/// A name of one part, in lower case.
fn one_part(object: &ObjectName, rule: Rule) -> Result<String, TemplateRefused> {
    let ObjectName(parts) = object;
    match parts.as_slice() {
        [ObjectNamePart::Identifier(ident)] => name(ident, rule),
        _ => Err(TemplateRefused::bare(rule)),
    }
}

fn name(ident: &Ident, rule: Rule) -> Result<String, TemplateRefused> {
    let Ident {
        value,
        quote_style,
        span: _, // the place of the name in the text
    } = ident;
    let lower = value.to_ascii_lowercase();
    if quote_style.is_none() && is_lower_name(&lower) {
        Ok(lower)
    } else {
        Err(TemplateRefused::bare(rule))
    }
}

fn absent(absent: bool, clause: &'static str) -> Result<(), TemplateRefused> {
    if absent || !stands(Safeguard::Clauses) {
        Ok(())
    } else {
        refuse(Rule::Clause, clause)
    }
}
