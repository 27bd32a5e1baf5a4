//! Statistic: a registered template over one protected table and public ones, a gated table out.
//!
//! What may be asked and what may leave is the guard's to say; here its template is made from the product, over the
//! tables of one environment, and bound to a call's parameters.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::SchemaRef;
use datafusion::datasource::MemTable;
use lingqu_core::ErrorCode;
use lingqu_core::product::{Load, ParameterValues, Statistic};
use lingqu_guard::{
    Allowed, Bound, Engine, GuardLimits, Parameter, ParameterKind, Place, TableRules, Template,
    TemplateRefused, TemplateSource, Value,
};
use lingqu_policy::{Policy, Use};
use lingqu_proto::ClaimValue;

use super::Table;
use crate::sources::{Register, RegisterUnreadable};

/// The uses for which a statistic may read a column.
const USES: [Use; 5] = [
    Use::Aggregate,
    Use::Entity,
    Use::Filter,
    Use::Group,
    Use::Show,
];

/// A statistic over its loads, ready to be asked.
pub struct Prepared {
    /// The loads it answers from; the protected one first.
    pub loads: Vec<Load>,
    template: Template,
    engine: Arc<Engine>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("loads", &self.loads)
            .finish_non_exhaustive()
    }
}

/// A resource that a statistic reads.
pub struct TableSource<'a> {
    /// Its name, by which the SQL knows it.
    pub name: &'a str,
    /// The unit's policy on it.
    pub policy: Arc<Policy>,
    /// Where it is read.
    pub register: &'a dyn Register,
}

/// Why a statistic cannot be opened. Names tables, columns and rules, never values.
#[derive(Debug, thiserror::Error)]
pub enum PrepareRefused {
    /// A table that the statistic names has no resource in this environment, or no policy.
    #[error("there is no table `{0}` in this environment, or no policy on it")]
    TableMissing(String),
    /// A table cannot be read.
    #[error("table `{table}`: {reason}")]
    Register {
        /// The table.
        table: String,
        /// Why.
        reason: RegisterUnreadable,
    },
    /// The guard does not let the template through.
    #[error("{}: {}", .0.code(), .0.en())]
    Template(Box<TemplateRefused>),
    /// No thread could be started to check it.
    #[error("the check could not be started")]
    Check,
}

impl Prepared {
    /// Reads the tables, has the guard check the template, and puts the tables where it runs.
    pub fn build(
        statistic: &Statistic,
        sources: &[TableSource<'_>],
        engine: &Arc<Engine>,
        limits: &GuardLimits,
    ) -> Result<Prepared, PrepareRefused> {
        let mut loads = Vec::new();
        let mut rules = Vec::new();
        let mut tables = Vec::new();
        for source in sources {
            let columns: Vec<&str> = source
                .policy
                .columns()
                .filter(|(_, uses)| USES.iter().any(|wanted| uses.allows(*wanted)))
                .map(|(column, _)| column)
                .collect();
            let (load, batches) =
                source
                    .register
                    .table(&columns)
                    .map_err(|reason| PrepareRefused::Register {
                        table: source.name.to_owned(),
                        reason,
                    })?;
            let unreadable = || PrepareRefused::Register {
                table: source.name.to_owned(),
                reason: RegisterUnreadable::File,
            };
            let schema = batches.first().map(RecordBatch::schema);
            let schema = schema.ok_or_else(unreadable)?;
            let table = MemTable::try_new(Arc::clone(&schema), vec![batches]);
            tables.push((source.name, table.map_err(|_| unreadable())?));
            rules.push(TableRules {
                name: source.name.to_owned(),
                schema,
                policy: Arc::clone(&source.policy),
            });
            loads.push(load);
        }
        let template = register(&template_source(statistic), &rules, limits)?;
        for (name, table) in tables {
            engine.put_table(name, Arc::new(table));
        }
        Ok(Prepared {
            loads,
            template,
            engine: Arc::clone(engine),
        })
    }

    /// Binds a call's parameters.
    ///
    /// # Errors
    /// `PARAMETER_INVALID`.
    pub fn parameters(&self, values: &[(String, ClaimValue)]) -> Result<Bound, ErrorCode> {
        let values: Vec<(String, Value)> = values
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    ClaimValue::Integer(number) => Value::Integer(*number),
                    ClaimValue::Text(text) => Value::Text(text.clone()),
                };
                (name.clone(), value)
            })
            .collect();
        self.template
            .bind(&values)
            .map_err(|_| ErrorCode::ParameterInvalid)
    }

    /// A place for one run.
    ///
    /// # Errors
    /// `OVERLOADED`.
    pub fn enter(&self) -> Result<Place, ErrorCode> {
        self.engine.enter().map_err(|_| ErrorCode::Overloaded)
    }

    /// Runs it.
    ///
    /// # Errors
    /// `EVALUATION_FAILED`, whatever the reason.
    pub async fn run(&self, place: Place, bound: Bound) -> Result<Table, ErrorCode> {
        let rows = self
            .engine
            .run_at(place, bound)
            .await
            .map_err(|_| ErrorCode::EvaluationFailed)?;
        let stream = ipc_stream(&rows).map_err(|_| ErrorCode::EvaluationFailed)?;
        Ok(Table { rows, stream })
    }

    /// The columns of every answer.
    pub fn output_schema(&self) -> SchemaRef {
        self.template.output_schema()
    }
}

/// The table as an Arrow IPC stream.
fn ipc_stream(rows: &RecordBatch) -> Result<Vec<u8>, arrow_schema::ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &rows.schema())?;
    writer.write(rows)?;
    writer.into_inner()
}

fn template_source(statistic: &Statistic) -> TemplateSource {
    let parameter = |parameter: &lingqu_core::product::Parameter| {
        let (kind, values): (_, Vec<Value>) = match &parameter.allowed {
            ParameterValues::Dates(values) => (
                ParameterKind::Date,
                values.iter().cloned().map(Value::Text).collect(),
            ),
            ParameterValues::Integers(values) => (
                ParameterKind::Integer,
                values.iter().copied().map(Value::Integer).collect(),
            ),
            ParameterValues::Texts(values) => (
                ParameterKind::Text,
                values.iter().cloned().map(Value::Text).collect(),
            ),
        };
        Parameter {
            name: parameter.name.clone(),
            kind,
            allowed: match parameter.edges {
                true => Allowed::Edges(values),
                false => Allowed::Values(values),
            },
        }
    };
    TemplateSource {
        sql: statistic.sql.clone(),
        parameters: statistic.parameters.iter().map(parameter).collect(),
    }
}

/// Has the template checked, on a thread of its own: products are prepared where nothing asynchronous may wait.
fn register(
    source: &TemplateSource,
    rules: &[TableRules],
    limits: &GuardLimits,
) -> Result<Template, PrepareRefused> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|_| PrepareRefused::Check)?;
    let checked = std::thread::scope(|scope| {
        let check = || runtime.block_on(Template::register(source, rules, limits));
        scope.spawn(check).join()
    });
    checked
        .map_err(|_| PrepareRefused::Check)?
        .map_err(|refused| PrepareRefused::Template(Box::new(refused)))
}
