//! Statistic: a registered template over one protected table and public ones, a gated table out.
//!
//! What may be asked and what may leave is the guard's to say; here its template is made from the product, over the
//! tables of one environment, opened together with all other statistics of the resource, and bound to a call's
//! parameters.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use lingqu_core::product::{Load, ParameterValues, Statistic};
use lingqu_core::{ErrorCode, Fault};
use lingqu_guard::{
    Allowed, BindRefused, Bound, Engine, Explanation, GuardLimits, Parameter, ParameterKind,
    Partition, PartitionRefused, Place, StatisticProduct, TableRules, Tables, Template,
    TemplateRefused, TemplateSource, Topic, Value,
};
use lingqu_policy::{Policy, Use};
use lingqu_proto::ClaimValue;

use super::Table;
use crate::sources::ColumnsUnfit;
use crate::sources::columns::check_computed;

/// The uses for which a statistic may read a column.
pub(crate) const USES: [Use; 5] = [
    Use::Aggregate,
    Use::Entity,
    Use::Filter,
    Use::Group,
    Use::Show,
];

/// A statistic whose template fits its tables; not open yet.
pub struct Registered {
    /// The loads it answers from; the protected one first.
    pub loads: Vec<Load>,
    template: Template,
    /// The readings themselves: another statistic of the same engine may be over others of the same names.
    tables: Tables,
    engine: Arc<Engine>,
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered")
            .field("loads", &self.loads)
            .finish_non_exhaustive()
    }
}

/// A statistic over its loads, ready to be asked.
pub struct Prepared {
    /// What it was opened from.
    pub registered: Arc<Registered>,
    /// The cells of all statistics of the resource, of which its answers are made.
    pub partition: Arc<Partition>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("registered", &self.registered)
            .field("partition", &self.partition)
            .finish()
    }
}

/// A resource that a statistic reads.
#[derive(Debug)]
pub struct TableSource<'a> {
    /// The reading; SQL knows the table by the name of its resource.
    pub load: &'a Load,
    /// The unit's policy on it.
    pub policy: Arc<Policy>,
    /// The columns that the policy opens for statistics.
    pub schema: &'a SchemaRef,
    /// Their rows.
    pub rows: &'a Arc<MemTable>,
}

/// Why a statistic cannot be opened. Names tables, columns and rules, never values.
#[derive(Debug, thiserror::Error)]
pub enum PrepareRefused {
    /// A table has other columns than the policy opens.
    #[error("table `{table}`: {reason}")]
    Columns {
        /// The table.
        table: String,
        /// Why.
        reason: ColumnsUnfit,
    },
    /// The guard does not let the template through.
    #[error("{}: {}", .0.code(), .0.en())]
    Template(Box<TemplateRefused>),
    /// No thread could be started to check it.
    #[error("the check could not be started")]
    Check,
}

/// What a template is made over.
pub(super) struct Opening {
    pub(super) loads: Vec<Load>,
    pub(super) rules: Vec<TableRules>,
    pub(super) tables: Tables,
}

impl Opening {
    pub(super) fn of(sources: &[TableSource<'_>]) -> Result<Opening, PrepareRefused> {
        let mut loads = Vec::new();
        let mut rules = Vec::new();
        let mut tables = Tables::new();
        for source in sources {
            let name = &source.load.resource;
            let columns: Vec<&str> = { source.schema.fields().iter() }
                .map(|field| field.name().as_str())
                .collect();
            check_computed(source.schema, &columns).map_err(|reason| PrepareRefused::Columns {
                table: name.clone(),
                reason,
            })?;
            let rows: Arc<dyn TableProvider> = Arc::<MemTable>::clone(source.rows);
            tables.insert(name.clone(), rows);
            rules.push(TableRules {
                name: name.clone(),
                schema: Arc::clone(source.schema),
                policy: Arc::clone(&source.policy),
            });
            loads.push(source.load.clone());
        }
        Ok(Opening {
            loads,
            rules,
            tables,
        })
    }
}

impl Registered {
    /// Has the guard check the template, over these readings and no others.
    pub fn build(
        statistic: &Statistic,
        sources: &[TableSource<'_>],
        engine: &Arc<Engine>,
        limits: &GuardLimits,
    ) -> Result<Registered, PrepareRefused> {
        let Opening {
            loads,
            rules,
            tables,
        } = Opening::of(sources)?;
        Ok(Registered {
            template: register(&template_source(statistic), &rules, limits)?,
            loads,
            tables,
            engine: Arc::clone(engine),
        })
    }

    /// Whether the partition lets it answer.
    pub fn is_open(&self, partition: &Partition) -> bool {
        partition.is_open(&self.template)
    }
}

/// Opens statistics of one resource over its load, in this order. `before` is what answers until then.
///
/// # Errors
/// [`PartitionRefused`]. A statistic that stays closed by itself stands in the report.
pub fn open(
    statistics: &[(String, Arc<Registered>)],
    before: Option<Arc<Partition>>,
) -> Result<Partition, PartitionRefused> {
    let Some((_, first)) = statistics.first() else {
        return Err(PartitionRefused::Products);
    };
    let mut tables = Tables::new();
    let mut products = Vec::new();
    for (name, registered) in statistics {
        tables.extend(registered.tables.clone());
        products.push(StatisticProduct {
            name: name.clone(),
            template: registered.template.clone(),
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|_| PartitionRefused::Failed)?;
    // Products are opened where nothing asynchronous may wait.
    let opened = std::thread::scope(|scope| {
        let open = || runtime.block_on(first.engine.partition(products, tables, before));
        scope.spawn(open).join()
    });
    opened.map_err(|_| PartitionRefused::Failed)?
}

impl Prepared {
    /// The loads it answers from; the protected one first.
    pub fn loads(&self) -> &[Load] {
        &self.registered.loads
    }

    /// Binds a call's parameters.
    ///
    /// # Errors
    /// Which of them is to blame.
    pub fn parameters(&self, values: &[(String, ClaimValue)]) -> Result<Bound, Fault> {
        let template = &self.registered.template;
        let bound = template.bind(&arguments(values));
        bound.map_err(|refused| bind_fault(&refused, template.parameters()))
    }

    /// A place for one run.
    ///
    /// # Errors
    /// `OVERLOADED`.
    pub fn enter(&self) -> Result<Place, ErrorCode> {
        self.registered
            .engine
            .enter()
            .map_err(|_| ErrorCode::Overloaded)
    }

    /// Runs it.
    ///
    /// # Errors
    /// `EVALUATION_FAILED`, whatever the reason.
    pub async fn run(&self, place: Place, bound: Bound) -> Result<Table, ErrorCode> {
        let engine = &self.registered.engine;
        let rows = engine
            .answer(place, Arc::clone(&self.partition), bound)
            .await
            .map_err(|_| ErrorCode::EvaluationFailed)?;
        let stream = ipc_stream(&rows).map_err(|_| ErrorCode::EvaluationFailed)?;
        Ok(Table { rows, stream })
    }

    /// The columns of every answer.
    pub fn output_schema(&self) -> SchemaRef {
        self.registered.template.output_schema()
    }
}

/// A call's arguments in the guard's words.
pub(super) fn arguments(values: &[(String, ClaimValue)]) -> Vec<(String, Value)> {
    let value = |value: &ClaimValue| match value {
        ClaimValue::Integer(number) => Value::Integer(*number),
        ClaimValue::Text(text) => Value::Text(text.clone()),
    };
    { values.iter() }
        .map(|(name, given)| (name.clone(), value(given)))
        .collect()
}

/// Which argument is to blame, and why.
pub(super) fn bind_fault(refused: &BindRefused, declared: &[Parameter]) -> Fault {
    let (name, reason) = match refused {
        BindRefused::Missing(name) => (name.as_str(), "is missing"),
        BindRefused::Outside(name) => (
            name.as_str(),
            "is not one of the values that the product declares",
        ),
        BindRefused::Twice(name) => (name.as_str(), "is there twice"),
        BindRefused::Unknown => ("", "name a parameter that the product does not have"),
    };
    let declared = declared.iter();
    Fault::of_declared(declared.map(|one| one.name.as_str()), name, reason)
}

/// The table as an Arrow IPC stream.
pub(crate) fn ipc_stream(rows: &RecordBatch) -> Result<Vec<u8>, arrow_schema::ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &rows.schema())?;
    writer.write(rows)?;
    writer.into_inner()
}

pub(super) fn template_source(statistic: &Statistic) -> TemplateSource {
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

/// What the guard says of a statistic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatisticExplained {
    /// What it would release, and under which rules.
    Allowed(Explanation),
    /// Why it is refused, and what would be allowed.
    Refused(Explanation),
}

/// Explains a statistic from its tables' schemas and policies alone, under the usual limits of a node.
pub fn explain_template(statistic: &Statistic, rules: &[TableRules]) -> StatisticExplained {
    let limits = GuardLimits::default();
    let explained =
        match &statistic.dp {
            None => register(&template_source(statistic), rules, &limits)
                .map(|template| template.explain()),
            Some(terms) => super::dp::register(statistic, terms, rules, &limits)
                .map(|template| template.explain()),
        };
    match explained {
        Ok(explained) => StatisticExplained::Allowed(explained),
        Err(PrepareRefused::Template(refused)) => StatisticExplained::Refused(refused.explain()),
        Err(unchecked @ (PrepareRefused::Check | PrepareRefused::Columns { .. })) => {
            let mut told = Explanation::default();
            told.say(Topic::Refused, unchecked.to_string(), "无法启动核对");
            StatisticExplained::Refused(told)
        }
    }
}

fn register(
    source: &TemplateSource,
    rules: &[TableRules],
    limits: &GuardLimits,
) -> Result<Template, PrepareRefused> {
    check(Template::register(source, rules, limits))
}

/// Has a template checked, on a thread of its own: products are prepared where nothing asynchronous may wait.
pub(super) fn check<T: Send>(
    registering: impl Future<Output = Result<T, TemplateRefused>> + Send,
) -> Result<T, PrepareRefused> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|_| PrepareRefused::Check)?;
    let checked = std::thread::scope(|scope| {
        let check = || runtime.block_on(registering);
        scope.spawn(check).join()
    });
    checked
        .map_err(|_| PrepareRefused::Check)?
        .map_err(|refused| PrepareRefused::Template(Box::new(refused)))
}
