//! A condition in which comparisons of several columns decide together, as one function of these columns.
//!
//! An optimiser takes AND and OR apart, moves pieces below joins and puts together others. What is one function stays
//! one, and the plan that is read again either has it as it was decided or does not run. It is total, and never unknown:
//! a comparison of NULL takes nothing, and what is left when NOT is carried down needs no more.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::infer::{Origin, Test, Tree};
use crate::query::Atom;
use crate::tables::{is_integer, is_text};

/// Comparisons that decide together; each names one of the arguments.
pub(crate) type Chosen = Tree<(usize, Test<ScalarValue>)>;

/// The columns that a choice compares, each once, and what it says of them.
pub(crate) fn chosen(choice: &Tree<Atom<ScalarValue>>) -> (Vec<Origin>, Chosen) {
    let mut columns: Vec<Origin> = Vec::new();
    for atom in choice.leaves() {
        if !columns.contains(&atom.origin) {
            columns.push(atom.origin);
        }
    }
    let place = |origin| columns.iter().position(|known| *known == origin);
    let chosen = choice.map(&|atom: &Atom<ScalarValue>| {
        // Every column was put in above.
        (place(atom.origin).unwrap_or(usize::MAX), atom.test.clone())
    });
    (columns, chosen)
}

/// Whether a row is taken, from the columns that are compared.
pub(crate) fn is_taken(columns: Vec<Expr>, chosen: Chosen) -> Expr {
    let function = IsTaken {
        signature: Signature::any(columns.len(), Volatility::Immutable),
        chosen,
    };
    let function = Arc::new(ScalarUDF::from(function));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, columns))
}

/// What the function says, if it is this one.
pub(crate) fn own(function: &ScalarUDF) -> Option<&Chosen> {
    let inner = function.inner().as_ref();
    inner.downcast_ref::<IsTaken>().map(|taken| &taken.chosen)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct IsTaken {
    chosen: Chosen,
    signature: Signature,
}

impl ScalarUDFImpl for IsTaken {
    fn name(&self) -> &str {
        "lingqu_taken"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let columns: Result<Vec<ArrayRef>> = { args.args.iter() }
            .map(|argument| argument.to_array(rows))
            .collect();
        let columns = columns?;
        let taken = self.chosen.try_grow(&|(column, test)| {
            let Some(column) = columns.get(*column) else {
                return internal_err!("a column is missing");
            };
            taken(column, test).map(Tree::One)
        })?;
        let holds = |row: usize| taken.holds(&|these: &Vec<bool>| these[row]);
        let all: BooleanArray = (0..rows).map(|row| Some(holds(row))).collect();
        Ok(ColumnarValue::Array(Arc::new(all)))
    }
}

/// A value in the form in which it is compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Plain<'a> {
    Number(i64),
    Text(&'a str),
}

fn plain(value: &ScalarValue) -> Option<Plain<'_>> {
    match value {
        ScalarValue::Date32(Some(days)) => Some(Plain::Number((*days).into())),
        ScalarValue::Int64(Some(number)) => Some(Plain::Number(*number)),
        ScalarValue::Utf8(Some(text)) => Some(Plain::Text(text)),
        _ => None,
    }
}

/// Which values of a column a comparison takes.
fn taken(values: &ArrayRef, test: &Test<ScalarValue>) -> Result<Vec<bool>> {
    if test
        .values()
        .into_iter()
        .any(|value| plain(value).is_none())
    {
        return internal_err!("a value of another type");
    }
    // What is not plain was refused.
    let test = test.map(|value| plain(value).unwrap_or(Plain::Text("")));
    let takes = |value: Option<Plain<'_>>| value.is_some_and(|value| takes(&test, value));
    Ok(match values.data_type() {
        text if is_text(text) => {
            let values = cast(values, &DataType::Utf8View)?;
            let values = values.as_string_view();
            values
                .iter()
                .map(|value| takes(value.map(Plain::Text)))
                .collect()
        }
        integer if is_integer(integer) => {
            let values = cast(values, &DataType::Int64)?;
            let values = values.as_primitive::<Int64Type>();
            values
                .iter()
                .map(|value| takes(value.map(Plain::Number)))
                .collect()
        }
        DataType::Date32 => {
            let values = values.as_primitive::<Date32Type>();
            let days = values.iter().map(|value| value.map(i64::from));
            days.map(|value| takes(value.map(Plain::Number))).collect()
        }
        _ => return internal_err!("a column that is not compared"),
    })
}

fn takes(test: &Test<Plain<'_>>, value: Plain<'_>) -> bool {
    let is = |other: &Plain<'_>, wanted: fn(Ordering) -> bool| wanted(value.cmp(other));
    match test {
        Test::Above(last) => is(last, Ordering::is_gt),
        Test::Among(values) => values.contains(&value),
        Test::AtLeast(edge) => is(edge, Ordering::is_ge),
        Test::AtMost(last) => is(last, Ordering::is_le),
        Test::Below(edge) => is(edge, Ordering::is_lt),
        Test::Between(low, high) => is(low, Ordering::is_ge) && is(high, Ordering::is_le),
        Test::NotAmong(values) => !values.contains(&value),
        Test::Outside(low, high) => is(low, Ordering::is_lt) || is(high, Ordering::is_gt),
    }
}
