//! The part of `product.toml` that says what a product computes: exactly one of `[verification]`, `[model]` and
//! `[statistic]`.

use std::collections::BTreeMap;
use std::path::Path;

use lingqu_core::product::{
    Clamp, Cutoff, Definition, DpTerms, Feature, FieldRule, Model, ModelOutput, Parameter,
    ParameterValues, Statistic, Verification,
};
use lingqu_policy::MicroRho;
use serde::{Deserialize, Serialize};

use crate::document::DocumentRefused;
use crate::document::text::Text;

/// Does a claim match the register? One combined verdict leaves, never one per field.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerificationToml {
    /// The fields that select register rows, 1 to 8.
    key: Vec<FieldToml>,
    /// The fields that are compared with the selected rows, 1 to 16.
    compared: Vec<FieldToml>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldToml {
    /// The name that a caller uses.
    name: String,
    /// The resource's column.
    column: String,
    /// `exact`, `folded`, `integer` or `date`; in a compared field also `at_least`.
    comparator: String,
    /// With `at_least`: the numbers that may be claimed, 1 to 16, ascending. All that can be learnt of a subject is
    /// between which two of them it lies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    thresholds: Vec<i64>,
}

/// A class or a rounded score of one subject, from features that the node reads itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelToml {
    /// `scorecard` or `onnx`.
    format: String,
    /// The model's file, beside this one. Its bytes become part of the product.
    file: String,
    /// Most reason codes that an answer names. Default 0.
    #[serde(default)]
    reasons_max: u8,
    /// The fields that select the subject's row, 1 to 8.
    key: Vec<FieldToml>,
    /// The model's inputs, in its order.
    features: Vec<FeatureToml>,
    /// The only thing that may leave: classes, …
    classes: Option<ClassesToml>,
    /// … or a rounded score.
    score: Option<ScoreToml>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FeatureToml {
    /// The name that the model knows it by.
    name: String,
    /// The resource's column.
    column: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassesToml {
    /// What is told about a subject that is not in the register.
    unknown: String,
    /// The class below the first cut-off; only with cut-offs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    lowest: String,
    /// Classes by score, ascending; none: the model's own classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cutoffs: Vec<CutoffToml>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CutoffToml {
    /// The class.
    label: String,
    /// Its first score; at most six decimals count.
    from: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScoreToml {
    /// Scores are rounded to a multiple of this.
    step: f64,
    /// Lowest score told.
    min: f64,
    /// Highest score told.
    max: f64,
    /// What is told about a subject that is not in the register.
    unknown: f64,
}

/// Gated aggregates by registered SQL.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatisticToml {
    /// One SELECT with `$name` placeholders.
    sql: String,
    /// Public resources that it joins.
    #[serde(default)]
    dimensions: Vec<String>,
    /// In the order in which positional calls give them.
    #[serde(default)]
    parameters: Vec<ParameterToml>,
    /// Every answer has noise and costs privacy budget. Absent: answers are exact, and made of cells that are large
    /// enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dp: Option<DpToml>,
}

/// How a statistic is differentially private per entity.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DpToml {
    /// What one answer costs of the budget, in ρ: `"0.005"`, at most six digits behind the point, up to 10.
    rho: Text<MicroRho>,
    /// Most groups of one answer that one entity counts in, 1 to 1,000,000.
    groups_per_entity_max: u32,
    /// Most rows of one entity that count in one group, 1 to 1,000,000.
    rows_per_entity_max: u32,
    /// Narrower bounds of summed columns than the policy declares: less noise, and values beyond them count as the bound.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    clamps: BTreeMap<String, ClampToml>,
}

/// Bounds of one column.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClampToml {
    /// Least value that counts.
    min: i64,
    /// Largest value that counts.
    max: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParameterToml {
    /// The name that the SQL and callers use.
    name: String,
    /// `text`, `integer` or `date`.
    #[serde(rename = "type")]
    kind: String,
    /// The declared values; no other may be given. Ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<ValueToml>,
    /// In place of values: the edges that a range may begin or end at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    edges: Vec<ValueToml>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum ValueToml {
    Integer(i64),
    Text(String),
}

/// The three sections, of which one is there.
pub(super) struct Sections {
    pub(super) verification: Option<VerificationToml>,
    pub(super) model: Option<ModelToml>,
    pub(super) statistic: Option<StatisticToml>,
}

impl Sections {
    /// The definition; a model's file is read beside `base`.
    pub(super) fn definition(self, base: &Path) -> Result<Definition, DocumentRefused> {
        match (self.verification, self.model, self.statistic) {
            (Some(verification), None, None) => Ok(Definition::Verification(Verification {
                key: rules(verification.key),
                compared: rules(verification.compared),
            })),
            (None, Some(toml), None) => model(toml, base).map(Definition::Model),
            (None, None, Some(toml)) => statistic(toml).map(Definition::Statistic),
            _ => Err(DocumentRefused::key(
                "definition",
                "is not exactly one of `[verification]`, `[model]` and `[statistic]`",
            )),
        }
    }

    /// The sections of a definition. A model's bytes have no place in TOML: its file is named by its digest's kind.
    pub(super) fn of(definition: &Definition) -> Sections {
        let mut sections = Sections {
            verification: None,
            model: None,
            statistic: None,
        };
        match definition {
            Definition::Model(model) => sections.model = Some(model_written(model)),
            Definition::Statistic(statistic) => {
                sections.statistic = Some(statistic_written(statistic));
            }
            Definition::Verification(verification) => {
                sections.verification = Some(VerificationToml {
                    key: fields(&verification.key),
                    compared: fields(&verification.compared),
                });
            }
        }
        sections
    }
}

fn rules(fields: Vec<FieldToml>) -> Vec<FieldRule> {
    let rule = |field: FieldToml| FieldRule {
        name: field.name,
        column: field.column,
        comparator: field.comparator,
        thresholds: field.thresholds,
    };
    fields.into_iter().map(rule).collect()
}

fn fields(rules: &[FieldRule]) -> Vec<FieldToml> {
    let field = |rule: &FieldRule| FieldToml {
        name: rule.name.clone(),
        column: rule.column.clone(),
        comparator: rule.comparator.clone(),
        thresholds: rule.thresholds.clone(),
    };
    rules.iter().map(field).collect()
}

fn model(toml: ModelToml, base: &Path) -> Result<Model, DocumentRefused> {
    let unreadable = DocumentRefused::key("model.file", "cannot be read");
    let bytes = std::fs::read(base.join(&toml.file)).map_err(|_| unreadable)?;
    let output = match (toml.classes, toml.score) {
        (Some(classes), None) => ModelOutput::Classes {
            cutoffs: classes
                .cutoffs
                .into_iter()
                .map(|cutoff| {
                    Ok(Cutoff {
                        label: cutoff.label,
                        from_e6: millionths(cutoff.from)?,
                    })
                })
                .collect::<Result<_, DocumentRefused>>()?,
            lowest: classes.lowest,
            unknown: classes.unknown,
        },
        (None, Some(score)) => ModelOutput::Score {
            step_e6: millionths(score.step)?,
            min_e6: millionths(score.min)?,
            max_e6: millionths(score.max)?,
            unknown_e6: millionths(score.unknown)?,
        },
        _ => {
            return Err(DocumentRefused::key(
                "model",
                "does not have exactly one of `classes` and `score`",
            ));
        }
    };
    let feature = |feature: FeatureToml| Feature {
        name: feature.name,
        column: feature.column,
    };
    Ok(Model {
        key: rules(toml.key),
        features: toml.features.into_iter().map(feature).collect(),
        format: toml.format,
        model: bytes,
        output,
        reasons_max: toml.reasons_max,
    })
}

/// A decimal in millionths; refused where that would round it.
fn millionths(value: f64) -> Result<i64, DocumentRefused> {
    let scaled = (value * 1e6).round();
    // Up to here every whole number has a double of its own.
    let is_exact = scaled.abs() <= 9e15 && (scaled / 1e6 - value).abs() <= value.abs() * 1e-12;
    if is_exact {
        #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
        Ok(scaled as i64)
    } else {
        Err(DocumentRefused::key(
            "model",
            "has a number with more than six decimals, or too large",
        ))
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "such numbers are read back exactly up to 9e15"
)]
fn decimal(millionths: i64) -> f64 {
    millionths as f64 / 1e6
}

fn model_written(model: &Model) -> ModelToml {
    let (classes, score) = match &model.output {
        ModelOutput::Classes {
            cutoffs,
            lowest,
            unknown,
        } => (
            Some(ClassesToml {
                unknown: unknown.clone(),
                lowest: lowest.clone(),
                cutoffs: cutoffs
                    .iter()
                    .map(|cutoff| CutoffToml {
                        label: cutoff.label.clone(),
                        from: decimal(cutoff.from_e6),
                    })
                    .collect(),
            }),
            None,
        ),
        ModelOutput::Score {
            step_e6,
            min_e6,
            max_e6,
            unknown_e6,
        } => (
            None,
            Some(ScoreToml {
                step: decimal(*step_e6),
                min: decimal(*min_e6),
                max: decimal(*max_e6),
                unknown: decimal(*unknown_e6),
            }),
        ),
    };
    let feature = |feature: &Feature| FeatureToml {
        name: feature.name.clone(),
        column: feature.column.clone(),
    };
    ModelToml {
        file: format!("model.{}", model.format),
        format: model.format.clone(),
        reasons_max: model.reasons_max,
        key: fields(&model.key),
        features: model.features.iter().map(feature).collect(),
        classes,
        score,
    }
}

fn statistic(toml: StatisticToml) -> Result<Statistic, DocumentRefused> {
    Ok(Statistic {
        sql: toml.sql,
        parameters: toml
            .parameters
            .into_iter()
            .map(parameter)
            .collect::<Result<_, _>>()?,
        dimensions: toml.dimensions,
        dp: toml.dp.map(dp_terms),
    })
}

fn dp_terms(toml: DpToml) -> DpTerms {
    let clamp = |(column, bounds): (String, ClampToml)| Clamp {
        column,
        min: bounds.min,
        max: bounds.max,
    };
    DpTerms {
        rho: toml.rho.0,
        groups_per_entity_max: toml.groups_per_entity_max,
        rows_per_entity_max: toml.rows_per_entity_max,
        clamps: toml.clamps.into_iter().map(clamp).collect(),
    }
}

fn dp_written(terms: &DpTerms) -> DpToml {
    let clamp = |clamp: &Clamp| {
        let Clamp { column, min, max } = clamp.clone();
        (column, ClampToml { min, max })
    };
    DpToml {
        rho: Text(terms.rho),
        groups_per_entity_max: terms.groups_per_entity_max,
        rows_per_entity_max: terms.rows_per_entity_max,
        clamps: terms.clamps.iter().map(clamp).collect(),
    }
}

fn parameter(toml: ParameterToml) -> Result<Parameter, DocumentRefused> {
    let wrong = || {
        DocumentRefused::key(
            "statistic.parameters",
            "have a type that is not `text`, `integer` or `date`, or values of another type",
        )
    };
    let texts = |values: Vec<ValueToml>| {
        let text = |value| match value {
            ValueToml::Text(text) => Ok(text),
            ValueToml::Integer(_) => Err(wrong()),
        };
        values.into_iter().map(text).collect::<Result<Vec<_>, _>>()
    };
    let (edges, values) = match (toml.edges.is_empty(), toml.values.is_empty()) {
        (true, false) => (false, toml.values),
        (false, true) => (true, toml.edges),
        (true, true) | (false, false) => {
            return Err(DocumentRefused::key(
                "statistic.parameters",
                "do not have either `values` or `edges`",
            ));
        }
    };
    let allowed = match toml.kind.as_str() {
        "text" => ParameterValues::Texts(texts(values)?),
        "date" => ParameterValues::Dates(texts(values)?),
        "integer" => {
            let integer = |value| match value {
                ValueToml::Integer(integer) => Ok(integer),
                ValueToml::Text(_) => Err(wrong()),
            };
            let values = values.into_iter().map(integer);
            ParameterValues::Integers(values.collect::<Result<_, _>>()?)
        }
        _ => return Err(wrong()),
    };
    Ok(Parameter {
        name: toml.name,
        allowed,
        edges,
    })
}

fn statistic_written(statistic: &Statistic) -> StatisticToml {
    let parameter = |parameter: &Parameter| {
        let declared: Vec<ValueToml> = match &parameter.allowed {
            ParameterValues::Integers(values) => {
                values.iter().copied().map(ValueToml::Integer).collect()
            }
            ParameterValues::Dates(values) | ParameterValues::Texts(values) => {
                values.iter().cloned().map(ValueToml::Text).collect()
            }
        };
        let (values, edges) = match parameter.edges {
            true => (Vec::new(), declared),
            false => (declared, Vec::new()),
        };
        ParameterToml {
            name: parameter.name.clone(),
            kind: parameter.allowed.type_word().to_owned(),
            values,
            edges,
        }
    };
    StatisticToml {
        sql: statistic.sql.clone(),
        dimensions: statistic.dimensions.clone(),
        parameters: statistic.parameters.iter().map(parameter).collect(),
        dp: statistic.dp.as_ref().map(dp_written),
    }
}
