//! A registered statistic: checked once, bound for each call.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion::scalar::ScalarValue;

use crate::explain::Explanation;
use crate::gate::Figure as Number;
use crate::infer::infer;
use crate::limits::GuardLimits;
use crate::query::{Bindable, Cell, Query, check, check_parameters};
use crate::rule::TemplateRefused;
use crate::safeguard::{Safeguard, stands};
use crate::tables::{TableRules, check_names};
use crate::value::{BindRefused, Parameter, TemplateSource, Value};
use crate::{answer, explain, shape};

/// A table that a template reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateTable {
    /// Its name, as SQL knows it.
    pub name: String,
    /// Whether it is the protected one.
    pub protected: bool,
    /// The columns that are read, in the order of its schema. The protected table's entity column is among them.
    pub columns: Vec<String>,
}

/// A statistic that the policies allow, for whatever its parameters may be. Cheap to clone.
#[derive(Clone)]
pub struct Template(Arc<Inner>);

struct Inner {
    query: Query<Bindable>,
    rules: Vec<TableRules>,
    parameters: Vec<Parameter>,
    tables: Vec<TemplateTable>,
    schema: SchemaRef,
}

impl Template {
    /// Checks a template against the schemas and policies of the tables that it may read.
    ///
    /// The answer depends on nothing else, above all on no row; whoever changes a policy or a schema registers again.
    ///
    /// # Errors
    /// [`TemplateRefused`] names the first rule that is broken, and the column or clause.
    pub async fn register(
        source: &TemplateSource,
        tables: &[TableRules],
        limits: &GuardLimits,
    ) -> Result<Template, TemplateRefused> {
        check_names(tables)?;
        let shape = shape::read(&source.sql, limits.sql_bytes_max)?;
        check_parameters(&source.parameters, &shape.placeholders)?;
        let reading = infer(shape, tables, &source.parameters)?;
        let query = check(reading, tables, &source.parameters, limits)?;
        Ok(Template(Arc::new(Inner {
            schema: answer::schema(&query),
            tables: read_tables(&query, tables),
            rules: tables.to_vec(),
            parameters: source.parameters.clone(),
            query,
        })))
    }

    /// The parameters, as declared.
    pub fn parameters(&self) -> &[Parameter] {
        &self.0.parameters
    }

    /// The columns of every answer. All of them can be NULL.
    pub fn output_schema(&self) -> SchemaRef {
        Arc::clone(&self.0.schema)
    }

    /// The tables that are read, each once, by name.
    pub fn tables(&self) -> &[TemplateTable] {
        &self.0.tables
    }

    /// What is released and under which rules, in plain words.
    pub fn explain(&self) -> Explanation {
        explain::template(&self.0.query, &self.0.rules, &self.0.parameters)
    }

    /// Binds arguments: each parameter by its name, exactly once, to one of its declared values.
    ///
    /// # Errors
    /// [`BindRefused`] names the parameter, never the value.
    pub fn bind(&self, args: &[(String, Value)]) -> Result<Bound, BindRefused> {
        let mut values: Vec<Option<ScalarValue>> = vec![None; self.0.parameters.len()];
        for (name, value) in args {
            let index = self.0.parameters.iter().position(|p| p.name == *name);
            let index = index.ok_or(BindRefused::Unknown)?;
            let parameter = &self.0.parameters[index];
            if values[index].is_some() {
                return Err(BindRefused::Twice(parameter.name.clone()));
            }
            let declared =
                parameter.allowed.list().contains(value) || !stands(Safeguard::ArgumentsDeclared);
            let scalar = value.scalar(parameter.kind).filter(|_| declared);
            let scalar = scalar.ok_or_else(|| BindRefused::Outside(parameter.name.clone()))?;
            values[index] = Some(scalar);
        }
        let values: Vec<ScalarValue> = values
            .into_iter()
            .zip(&self.0.parameters)
            .map(|(value, parameter)| {
                value.ok_or_else(|| BindRefused::Missing(parameter.name.clone()))
            })
            .collect::<Result<_, _>>()?;
        Ok(Bound {
            query: bind(&self.0.query, &values),
            template: self.clone(),
        })
    }

    /// The same statement with these figures in place of its own: measures within narrower bounds.
    pub(crate) fn with_cells(&self, cells: Vec<Cell>) -> Template {
        let Inner {
            query,
            rules,
            parameters,
            tables,
            schema,
        } = &*self.0;
        Template(Arc::new(Inner {
            query: Query {
                cells,
                ..query.clone()
            },
            rules: rules.clone(),
            parameters: parameters.clone(),
            tables: tables.clone(),
            schema: Arc::clone(schema),
        }))
    }

    /// The rules of all tables, in the order in which the query's scans number them.
    pub(crate) fn all_rules(&self) -> &[TableRules] {
        &self.0.rules
    }

    pub(crate) fn query(&self) -> &Query<Bindable> {
        &self.0.query
    }

    /// Whether both are one registration.
    pub(crate) fn is_same(&self, other: &Template) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What a value of a condition may be, over all arguments.
    pub(crate) fn possible(&self, value: &Bindable) -> Vec<ScalarValue> {
        match value {
            Bindable::Fixed(value) => vec![value.clone()],
            Bindable::Parameter(index) => {
                let parameter = &self.0.parameters[*index];
                let values = parameter.allowed.list().iter();
                values
                    .filter_map(|value| value.scalar(parameter.kind))
                    .collect()
            }
        }
    }

    /// The rules of the table that a scan of the query reads.
    pub(crate) fn rules(&self, scan: usize) -> &TableRules {
        &self.0.rules[self.0.query.scans[scan]]
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template")
            .field("tables", &self.0.tables)
            .finish_non_exhaustive()
    }
}

/// A template with its arguments: what [`crate::Engine::run`] runs. Its `Debug` shows no argument.
pub struct Bound {
    pub(crate) query: Query<ScalarValue>,
    pub(crate) template: Template,
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

impl Bound {
    /// What would be released for these arguments and under which rules. Nothing but the statement, the policies, the
    /// schemas and the arguments is looked at.
    pub fn explain(&self) -> Explanation {
        explain::bound(&self.query, &self.template.0.rules)
    }
}

fn read_tables(query: &Query<Bindable>, rules: &[TableRules]) -> Vec<TemplateTable> {
    let mut tables: BTreeMap<usize, (bool, std::collections::BTreeSet<usize>)> = BTreeMap::new();
    for (scan, table) in query.scans.iter().enumerate() {
        let entry = tables.entry(*table).or_default();
        entry.0 |= scan == query.protected;
        entry.1.extend(query.columns_of(scan));
    }
    tables
        .into_iter()
        .map(|(table, (protected, columns))| TemplateTable {
            name: rules[table].name.clone(),
            protected,
            columns: columns
                .into_iter()
                .map(|column| rules[table].column(column).to_owned())
                .collect(),
        })
        .collect()
}

fn bind(query: &Query<Bindable>, values: &[ScalarValue]) -> Query<ScalarValue> {
    let value = |bindable: &Bindable| match bindable {
        Bindable::Fixed(value) => value.clone(),
        Bindable::Parameter(index) => values[*index].clone(),
    };
    let number = |value: &ScalarValue| match value {
        ScalarValue::Int64(Some(number)) => Some(Number::Whole(*number)),
        _ => None,
    };
    query.bound(&value, values.iter().map(number).collect())
}
