//! Statistics with noise: differential privacy per entity, in the accounting of zero-concentrated DP.
//!
//! The same statements, policies and gates as the exact ones ([`DpTemplate::register`]); what differs is what leaves.
//! Entities are limited first (rows in a group, groups in an answer, values in their bounds), then added up as integers,
//! then every declared group gets discrete Gaussian noise of a width that follows from the statement, the policy and the
//! product, never from rows. Nothing is suppressed, so no row count, error or NULL depends on data. Start reading at
//! `plan.rs` (how much noise), then `product.rs` (what is added up), `noise.rs`, `answer.rs`. `docs/dp.md` has the proof.

mod accounting;
mod answer;
mod noise;
mod plan;
mod product;
mod words;

use std::fmt;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use lingqu_policy::{DpBudget, MicroRho, Use};

use crate::explain::Explanation;
use crate::limits::GuardLimits;
use crate::query::{Bindable, Cell, Measure, Query};
use crate::rule::{Rule, TemplateRefused, refuse};
use crate::tables::TableRules;
use crate::template::{Bound, Template, TemplateTable};
use crate::value::{BindRefused, Parameter, TemplateSource, Value};
use plan::Plan;

pub use accounting::{epsilon, epsilon_text};
pub use product::DpProduct;

/// Largest ρ of one answer. Ten is ε ≈ 33 at δ = 10⁻⁶: beyond it nothing is protected.
const RHO_MAX: MicroRho = MicroRho(10_000_000);
/// Largest limit of rows in a group and of groups in an answer, of one entity.
const LIMIT_MAX: u32 = 1_000_000;
/// Most noisy numbers of one answer.
const DRAWS_MAX: usize = 40_000;

/// What a product states of its noise. All of it is public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpTerms {
    /// What one answer costs, above 0 to 10.
    pub rho: MicroRho,
    /// Most groups of one answer that one entity counts in, 1 to 1,000,000.
    pub groups_per_entity_max: u32,
    /// Most rows of one entity that count in one group, 1 to 1,000,000.
    pub rows_per_entity_max: u32,
    /// Narrower bounds of measures than the policy declares, each column at most once.
    pub clamps: Vec<Clamp>,
}

/// Narrower bounds of one measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clamp {
    /// The protected table's column.
    pub column: String,
    /// Least value that counts.
    pub min: i64,
    /// Largest value that counts.
    pub max: i64,
}

/// What an answer costs, and whom it is charged to. The same for every argument and every row of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpCost {
    /// The id space whose entities are protected.
    pub space: String,
    /// Of each answer.
    pub rho: MicroRho,
    /// What the policy lets all callers together spend on the space.
    pub budget: DpBudget,
}

/// How one released number is made noisy. Public: it follows from the statement, the policy and the product.
#[derive(Clone, Debug, PartialEq)]
pub struct DpFigure {
    /// What is counted or summed.
    pub what: String,
    /// The most that one entity changes it in one group, in the unit of the column.
    pub sensitivity: f64,
    /// Standard deviation of its noise, in the unit of the column; rounded up.
    pub sigma: f64,
}

/// A registered statistic with noise. Cheap to clone.
#[derive(Clone)]
pub struct DpTemplate(Arc<Inner>);

struct Inner {
    template: Template,
    plan: Plan,
    cost: DpCost,
    schema: SchemaRef,
}

impl DpTemplate {
    /// Checks a statement as [`Template::register`] does, and its noise against the policy of the protected table.
    ///
    /// # Errors
    /// [`TemplateRefused`] names the first rule that is broken. It depends on no row.
    pub async fn register(
        source: &TemplateSource,
        terms: &DpTerms,
        tables: &[TableRules],
        limits: &GuardLimits,
    ) -> Result<DpTemplate, TemplateRefused> {
        check_terms(terms)?;
        let template = Template::register(source, tables, limits).await?;
        let query = template.query();
        // Every declared group leaves with every figure, so that no row and no NULL depends on data. Whoever has the answer
        // computes what is computed from it.
        if query.having.is_some() {
            return refuse(Rule::PrivacyForm, "HAVING");
        }
        if !query.computed.is_empty() {
            return refuse(Rule::PrivacyForm, "SELECT");
        }
        for join in &query.joins {
            if !template
                .rules(join.scan)
                .is_public(&query.columns_of(join.scan))
            {
                let name = template.rules(join.scan).name.as_str();
                return refuse(Rule::PrivacyForm, name);
            }
        }
        let (space, budget) = account(template.rules(query.protected), query)?;
        let template = narrowed(&template, terms)?;
        let plan = Plan::of(template.query(), terms);
        if plan.draws() > DRAWS_MAX {
            return refuse(Rule::GroupsMany, "GROUP BY");
        }
        Ok(DpTemplate(Arc::new(Inner {
            schema: answer::schema(template.query()),
            cost: DpCost {
                space,
                rho: terms.rho,
                budget,
            },
            plan,
            template,
        })))
    }

    /// What every answer costs.
    pub fn cost(&self) -> &DpCost {
        &self.0.cost
    }

    /// How each released number is made noisy.
    pub fn figures(&self) -> Vec<DpFigure> {
        self.0.plan.figures(&self.0.template)
    }

    /// Rows of every answer before LIMIT: all declared groups.
    pub fn groups(&self) -> usize {
        self.0.plan.groups
    }

    /// The parameters, as declared.
    pub fn parameters(&self) -> &[Parameter] {
        self.0.template.parameters()
    }

    /// The columns of every answer. Group columns can be NULL, figures cannot.
    pub fn output_schema(&self) -> SchemaRef {
        Arc::clone(&self.0.schema)
    }

    /// The tables that are read, each once, by name.
    pub fn tables(&self) -> &[TemplateTable] {
        self.0.template.tables()
    }

    /// What is released with how much noise, what it costs, and under which rules, in plain words.
    pub fn explain(&self) -> Explanation {
        words::template(self)
    }

    /// Binds arguments, as [`Template::bind`].
    ///
    /// # Errors
    /// [`BindRefused`] names the parameter, never the value.
    pub fn bind(&self, args: &[(String, Value)]) -> Result<DpBound, BindRefused> {
        let bound = self.0.template.bind(args)?;
        let of = |parameter: &Parameter| args.iter().find(|(name, _)| *name == parameter.name);
        let values = { self.0.template.parameters().iter() }
            .filter_map(|parameter| of(parameter).map(|(_, value)| value.clone()))
            .collect();
        Ok(DpBound {
            template: self.clone(),
            bound,
            values,
        })
    }
}

impl fmt::Debug for DpTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpTemplate")
            .field("template", &self.0.template)
            .field("cost", &self.0.cost)
            .finish_non_exhaustive()
    }
}

/// A statistic with noise and its arguments. Its `Debug` shows no argument.
pub struct DpBound {
    template: DpTemplate,
    bound: Bound,
    values: Vec<Value>,
}

impl DpBound {
    /// What would be released for these arguments, as [`DpTemplate::explain`].
    pub fn explain(&self) -> Explanation {
        words::bound(self)
    }

    /// The arguments, in the order of the parameters, in one form: equal for equal questions, different for others.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for value in &self.values {
            match value {
                Value::Integer(number) => {
                    bytes.push(0);
                    bytes.extend(number.to_be_bytes());
                }
                Value::Text(text) => {
                    bytes.push(1);
                    bytes.extend((text.len() as u64).to_be_bytes());
                    bytes.extend(text.as_bytes());
                }
            }
        }
        bytes
    }
}

impl fmt::Debug for DpBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpBound")
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

fn check_terms(terms: &DpTerms) -> Result<(), TemplateRefused> {
    let DpTerms {
        rho,
        groups_per_entity_max,
        rows_per_entity_max,
        clamps: _, // held against the statement
    } = terms;
    let limits = 1..=LIMIT_MAX;
    if *rho == MicroRho::ZERO || *rho > RHO_MAX {
        return refuse(Rule::PrivacyTerms, "rho");
    }
    if !limits.contains(groups_per_entity_max) {
        return refuse(Rule::PrivacyTerms, "groups_per_entity_max");
    }
    if !limits.contains(rows_per_entity_max) {
        return refuse(Rule::PrivacyTerms, "rows_per_entity_max");
    }
    Ok(())
}

/// The space to which the entities of the protected table belong, and what may be spent on it: without a name there is
/// no account.
fn account(
    protected: &TableRules,
    query: &Query<Bindable>,
) -> Result<(String, DpBudget), TemplateRefused> {
    let entity = protected.column(query.entity);
    match (protected.policy.space(entity), protected.policy.dp()) {
        (Some(space), Some(budget)) => Ok((space.to_owned(), *budget)),
        (None, _) | (_, None) => refuse(Rule::PrivacyBudget, protected.name.as_str()),
    }
}

/// The template with each clamp in place of the declared bounds, which it must lie in.
fn narrowed(template: &Template, terms: &DpTerms) -> Result<Template, TemplateRefused> {
    let query = template.query();
    let rules = template.rules(query.protected);
    let mut cells = query.cells.clone();
    for (at, clamp) in terms.clamps.iter().enumerate() {
        let twice = terms.clamps[..at]
            .iter()
            .any(|one| one.column == clamp.column);
        let mut used = false;
        for cell in &mut cells {
            let (Cell::Average(column, measure) | Cell::Sum(column, measure)) = cell else {
                continue;
            };
            if rules.column(*column) == clamp.column {
                used = measure.narrow(clamp);
                if !used {
                    break;
                }
            }
        }
        if twice || !used || !rules_open(rules, &clamp.column) {
            return refuse(Rule::PrivacyForm, clamp.column.as_str());
        }
    }
    Ok(template.with_cells(cells))
}

fn rules_open(rules: &TableRules, column: &str) -> bool {
    rules.policy.allows(column, Use::Aggregate)
}

impl Measure {
    /// Narrows the bounds; false if the clamp is empty or reaches beyond them.
    fn narrow(&mut self, clamp: &Clamp) -> bool {
        let fits = clamp.min < clamp.max && clamp.min >= self.min && clamp.max <= self.max;
        if fits {
            (self.min, self.max) = (clamp.min, clamp.max);
        }
        fits
    }
}

#[cfg(test)]
mod tests;
