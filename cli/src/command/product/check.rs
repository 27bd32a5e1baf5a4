//! `product check`: what a product would answer, in plain words, and whether it could: against the unit's policy, and
//! against the resource as the node's configuration names it.

mod statistic;

use std::path::PathBuf;

use arrow_schema::DataType;
use clap::Args;
use lingqu_core::ErrorCode;
use lingqu_core::product::{Definition, FieldRule, ModelOutput, Product, SignedPolicy, Tier};
use lingqu_node::NodeConfig;

use crate::doctor;
use crate::document;
use crate::explanation::Explanation;
use crate::failure::Failure;
use crate::session::Session;

/// `product check FILE [--policy FILE …] [--config node.toml]`
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// A TOML file, or a signed or unsigned object · TOML 文件或对象文件
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The unit's policy, to see whether it allows what the product needs; of a statistic, one for each table ·
    /// 数源单位策略，统计产品每表一份
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// The node's configuration, to see whether its resource fits · 节点配置文件
    #[arg(long, value_name = "node.toml")]
    config: Option<PathBuf>,
}

impl Check {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let product: Product = document::read(&self.file)?;
        let policies = self.policy.iter().map(|path| document::read(path));
        let policies: Vec<SignedPolicy> = policies.collect::<Result<_, _>>()?;
        let config = self.config.as_deref().map(NodeConfig::read).transpose()?;
        let mut told = explain(&product);
        let guarded = statistic::check(&product, &policies, config.as_ref(), &mut told);
        told.tell(session)?;
        // Of several, the one on the product's own resource; one that is about nothing of it is refused.
        let own = policies
            .iter()
            .find(|policy| policy.resource == product.resource)
            .or(policies.first());
        if let Some(policy) = own {
            against_policy(&product, policy)?;
        }
        if let Some(config) = &config {
            against_node(&product, config)?;
        }
        guarded
    }
}

fn cannot_run(why: impl std::fmt::Display) -> Failure {
    Failure::Refused {
        code: ErrorCode::ProductCannotRun,
        detail: why.to_string(),
    }
}

/// Whether the policy is about this resource and opens every column for what the product does with it.
fn against_policy(product: &Product, policy: &SignedPolicy) -> Result<(), Failure> {
    if policy.unit != product.unit || policy.resource != product.resource {
        return Err(cannot_run(format_args!(
            "the policy is about `{}` of {}",
            policy.resource, policy.unit
        )));
    }
    product.check_against(&policy.policy).map_err(cannot_run)
}

/// Whether the node is the product's, and its resource has the columns, of types that can be used.
fn against_node(product: &Product, config: &NodeConfig) -> Result<(), Failure> {
    if config.id != product.node || config.unit != product.unit {
        return Err(cannot_run(format_args!(
            "the configuration is of {} of {}",
            config.id, config.unit
        )));
    }
    let of_name = |name: &str| {
        config
            .resources
            .iter()
            .find(|resource| resource.name == name)
    };
    let missing = |name: &str| cannot_run(format_args!("the node has no resource `{name}`"));
    if let Definition::Statistic(statistic) = &product.definition {
        for name in &statistic.dimensions {
            of_name(name).ok_or_else(|| missing(name))?;
        }
    }
    let resource = of_name(&product.resource).ok_or_else(|| missing(&product.resource))?;
    let found = doctor::read(config, resource).map_err(|error| Failure::Refused {
        code: error.code(),
        detail: format!("`{}`: {error}", resource.name),
    })?;
    for (column, comparator) in columns(product) {
        let kind = found.columns.iter().find(|(name, _)| name == column);
        let kind = kind.map(|(_, kind)| kind).ok_or_else(|| {
            cannot_run(format_args!("`{}` has no column `{column}`", resource.name))
        })?;
        if comparator.is_some_and(|comparator| !compares(comparator, kind)) {
            let comparator = comparator.unwrap_or_default();
            return Err(cannot_run(format_args!(
                "column `{column}` is {kind}, which `{comparator}` does not compare"
            )));
        }
    }
    Ok(())
}

/// The columns that a product names, each with its comparator if it has one. Those of a statistic stand in its SQL.
fn columns(product: &Product) -> Vec<(&str, Option<&str>)> {
    match &product.definition {
        Definition::Model(model) => {
            let features = model.features.iter();
            fields(&model.key)
                .chain(features.map(|feature| (feature.column.as_str(), None)))
                .collect()
        }
        Definition::Statistic(_) => Vec::new(),
        Definition::Verification(verification) => fields(&verification.key)
            .chain(fields(&verification.compared))
            .collect(),
    }
}

fn fields(rules: &[FieldRule]) -> impl Iterator<Item = (&str, Option<&str>)> {
    rules
        .iter()
        .map(|rule| (rule.column.as_str(), Some(rule.comparator.as_str())))
}

/// Whether a comparator can be used on a column of this type.
fn compares(comparator: &str, kind: &DataType) -> bool {
    match comparator {
        "date" => *kind == DataType::Date32,
        "integer" => kind.is_integer() && *kind != DataType::UInt64,
        _ => matches!(kind, DataType::Utf8 | DataType::LargeUtf8),
    }
}

/// What it says.
fn explain(product: &Product) -> Explanation {
    let mut told = Explanation::default();
    let (reference, node) = (&product.reference, &product.node);
    told.add(
        format!(
            "{reference}, {} ({}): asked at {node}, it reads `{}` of {}",
            product.title_en,
            product.definition.kind(),
            product.resource,
            product.unit
        ),
        format!(
            "{reference}，{}（{}）：在 {node} 调用，读取 {} 的 `{}`",
            product.title_zh,
            kind_zh(&product.definition),
            product.unit,
            product.resource
        ),
    );
    if product.tier == Tier::Redeveloped {
        let from: Vec<String> = product
            .derived_from
            .iter()
            .map(ToString::to_string)
            .collect();
        let from = from.join(", ");
        told.add(
            format!("redeveloped from {from}"),
            format!("由 {from} 再开发而成"),
        );
    }
    match &product.definition {
        Definition::Model(model) => {
            stated(&model.key, &mut told);
            let inputs: Vec<&str> = model
                .features
                .iter()
                .map(|input| input.column.as_str())
                .collect();
            told.add(
                format!(
                    "the node itself reads {} for the {} model",
                    inputs.join(", "),
                    model.format
                ),
                format!(
                    "节点自行读取 {} 作为 {} 模型的输入",
                    inputs.join("、"),
                    model.format
                ),
            );
            match &model.output {
                ModelOutput::Classes { .. } => told.add(
                    "one class leaves, and nothing that was read",
                    "仅输出一个类别，所读数据不输出",
                ),
                ModelOutput::Score { .. } => told.add(
                    "one rounded score leaves, and nothing that was read",
                    "仅输出一个取整后的分数，所读数据不输出",
                ),
            }
        }
        Definition::Statistic(statistic) => {
            for parameter in &statistic.parameters {
                told.add(
                    format!(
                        "a caller chooses `{}` among declared values only",
                        parameter.name
                    ),
                    format!("调用方仅可在已申报取值中选择 `{}`", parameter.name),
                );
            }
            told.add(
                format!(
                    "one table of gated aggregates leaves, by this SQL: {}",
                    statistic.sql
                ),
                format!("仅输出经闸门控制的汇总表，SQL 为：{}", statistic.sql),
            );
        }
        Definition::Verification(verification) => {
            stated(&verification.key, &mut told);
            stated(&verification.compared, &mut told);
            told.add(
                "one combined verdict leaves, never one per field and never a value",
                "仅输出一个合并结论，不逐项输出，也不输出任何数值",
            );
        }
    }
    told
}

fn stated(rules: &[FieldRule], told: &mut Explanation) {
    for rule in rules {
        let FieldRule {
            name,
            column,
            comparator,
            thresholds,
        } = rule;
        told.add(
            format!(
                "a caller states `{name}`, which is compared with column `{column}` ({comparator})"
            ),
            format!("调用方填写 `{name}`，与字段 `{column}` 比对（{comparator}）"),
        );
        if !thresholds.is_empty() {
            let numbers: Vec<String> = thresholds.iter().map(i64::to_string).collect();
            told.add(
                format!(
                    "`{name}` is one of {}: all that can be learnt of a subject is between which two of them it lies",
                    numbers.join(", ")
                ),
                format!(
                    "`{name}` 只能填写 {}：对任一主体只能得知其落在哪两个数之间",
                    numbers.join("、")
                ),
            );
        }
    }
}

fn kind_zh(definition: &Definition) -> &'static str {
    match definition {
        Definition::Model(_) => "模型",
        Definition::Statistic(_) => "统计",
        Definition::Verification(_) => "核验",
    }
}

#[cfg(test)]
mod tests;
