//! What is computed above the aggregation: it sees figures and numbers that stand in the text, and no column of a row.

use std::sync::Arc;

use arrow_schema::DataType;
use datafusion::common::{DFSchema, Result as PlanResult, internal_err, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::node::{Term, term};
use super::{Shown, place, unnamed};
use crate::formula::{Comparison, Computed, DIGITS_MAX, Formula, Kept, PRECISION_MAX, SCALE_MAX};
use crate::gate::Figure as Number;
use crate::rule::{Rule, TemplateRefused};
use crate::value::{Parameter, ParameterKind};

/// A column above the aggregation.
#[derive(Clone, Copy)]
pub(super) enum Column {
    /// Index into the figures of the reading.
    Figure(usize),
    /// Index into its groups.
    Group(usize),
    /// Index into its windows.
    Window(usize),
}

/// An output of the statement.
pub(super) enum Output {
    Computed(Computed),
    Shown(Shown),
}

/// The columns above the aggregation.
pub(super) struct Figures<'a> {
    pub(super) schema: &'a DFSchema,
    /// What each column of it shows.
    pub(super) shown: &'a [Column],
    /// What callers may give.
    pub(super) parameters: &'a [Parameter],
}

fn refused(place: &'static str) -> TemplateRefused {
    TemplateRefused::new(Rule::FigureForm, place)
}

impl Figures<'_> {
    /// What a column is.
    pub(super) fn column(
        &self,
        column: &datafusion::common::Column,
    ) -> Result<Column, TemplateRefused> {
        let at = place(self.schema, column)?;
        { self.shown.get(at).copied() }.ok_or_else(|| refused("column"))
    }

    /// A group column, a figure, or what is computed from figures.
    pub(super) fn output(&self, output: &Expr) -> Result<Output, TemplateRefused> {
        let column = match unnamed(output) {
            Term::Column(column) => Some(self.column(column)?),
            _ => None,
        };
        Ok(match column {
            Some(Column::Figure(figure)) => Output::Shown(Shown::Figure(figure)),
            Some(Column::Group(group)) => Output::Shown(Shown::Group(group)),
            Some(Column::Window(_)) | None => Output::Computed(self.computed(output)?),
        })
    }

    /// An output that is no column of the aggregation.
    fn computed(&self, output: &Expr) -> Result<Computed, TemplateRefused> {
        let (expr, decimal) = match unnamed(output) {
            Term::Cast(inner, DataType::Decimal128(precision, scale)) => {
                let scale = u8::try_from(*scale)
                    .ok()
                    .filter(|scale| *scale <= SCALE_MAX);
                let scale = scale.ok_or_else(|| refused("CAST"))?;
                if *precision > PRECISION_MAX {
                    return Err(refused("CAST"));
                }
                (inner, Some((*precision, scale)))
            }
            _ => (output, None),
        };
        let formula = self.formula(expr)?;
        if formula.has_figure() {
            Ok(Computed { formula, decimal })
        } else {
            Err(TemplateRefused::bare(Rule::OutputForm))
        }
    }

    /// A number computed from figures.
    pub(super) fn formula(&self, expr: &Expr) -> Result<Formula, TemplateRefused> {
        let boxed = |expr: &Expr| self.formula(expr).map(Box::new);
        Ok(match term(expr) {
            Term::Alias(inner) => self.formula(inner)?,
            Term::Arithmetic(operation, left, right) => {
                Formula::Arithmetic(operation, boxed(left)?, boxed(right)?)
            }
            Term::Cast(inner, DataType::Float64) => Formula::Fraction(boxed(inner)?),
            Term::Column(column) => match self.column(column)? {
                Column::Figure(figure) => Formula::Figure(figure),
                Column::Window(window) => Formula::Window(window),
                Column::Group(_) => return Err(refused("column")),
            },
            Term::Function(function) => self.function(function)?,
            Term::Literal(ScalarValue::Int64(Some(number))) => {
                Formula::Number(Number::Whole(*number))
            }
            Term::Literal(ScalarValue::Float64(Some(number))) if number.is_finite() => {
                Formula::Number(Number::Real(*number))
            }
            Term::Negative(inner) => Formula::Negative(boxed(inner)?),
            Term::Placeholder(name) => Formula::Parameter(self.parameter(name)?),
            Term::Window(_) => return Err(TemplateRefused::new(Rule::WindowForm, "OVER")),
            Term::Above(..)
            | Term::Aggregate(_)
            | Term::And(..)
            | Term::AtLeast(..)
            | Term::AtMost(..)
            | Term::Below(..)
            | Term::Between(..)
            | Term::Case(_)
            | Term::Cast(..)
            | Term::Equal(..)
            | Term::In(..)
            | Term::Literal(_)
            | Term::Not(_)
            | Term::NotBetween(..)
            | Term::NotEqual(..)
            | Term::NotIn(..)
            | Term::Or(..) => return Err(refused("figure")),
            Term::Refused(part) => return Err(refused(part)),
        })
    }

    /// A parameter is compared with released figures and computed with, so any whole number may be declared for it: it
    /// needs no domain of a column, since it selects no row.
    fn parameter(&self, name: &str) -> Result<usize, TemplateRefused> {
        let index = { self.parameters.iter() }.position(|parameter| {
            parameter.name == name && parameter.kind == ParameterKind::Integer
        });
        index.ok_or_else(|| TemplateRefused::new(Rule::Parameter, name))
    }

    fn function(&self, function: &ScalarFunction) -> Result<Formula, TemplateRefused> {
        let ScalarFunction { func, args } = function;
        let Some(Above { kind, .. }) = func.inner().as_ref().downcast_ref::<Above>() else {
            return Err(refused("function"));
        };
        let boxed = |expr: &Expr| self.formula(expr).map(Box::new);
        Ok(match (kind, args.as_slice()) {
            (Kind::Absolute, [inner]) => Formula::Absolute(boxed(inner)?),
            (Kind::NullIf, [inner, other]) => Formula::NullIf(boxed(inner)?, boxed(other)?),
            (Kind::Round, [inner]) => Formula::Rounded(boxed(inner)?, 0),
            (Kind::Round, [inner, digits]) => Formula::Rounded(boxed(inner)?, digits_of(digits)?),
            _ => return Err(refused(kind.name())),
        })
    }

    /// Which groups are kept.
    pub(super) fn kept(&self, expr: &Expr) -> Result<Kept, TemplateRefused> {
        let compare = |comparison, left: &Expr, right: &Expr| {
            let (left, right) = (self.formula(left)?, self.formula(right)?);
            Ok(Kept::Compare(comparison, left, right))
        };
        match term(expr) {
            Term::Above(left, right) => compare(Comparison::Above, left, right),
            Term::And(left, right) => Ok(Kept::All(vec![self.kept(left)?, self.kept(right)?])),
            Term::AtLeast(left, right) => compare(Comparison::AtLeast, left, right),
            Term::AtMost(left, right) => compare(Comparison::AtMost, left, right),
            Term::Below(left, right) => compare(Comparison::Below, left, right),
            Term::Between(of, low, high) => Ok(Kept::All(vec![
                compare(Comparison::AtLeast, of, low)?,
                compare(Comparison::AtMost, of, high)?,
            ])),
            Term::Equal(left, right) => compare(Comparison::Equal, left, right),
            Term::Not(inner) => Ok(Kept::Not(Box::new(self.kept(inner)?))),
            Term::NotEqual(left, right) => compare(Comparison::NotEqual, left, right),
            Term::Or(left, right) => Ok(Kept::Any(vec![self.kept(left)?, self.kept(right)?])),
            Term::Aggregate(_)
            | Term::Alias(_)
            | Term::Arithmetic(..)
            | Term::Case(_)
            | Term::Cast(..)
            | Term::Column(_)
            | Term::Function(_)
            | Term::In(..)
            | Term::Literal(_)
            | Term::Negative(_)
            | Term::NotBetween(..)
            | Term::NotIn(..)
            | Term::Placeholder(_)
            | Term::Refused(_)
            | Term::Window(_) => Err(TemplateRefused::bare(Rule::HavingForm)),
        }
    }
}

fn digits_of(expr: &Expr) -> Result<u8, TemplateRefused> {
    match term(expr) {
        Term::Literal(ScalarValue::Int64(Some(digits))) => u8::try_from(*digits)
            .ok()
            .filter(|digits| *digits <= DIGITS_MAX)
            .ok_or_else(|| refused("round")),
        _ => Err(refused("round")),
    }
}

/// A function of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Absolute,
    NullIf,
    Round,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Absolute, Kind::NullIf, Kind::Round];

    fn name(self) -> &'static str {
        match self {
            Kind::Absolute => "abs",
            Kind::NullIf => "nullif",
            Kind::Round => "round",
        }
    }
}

/// A function of figures, known by what it is. It is only ever planned: what it does is in `formula.rs`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Above {
    kind: Kind,
    signature: Signature,
}

/// The function of this name, for the world in which statements are planned.
pub(super) fn function(name: &str) -> Option<Arc<ScalarUDF>> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
    let signature = Signature::variadic_any(Volatility::Immutable);
    Some(Arc::new(ScalarUDF::from(Above { kind, signature })))
}

impl ScalarUDFImpl for Above {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> PlanResult<DataType> {
        match (self.kind, arguments) {
            (Kind::Round, _) => Ok(DataType::Float64),
            (Kind::Absolute | Kind::NullIf, [first, ..]) => Ok(first.clone()),
            (Kind::Absolute | Kind::NullIf, []) => plan_err!("a number is missing"),
        }
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        internal_err!("it is only planned")
    }
}
