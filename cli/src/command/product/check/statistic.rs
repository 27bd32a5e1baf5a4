//! Of a statistic: what the guard would let out of it and under which rules, or what to change. Needs the unit's
//! policies on all its tables, and no data.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use lingqu_core::product::{Definition, Product, SignedPolicy};
use lingqu_node::NodeConfig;
use lingqu_node::evaluate::statistic::explain_template;
use lingqu_node::evaluate::{StatisticExplained, TableRules};
use lingqu_policy::{DomainKind, Policy, Use};

use super::cannot_run;
use crate::doctor;
use crate::explanation::Explanation;
use crate::failure::Failure;

/// Adds to what is told of a product what the guard says of it: nothing of one that is no statistic, or while a policy
/// is missing.
///
/// # Errors
/// [`Failure::Refused`] if the guard would refuse it; what to change is told then.
pub(super) fn check(
    product: &Product,
    policies: &[SignedPolicy],
    config: Option<&NodeConfig>,
    told: &mut Explanation,
) -> Result<(), Failure> {
    let Definition::Statistic(statistic) = &product.definition else {
        return Ok(());
    };
    if policies.is_empty() {
        return Ok(());
    }
    let mut rules = Vec::new();
    for name in [&product.resource].into_iter().chain(&statistic.dimensions) {
        let known = policies
            .iter()
            .find(|policy| policy.resource == *name && policy.unit == product.unit);
        let Some(known) = known else {
            told.add(
                format!("not checked against its tables: the policy on `{name}` is not given"),
                format!("未按表核对：未提供 `{name}` 的策略"),
            );
            return Ok(());
        };
        rules.push(TableRules {
            name: name.clone(),
            schema: schema(name, &known.policy, config)?,
            policy: Arc::new(known.policy.clone()),
        });
    }
    if config.is_none() {
        told.add(
            "the columns' types are taken to be those of their domains; with --config they are read from the source",
            "各字段类型按其值域推定；加 --config 时以数据源为准",
        );
    }
    let (explained, refused) = match explain_template(statistic, &rules) {
        StatisticExplained::Allowed(explained) => (explained, false),
        StatisticExplained::Refused(explained) => (explained, true),
    };
    for sentence in explained.sentences {
        let (topic, en, zh) = (sentence.topic.as_str(), sentence.en, sentence.zh);
        told.add(format!("{topic}: {en}"), format!("{topic}：{zh}"));
    }
    if refused {
        return Err(cannot_run("the guard refuses the statement"));
    }
    Ok(())
}

/// The columns of a resource: as its source has them, or as its policy implies them.
fn schema(name: &str, policy: &Policy, config: Option<&NodeConfig>) -> Result<SchemaRef, Failure> {
    let resource = config.and_then(|config| {
        let named = config.resources.iter().find(|known| known.name == name);
        named.map(|resource| (config, resource))
    });
    let fields: Vec<Field> = match resource {
        Some((config, resource)) => {
            let found = doctor::read(config, resource).map_err(|error| Failure::Refused {
                code: error.code(),
                detail: format!("`{name}`: {error}"),
            })?;
            let columns = found.columns.into_iter();
            columns
                .map(|(column, kind)| Field::new(column, kind, true))
                .collect()
        }
        None => policy
            .columns()
            .map(|(column, _)| Field::new(column, implied(policy, column), true))
            .collect(),
    };
    Ok(Arc::new(Schema::new(fields)))
}

/// The type that a column of this domain usually has.
fn implied(policy: &Policy, column: &str) -> DataType {
    match policy.domain(column).map(|domain| domain.kind()) {
        Some(DomainKind::Bounds { .. } | DomainKind::IntegerBins(_) | DomainKind::Integers(_)) => {
            DataType::Int64
        }
        Some(DomainKind::DateBins(_)) => DataType::Date32,
        None if policy.allows(column, Use::Aggregate) => DataType::Int64,
        Some(DomainKind::Texts(_)) | None => DataType::Utf8,
    }
}

#[cfg(test)]
mod tests;
