//! `call query`: the released table of a statistic.

use std::path::PathBuf;

use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{ArrowError, DataType};
use clap::Args;
use lingqu_client::Table;
use lingqu_proto::query_request;
use serde_json::Value;

use super::asking::{Asking, arguments, place, say_where};
use crate::claim::Claim;
use crate::failure::{Failure, printable};
use crate::session::Session;
use crate::written::{self, Access};

#[derive(Args, Debug)]
pub(super) struct Query {
    #[command(flatten)]
    asking: Asking,
    /// A parameter of the statistic: `name=text` or `name:=integer`; several · 统计参数，可多次
    #[arg(long = "parameter", value_name = "PARAMETER")]
    parameter: Vec<Claim>,
    /// The same as a JSON object · 统计参数文件
    #[arg(long, value_name = "FILE", conflicts_with = "parameter")]
    parameters: Option<PathBuf>,
    /// Where the table goes as an Arrow IPC stream, byte for byte as its record commits to it · 结果表输出文件
    #[arg(long, value_name = "OUT")]
    table: Option<PathBuf>,
}

impl Query {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        if let Some(path) = &self.table {
            written::must_be_new(path)?;
        }
        let parameters = arguments(&self.parameter, self.parameters.as_deref())?;
        let ask = async |node: lingqu_client::Node, question: &_| node.query(question).await;
        let (question, answered) = self.asking.ask(parameters, query_request, ask, session)?;
        let kept = self.asking.keep(&answered);
        let Table(stream) = &answered.value;
        if let Some(path) = &self.table {
            written::create(path, stream, Access::Owner)?;
        }
        let rows = Rows::read(stream).map_err(|_| Failure::CheckFailed {
            en: "the answer is no table".to_owned(),
            zh: "答复不是有效的结果表",
        })?;
        if session.as_json {
            let mut value = place(&question, &answered);
            value["columns"] = rows.columns.into();
            value["rows"] = rows.values.into();
            session.json(&value)?;
        } else {
            say_where(&answered, session);
            session.line(
                rows.columns
                    .iter()
                    .map(|name| printable(name))
                    .collect::<Vec<_>>()
                    .join("\t"),
            )?;
            for row in &rows.values {
                session.line(tab_separated(row))?;
            }
        }
        kept
    }
}

/// A table as names and values.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) columns: Vec<String>,
    /// One array a row.
    pub(super) values: Vec<Value>,
}

impl Rows {
    pub(super) fn read(stream: &[u8]) -> Result<Rows, ArrowError> {
        let reader = StreamReader::try_new(stream, None)?;
        let columns = reader
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let mut values = Vec::new();
        for batch in reader {
            add(&batch?, &mut values)?;
        }
        Ok(Rows { columns, values })
    }
}

fn add(batch: &RecordBatch, values: &mut Vec<Value>) -> Result<(), ArrowError> {
    let options = FormatOptions::default();
    let formatters = batch
        .columns()
        .iter()
        .map(|column| {
            Ok((
                column.data_type(),
                column,
                ArrayFormatter::try_new(column, &options)?,
            ))
        })
        .collect::<Result<Vec<_>, ArrowError>>()?;
    for index in 0..batch.num_rows() {
        let row = formatters.iter().map(|(kind, column, formatter)| {
            if column.is_null(index) {
                Value::Null
            } else {
                value(kind, formatter.value(index).to_string())
            }
        });
        values.push(row.collect());
    }
    Ok(())
}

/// A number as a number, so that no program has to guess; everything else as text.
fn value(kind: &DataType, text: String) -> Value {
    let is_number = kind.is_numeric();
    match serde_json::from_str(&text) {
        Ok(number @ Value::Number(_)) if is_number => number,
        _ => Value::String(text),
    }
}

fn tab_separated(row: &Value) -> String {
    let cells = row.as_array().map(Vec::as_slice).unwrap_or_default();
    let shown = cells.iter().map(|cell| match cell {
        Value::Null => String::new(),
        Value::String(text) => printable(&text.replace(['\t', '\n'], " ")),
        other => other.to_string(),
    });
    shown.collect::<Vec<_>>().join("\t")
}

#[cfg(test)]
mod tests;
