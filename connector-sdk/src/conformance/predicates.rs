//! Predicates over the values that a table really has, chosen to be answered differently by different systems: letters
//! of another case, trailing blanks, empty texts, nulls in lists, wildcards in values.

use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Expr, Operator, binary_expr, lit};

use super::random::Choices;
use super::rows::joined;
use super::subject::Examined;

/// A predicate, and what it looks like without any value.
#[derive(Clone)]
pub(super) struct Predicate {
    pub(super) expr: Expr,
    pub(super) shape: String,
}

/// Values of one column at most.
const VALUES: usize = 8;
/// Characters of a text that a pattern is made of at most: matching without regard to case becomes an automaton of the
/// pattern's length, which takes minutes for long texts.
const PATTERN_CHARACTERS: usize = 64;
/// Rows that values are taken from at most.
const SAMPLED: usize = 512;

/// One column and values to compare it with; none of them is null.
struct Domain {
    name: String,
    values: Vec<ScalarValue>,
    null: ScalarValue,
}

/// At most `most` predicates of the kind that the check `id` is about.
pub(super) fn generate(
    table: &Examined,
    id: &str,
    most: usize,
    choices: &mut Choices,
) -> Vec<Predicate> {
    let domains = domains(table, choices);
    let all = match id {
        "push-down.compare" => domains.iter().flat_map(compared).collect(),
        "push-down.in" => domains.iter().flat_map(listed).collect(),
        "push-down.like" => domains.iter().flat_map(alike).collect(),
        "push-down.null" => domains.iter().flat_map(absent).collect(),
        _ => combined(&domains, most, choices),
    };
    choices.some(all, most)
}

fn domains(table: &Examined, choices: &mut Choices) -> Vec<Domain> {
    let Some(whole) = joined(&table.schema, &table.batches) else {
        return Vec::new();
    };
    let fields = table.schema.fields().iter().zip(whole.columns());
    let domains = fields.filter_map(|(field, column)| {
        let null = ScalarValue::try_from(field.data_type()).ok()?;
        let rows: Vec<usize> = (0..column.len()).collect();
        let mut values: Vec<ScalarValue> = Vec::new();
        for row in choices.some_of(rows, SAMPLED) {
            let value = ScalarValue::try_from_array(column, row).ok()?;
            if !value.is_null() && !values.contains(&value) {
                values.push(value);
            }
        }
        // The least and the greatest are where systems differ first: signs, precision, letters of other alphabets.
        values.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
        let ends: Vec<_> = [values.first().cloned(), values.last().cloned()]
            .into_iter()
            .flatten()
            .collect();
        let mut values = choices.some(values, VALUES - 2);
        values.extend(ends);
        values.dedup();
        Some(Domain {
            name: field.name().clone(),
            values,
            null,
        })
    });
    domains.collect()
}

impl Domain {
    fn column(&self) -> Expr {
        Expr::Column(Column::from_name(&self.name))
    }

    fn predicate(&self, expr: Expr, shape: &str) -> Predicate {
        Predicate {
            expr,
            shape: format!("`{}` {shape}", self.name),
        }
    }

    fn texts(&self) -> Vec<&str> {
        let texts = self.values.iter().filter_map(|value| match value {
            ScalarValue::Utf8(text)
            | ScalarValue::LargeUtf8(text)
            | ScalarValue::Utf8View(text) => text.as_deref(),
            _ => None,
        });
        texts.collect()
    }

    /// A text as a value of this column's type.
    fn text(&self, text: &str) -> Expr {
        let text = Some(text.to_owned());
        lit(match self.null {
            ScalarValue::LargeUtf8(_) => ScalarValue::LargeUtf8(text),
            ScalarValue::Utf8View(_) => ScalarValue::Utf8View(text),
            _ => ScalarValue::Utf8(text),
        })
    }
}

fn compared(domain: &Domain) -> Vec<Predicate> {
    let operators = [
        (Operator::Eq, "="),
        (Operator::NotEq, "<>"),
        (Operator::Lt, "<"),
        (Operator::LtEq, "<="),
        (Operator::Gt, ">"),
        (Operator::GtEq, ">="),
        (Operator::IsDistinctFrom, "IS DISTINCT FROM"),
        (Operator::IsNotDistinctFrom, "IS NOT DISTINCT FROM"),
    ];
    let mut near: Vec<Expr> = domain.values.iter().cloned().map(lit).collect();
    for text in domain.texts() {
        let shorter: String = text.chars().take(text.chars().count().max(1) - 1).collect();
        let others = [
            text.to_lowercase(),
            text.to_uppercase(),
            format!("{text} "),
            text.trim_end().to_owned(),
            shorter,
            String::new(),
        ];
        near.extend(others.iter().map(|other| domain.text(other)));
    }
    if let ScalarValue::Float64(_) = domain.null {
        near.extend([f64::NAN, -0.0, f64::INFINITY].map(lit));
    }
    let mut predicates = Vec::new();
    for value in near {
        for (operator, shape) in operators {
            let expr = binary_expr(domain.column(), operator, value.clone());
            predicates.push(domain.predicate(expr, shape));
            // The value on the left.
            let expr = binary_expr(value.clone(), operator, domain.column());
            predicates.push(domain.predicate(expr, &format!("behind {shape}")));
        }
    }
    for pair in domain.values.windows(2) {
        let (low, high) = (lit(pair[0].clone()), lit(pair[1].clone()));
        let between = domain.column().between(low.clone(), high.clone());
        predicates.push(domain.predicate(between, "BETWEEN"));
        let between = domain.column().not_between(low, high);
        predicates.push(domain.predicate(between, "NOT BETWEEN"));
    }
    predicates
}

fn listed(domain: &Domain) -> Vec<Predicate> {
    let mut predicates = Vec::new();
    for length in 1..=domain.values.len().min(5) {
        for values in domain.values.windows(length) {
            let values: Vec<Expr> = values.iter().cloned().map(lit).collect();
            let mut with_null = values.clone();
            with_null.push(lit(domain.null.clone()));
            for (negated, list, shape) in [
                (false, values.clone(), "IN"),
                (true, values, "NOT IN"),
                (false, with_null.clone(), "IN with NULL"),
                (true, with_null, "NOT IN with NULL"),
            ] {
                let expr = domain.column().in_list(list, negated);
                predicates.push(domain.predicate(expr, shape));
            }
        }
    }
    predicates
}

fn absent(domain: &Domain) -> Vec<Predicate> {
    let null = || lit(domain.null.clone());
    let equal = |operator| binary_expr(domain.column(), operator, null());
    vec![
        domain.predicate(domain.column().is_null(), "IS NULL"),
        domain.predicate(domain.column().is_not_null(), "IS NOT NULL"),
        domain.predicate(equal(Operator::Eq), "= NULL"),
        domain.predicate(equal(Operator::NotEq), "<> NULL"),
        domain.predicate(equal(Operator::IsDistinctFrom), "IS DISTINCT FROM NULL"),
        domain.predicate(
            Expr::Not(Box::new(domain.column().is_null())),
            "NOT IS NULL",
        ),
    ]
}

fn alike(domain: &Domain) -> Vec<Predicate> {
    let mut predicates = Vec::new();
    for text in domain.texts() {
        let characters: Vec<char> = text.chars().collect();
        let part = |range: std::ops::Range<usize>| -> String {
            characters.get(range).unwrap_or(&[]).iter().collect()
        };
        let count = characters.len();
        if count > PATTERN_CHARACTERS {
            continue;
        }
        let patterns = [
            format!("{}%", part(0..1)),
            format!("%{}", part(count.saturating_sub(1)..count)),
            format!("%{}%", part(count / 3..count.div_ceil(2))),
            format!("_{}", part(1.min(count)..count)),
            format!("{}_", part(0..count.saturating_sub(1))),
            format!("{text}%"),
            text.to_owned(),
            text.to_lowercase(),
            format!("{}%", text.to_uppercase()),
            format!("%{}%", text.replace('%', "\\%").replace('_', "\\_")),
        ];
        for pattern in patterns {
            let pattern = || domain.text(&pattern);
            let column = || domain.column();
            predicates.extend([
                domain.predicate(column().like(pattern()), "LIKE"),
                domain.predicate(column().not_like(pattern()), "NOT LIKE"),
                domain.predicate(column().ilike(pattern()), "ILIKE"),
            ]);
        }
    }
    predicates
}

fn combined(domains: &[Domain], most: usize, choices: &mut Choices) -> Vec<Predicate> {
    let kinds = [compared, listed, absent, alike];
    let simple: Vec<Predicate> = kinds
        .iter()
        .flat_map(|kind| domains.iter().flat_map(kind))
        .collect();
    if simple.is_empty() {
        return Vec::new();
    }
    let mut predicates = Vec::new();
    for turn in 0..most {
        let mut one = || simple[choices.below(simple.len())].clone();
        let (a, b, c) = (one(), one(), one());
        let not = |expr: Expr| Expr::Not(Box::new(expr));
        let (expr, shape) = match turn % 4 {
            0 => (a.expr.and(b.expr), "and"),
            1 => (a.expr.or(b.expr), "or"),
            2 => (not(a.expr.or(b.expr)), "neither"),
            _ => (a.expr.or(not(b.expr.and(c.expr))), "or not both"),
        };
        predicates.push(Predicate {
            expr,
            shape: format!("{} {shape} {}", a.shape, b.shape),
        });
    }
    predicates
}
