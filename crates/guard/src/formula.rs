//! Above the Gate: numbers computed from released figures, and which groups are kept by them.
//!
//! Everything here is a function of figures as they leave, rounded, and unknown where they are kept back, and of the
//! caller's own numbers, so an answer tells no more than the table of its figures. Every operation is total: what has no
//! value, such as a division by zero or a number that is too large, is unknown and never an error. Numbers are read as in
//! SQL: whole numbers divide to whole numbers, and one with a fraction makes the result one.

use std::cmp::Ordering;

use crate::gate::Figure as Number;
use crate::infer::Operation;
use crate::safeguard::{Safeguard, stands};

/// Most digits of a decimal.
pub(crate) const PRECISION_MAX: u8 = 18;
/// Most of them after the point.
pub(crate) const SCALE_MAX: u8 = 9;
/// Most digits after the point that are rounded to.
pub(crate) const DIGITS_MAX: u8 = 9;

/// A number computed from figures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Formula {
    Absolute(Box<Formula>),
    Arithmetic(Operation, Box<Formula>, Box<Formula>),
    /// Index into the figures of the statement.
    Figure(usize),
    /// The same as a number with a fraction.
    Fraction(Box<Formula>),
    Negative(Box<Formula>),
    /// The first, or unknown where both are equal.
    NullIf(Box<Formula>, Box<Formula>),
    /// Stands in the text.
    Number(Number),
    /// A number that the caller gives; index into the parameters of the statement.
    Parameter(usize),
    /// To so many digits after the point.
    Rounded(Box<Formula>, u8),
    /// Index into the windows of the statement.
    Window(usize),
}

/// What a formula sees: one group that is shown, and what the caller gave.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Line<'a> {
    /// The group's figures as they are released.
    pub(crate) figures: &'a [Option<Number>],
    /// What the windows of the statement say of the group; empty where they are not known yet.
    pub(crate) windows: &'a [Option<Number>],
    /// Per parameter its number; none of those that are not numbers.
    pub(crate) parameters: &'a [Option<Number>],
}

/// Which figures, and which windows, are whole numbers.
pub(crate) struct Wholes {
    pub(crate) figures: Vec<bool>,
    pub(crate) windows: Vec<bool>,
}

/// How figures, windows and parameters stand in a statement.
#[derive(Default)]
pub(crate) struct Texts {
    pub(crate) figures: Vec<String>,
    pub(crate) windows: Vec<String>,
    pub(crate) parameters: Vec<String>,
}

fn text_at(texts: &[String], at: usize) -> String {
    texts.get(at).cloned().unwrap_or_default()
}

/// A number that fits or is finite, and nothing else.
pub(crate) fn real(number: f64) -> Option<Number> {
    let finite = number.is_finite() || !stands(Safeguard::TotalArithmetic);
    // There is one zero.
    finite.then_some(Number::Real(number + 0.0))
}

/// The same as a number with a fraction.
pub(crate) fn as_real(number: Number) -> f64 {
    match number {
        Number::Real(number) => number,
        Number::Whole(number) => number as f64,
    }
}

fn whole(operation: Operation, left: i64, right: i64) -> Option<i64> {
    let total = match operation {
        Operation::Add => left.checked_add(right),
        Operation::Divide => left.checked_div(right),
        Operation::Multiply => left.checked_mul(right),
        Operation::Subtract => left.checked_sub(right),
    };
    match stands(Safeguard::TotalArithmetic) {
        true => total,
        false => Some(total.unwrap_or(i64::MAX)),
    }
}

fn fraction(operation: Operation, left: f64, right: f64) -> f64 {
    match operation {
        Operation::Add => left + right,
        Operation::Divide => left / right,
        Operation::Multiply => left * right,
        Operation::Subtract => left - right,
    }
}

fn rounded(number: f64, digits: u8) -> f64 {
    let unit = 10_f64.powi(digits.into());
    (number * unit).round() / unit
}

impl Formula {
    /// The number; none where it has none, above all where a figure is kept back.
    pub(crate) fn value(&self, line: Line<'_>) -> Option<Number> {
        Some(match self {
            Formula::Absolute(inner) => match inner.value(line)? {
                Number::Real(number) => Number::Real(number.abs()),
                Number::Whole(number) => Number::Whole(number.checked_abs()?),
            },
            Formula::Arithmetic(operation, left, right) => {
                match (left.value(line)?, right.value(line)?) {
                    (Number::Whole(left), Number::Whole(right)) => {
                        Number::Whole(whole(*operation, left, right)?)
                    }
                    (left, right) => real(fraction(*operation, as_real(left), as_real(right)))?,
                }
            }
            Formula::Figure(figure) => line.figures.get(*figure).copied().flatten()?,
            Formula::Fraction(inner) => Number::Real(as_real(inner.value(line)?)),
            Formula::Negative(inner) => match inner.value(line)? {
                Number::Real(number) => real(-number)?,
                Number::Whole(number) => Number::Whole(number.checked_neg()?),
            },
            Formula::NullIf(inner, other) => {
                let inner = inner.value(line)?;
                let same = { other.value(line) }
                    .is_some_and(|other| compared(inner, other) == Some(Ordering::Equal));
                return (!same).then_some(inner);
            }
            Formula::Number(number) => *number,
            Formula::Parameter(parameter) => line.parameters.get(*parameter).copied().flatten()?,
            Formula::Rounded(inner, digits) => real(rounded(as_real(inner.value(line)?), *digits))?,
            Formula::Window(window) => line.windows.get(*window).copied().flatten()?,
        })
    }

    /// Whether it is a whole number, given which figures and windows are.
    pub(crate) fn is_whole(&self, wholes: &Wholes) -> bool {
        let at = |of: &[bool], at: usize| of.get(at).copied().unwrap_or(false);
        match self {
            Formula::Absolute(inner) | Formula::Negative(inner) | Formula::NullIf(inner, _) => {
                inner.is_whole(wholes)
            }
            Formula::Arithmetic(_, left, right) => left.is_whole(wholes) && right.is_whole(wholes),
            Formula::Figure(figure) => at(&wholes.figures, *figure),
            Formula::Fraction(_) | Formula::Rounded(..) => false,
            Formula::Number(number) => matches!(number, Number::Whole(_)),
            // Parameters above the Gate are whole numbers.
            Formula::Parameter(_) => true,
            Formula::Window(window) => at(&wholes.windows, *window),
        }
    }

    /// Whether any figure, or what a window makes of some, is in it.
    pub(crate) fn has_figure(&self) -> bool {
        match self {
            Formula::Absolute(inner)
            | Formula::Fraction(inner)
            | Formula::Negative(inner)
            | Formula::Rounded(inner, _) => inner.has_figure(),
            Formula::Arithmetic(_, left, right) | Formula::NullIf(left, right) => {
                left.has_figure() || right.has_figure()
            }
            Formula::Figure(_) | Formula::Window(_) => true,
            Formula::Number(_) | Formula::Parameter(_) => false,
        }
    }

    /// As SQL.
    pub(crate) fn text(&self, texts: &Texts) -> String {
        match self {
            Formula::Absolute(inner) => format!("abs({})", inner.text(texts)),
            Formula::Arithmetic(operation, left, right) => {
                let sign = match operation {
                    Operation::Add => '+',
                    Operation::Divide => '/',
                    Operation::Multiply => '*',
                    Operation::Subtract => '-',
                };
                format!("({} {sign} {})", left.text(texts), right.text(texts))
            }
            Formula::Figure(figure) => text_at(&texts.figures, *figure),
            Formula::Fraction(inner) => format!("CAST({} AS DOUBLE)", inner.text(texts)),
            Formula::Negative(inner) => format!("-{}", inner.text(texts)),
            Formula::NullIf(inner, other) => {
                format!("nullif({}, {})", inner.text(texts), other.text(texts))
            }
            Formula::Number(Number::Real(number)) => format!("{number:?}"),
            Formula::Number(Number::Whole(number)) => number.to_string(),
            Formula::Parameter(parameter) => text_at(&texts.parameters, *parameter),
            Formula::Rounded(inner, digits) => {
                format!("round({}, {digits})", inner.text(texts))
            }
            Formula::Window(window) => text_at(&texts.windows, *window),
        }
    }
}

/// An output computed from figures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Computed {
    pub(crate) formula: Formula,
    /// Precision and scale, if it leaves as a decimal.
    pub(crate) decimal: Option<(u8, u8)>,
}

impl Computed {
    /// The value in units of the last digit of its decimal; none where it does not fit.
    pub(crate) fn decimal(&self, (precision, scale): (u8, u8), line: Line<'_>) -> Option<i128> {
        let unit = 10_i128.pow(scale.into());
        let value = match self.formula.value(line)? {
            Number::Whole(number) => i128::from(number).checked_mul(unit)?,
            // The conversion saturates, and what it saturates to does not fit.
            Number::Real(number) => (number * unit as f64).round() as i128,
        };
        (value.unsigned_abs() < 10_u128.pow(precision.into())).then_some(value)
    }

    /// As SQL.
    pub(crate) fn text(&self, texts: &Texts) -> String {
        let text = self.formula.text(texts);
        match self.decimal {
            Some((precision, scale)) => format!("CAST({text} AS DECIMAL({precision}, {scale}))"),
            None => text,
        }
    }
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Above,
    AtLeast,
    AtMost,
    Below,
    Equal,
    NotEqual,
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Above => ordering.is_gt(),
            Comparison::AtLeast => ordering.is_ge(),
            Comparison::AtMost => ordering.is_le(),
            Comparison::Below => ordering.is_lt(),
            Comparison::Equal => ordering.is_eq(),
            Comparison::NotEqual => ordering.is_ne(),
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Comparison::Above => ">",
            Comparison::AtLeast => ">=",
            Comparison::AtMost => "<=",
            Comparison::Below => "<",
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
        }
    }
}

/// Which of two numbers is larger.
pub(crate) fn compared(left: Number, right: Number) -> Option<Ordering> {
    match (left, right) {
        (Number::Whole(left), Number::Whole(right)) => Some(left.cmp(&right)),
        (left, right) => as_real(left).partial_cmp(&as_real(right)),
    }
}

/// Which groups are kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kept {
    All(Vec<Kept>),
    Any(Vec<Kept>),
    Compare(Comparison, Formula, Formula),
    Not(Box<Kept>),
}

impl Kept {
    /// Its truth in the logic of SQL: unknown where a figure is kept back. Only groups of which it is true are kept.
    pub(crate) fn holds(&self, line: Line<'_>) -> Option<bool> {
        match self {
            Kept::All(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| part.holds(line)).collect();
                match parts.contains(&Some(false)) {
                    true => Some(false),
                    false => parts.iter().all(Option::is_some).then_some(true),
                }
            }
            Kept::Any(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| part.holds(line)).collect();
                match parts.contains(&Some(true)) {
                    true => Some(true),
                    false => parts.iter().all(Option::is_some).then_some(false),
                }
            }
            Kept::Compare(comparison, left, right) => {
                let ordering = compared(left.value(line)?, right.value(line)?)?;
                Some(comparison.holds(ordering))
            }
            Kept::Not(inner) => inner.holds(line).map(|holds| !holds),
        }
    }

    /// As SQL.
    pub(crate) fn text(&self, texts: &Texts) -> String {
        let joined = |parts: &[Kept], word: &str| {
            let parts: Vec<String> = parts.iter().map(|part| part.text(texts)).collect();
            format!("({})", parts.join(word))
        };
        match self {
            Kept::All(parts) => joined(parts, " AND "),
            Kept::Any(parts) => joined(parts, " OR "),
            Kept::Compare(comparison, left, right) => {
                let sign = comparison.sign();
                format!("{} {sign} {}", left.text(texts), right.text(texts))
            }
            Kept::Not(inner) => format!("NOT {}", inner.text(texts)),
        }
    }
}

#[cfg(test)]
mod tests;
