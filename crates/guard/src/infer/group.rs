//! Group columns: plain ones, calendar units, and words for sets of values.

use std::sync::Arc;

use arrow_schema::DataType;
use datafusion::common::{DFSchema, Result as PlanResult, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    Case, ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::condition::read as read_condition;
use super::node::{Term, term};
use super::{Condition, Origin, Tree, place};
use crate::rule::{Rule, TemplateRefused};

/// A group column.
pub(crate) struct Grouped {
    pub(crate) origin: Origin,
    pub(crate) by: By,
}

/// What of a column groups.
pub(crate) enum By {
    /// Its declared values or bins.
    Value,
    /// The calendar unit in which it lies.
    Grain(Grain),
    /// The word of the first arm whose condition holds.
    Cases {
        arms: Vec<(Tree<Condition>, String)>,
        rest: Option<String>,
    },
}

/// A calendar unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grain {
    Month,
    Quarter,
    Year,
}

/// Reads a key of the aggregation.
pub(super) fn read(
    key: &Expr,
    schema: &DFSchema,
    origins: &[Origin],
) -> Result<Grouped, TemplateRefused> {
    match term(key) {
        Term::Column(column) => Ok(Grouped {
            origin: origins[place(schema, column)?],
            by: By::Value,
        }),
        Term::Function(function) => truncation(function, schema, origins),
        Term::Case(case) => cases(case, schema, origins),
        _ => Err(TemplateRefused::new(Rule::OutputForm, "GROUP BY")),
    }
}

fn truncation(
    function: &ScalarFunction,
    schema: &DFSchema,
    origins: &[Origin],
) -> Result<Grouped, TemplateRefused> {
    let refused = || TemplateRefused::new(Rule::GroupForm, "date_trunc");
    let ScalarFunction { func, args } = function;
    let [unit, of] = args.as_slice() else {
        return Err(refused());
    };
    let (Term::Literal(ScalarValue::Utf8(Some(unit))), Term::Column(column)) =
        (term(unit), term(of))
    else {
        return Err(refused());
    };
    let grain = match unit.as_str() {
        "month" => Grain::Month,
        "quarter" => Grain::Quarter,
        "year" => Grain::Year,
        _ => return Err(refused()),
    };
    if !func.inner().as_ref().is::<Truncation>() {
        return Err(refused());
    }
    Ok(Grouped {
        origin: origins[place(schema, column)?],
        by: By::Grain(grain),
    })
}

fn cases(case: &Case, schema: &DFSchema, origins: &[Origin]) -> Result<Grouped, TemplateRefused> {
    let refused = || TemplateRefused::new(Rule::GroupForm, "CASE");
    let Case {
        expr: None,
        when_then_expr,
        else_expr,
    } = case
    else {
        return Err(refused());
    };
    let word = |expr: &Expr| match term(expr) {
        Term::Literal(ScalarValue::Utf8(Some(word))) => Ok(word.clone()),
        _ => Err(refused()),
    };
    let mut of: Option<Origin> = None;
    let mut arms = Vec::new();
    for (when, then) in when_then_expr {
        let taken = read_condition(when, false, schema, origins)?;
        for Condition { origin, test: _ } in taken.leaves() {
            // One column, so that the words are a function of its places.
            if *of.get_or_insert(*origin) != *origin {
                return Err(refused());
            }
        }
        arms.push((taken, word(then)?));
    }
    Ok(Grouped {
        origin: of.ok_or_else(refused)?,
        by: By::Cases {
            arms,
            rest: else_expr.as_deref().map(word).transpose()?,
        },
    })
}

/// The name by which statements call [`Truncation`].
pub(super) const DATE_TRUNC: &str = "date_trunc";

/// `date_trunc`, known by what it is. It is only ever planned: what it does is decided from the declared edges.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Truncation(Signature);

/// The function for the world in which statements are planned.
pub(super) fn date_trunc() -> Arc<ScalarUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::from(Truncation(signature)))
}

impl ScalarUDFImpl for Truncation {
    fn name(&self) -> &str {
        DATE_TRUNC
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> PlanResult<DataType> {
        Ok(DataType::Date32)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        internal_err!("it is only planned")
    }
}
