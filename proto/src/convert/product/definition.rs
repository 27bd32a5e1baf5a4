//! What a product computes, by kind: exactly the definition that fits the kind, each list bounded.

use std::collections::BTreeSet;

use lingqu_core::product::{
    Clamp, Cutoff, Definition, DpTerms, Feature, FieldRule, Model, ModelOutput, Parameter,
    ParameterValues, ProductKind, RESOURCES_MAX, Statistic, Verification,
};
use lingqu_policy::MicroRho;

use crate::convert::FieldInvalid;
use crate::convert::field::{distinct, list, name, refuse, text};
use crate::pb;

/// Most fields that select register rows.
const KEY_FIELDS_MAX: usize = 8;
/// Most fields that are compared.
const COMPARED_FIELDS_MAX: usize = 16;
/// Most numbers by which a field may be asked about.
const THRESHOLDS_MAX: usize = 16;
/// The comparators that a field may name.
const COMPARATORS: [&str; 5] = ["at_least", "date", "exact", "folded", "integer"];
/// Most features of a model.
const FEATURES_MAX: usize = 256;
/// Largest model, in bytes: an envelope has little more than a mebibyte.
const MODEL_LEN_MAX: usize = 960 << 10;
/// Most reason codes of one answer.
const REASONS_MAX: u32 = 16;
/// Longest SQL, in bytes.
const SQL_LEN_MAX: usize = 16 << 10;
/// Most parameters of a statistic.
const PARAMETERS_MAX: usize = 16;
/// Most columns whose bounds a statistic narrows.
const CLAMPS_MAX: usize = 32;
/// The resources' names of one product together, in bytes: what a record's clear field can hold.
const RESOURCES_LEN_MAX: usize = 256;

pub(super) fn from_pb(
    kind: i32,
    definition: Option<pb::product::Definition>,
    resource: &str,
) -> Result<Definition, FieldInvalid> {
    use pb::ProductKind as Kind;
    use pb::product::Definition as Wire;
    match (Kind::try_from(kind), definition) {
        (Ok(Kind::Verification), Some(Wire::Verification(fields))) => {
            verification(fields).map(Definition::Verification)
        }
        (Ok(Kind::Model), Some(Wire::Model(wire))) => model(wire).map(Definition::Model),
        (Ok(Kind::Statistic), Some(Wire::Statistic(wire))) => {
            statistic(wire, resource).map(Definition::Statistic)
        }
        (Ok(Kind::Verification | Kind::Model | Kind::Statistic), _) => {
            refuse("definition", "is missing or not of the product's kind")
        }
        (Ok(Kind::Unspecified) | Err(_), _) => refuse("kind", "is unspecified or unknown"),
    }
}

fn verification(verification: pb::Verification) -> Result<Verification, FieldInvalid> {
    let key = key("verification.key", verification.key)?;
    if !(1..=COMPARED_FIELDS_MAX).contains(&verification.compared.len()) {
        return refuse("verification.compared", "does not have 1 to 16 fields");
    }
    let compared = list("verification.compared", verification.compared, rule)?;
    let names: BTreeSet<&str> = key
        .iter()
        .chain(&compared)
        .map(|rule| rule.name.as_str())
        .collect();
    if names.len() != key.len() + compared.len() {
        return refuse("verification", "has two fields of one name");
    }
    Ok(Verification { key, compared })
}

fn key(field: &'static str, rules: Vec<pb::FieldRule>) -> Result<Vec<FieldRule>, FieldInvalid> {
    if !(1..=KEY_FIELDS_MAX).contains(&rules.len()) {
        return refuse(field, "does not have 1 to 8 fields");
    }
    // Rows are found by equality only; a product that could never open is refused where it is registered.
    if rules.iter().any(|rule| rule.comparator == "at_least") {
        return refuse(field, "has a field that is compared by order");
    }
    list(field, rules, rule)
}

fn rule(rule: pb::FieldRule) -> Result<FieldRule, FieldInvalid> {
    if !COMPARATORS.contains(&rule.comparator.as_str()) {
        return refuse(
            "field.comparator",
            "is not `at_least`, `exact`, `folded`, `integer` or `date`",
        );
    }
    let ascending = rule.thresholds.windows(2).all(|pair| pair[0] < pair[1]);
    let fit = match rule.comparator.as_str() {
        "at_least" => (1..=THRESHOLDS_MAX).contains(&rule.thresholds.len()) && ascending,
        _ => rule.thresholds.is_empty(),
    };
    if !fit {
        return refuse(
            "field.thresholds",
            "are not 1 to 16 ascending numbers, or belong to a field that is not compared by `at_least`",
        );
    }
    Ok(FieldRule {
        name: name("field.name", rule.name)?,
        column: name("field.column", rule.column)?,
        comparator: rule.comparator,
        thresholds: rule.thresholds,
    })
}

fn model(wire: pb::Model) -> Result<Model, FieldInvalid> {
    let key = key("model.key", wire.key)?;
    let keys: Vec<&str> = key.iter().map(|rule| rule.name.as_str()).collect();
    distinct("model.key", &keys)?;
    if !(1..=FEATURES_MAX).contains(&wire.features.len()) {
        return refuse("model.features", "does not have 1 to 256 entries");
    }
    let features = list("model.features", wire.features, |feature| {
        Ok(Feature {
            name: text("model.features.name", feature.name)?,
            column: name("model.features.column", feature.column)?,
        })
    })?;
    let names: Vec<&str> = features.iter().map(|f| f.name.as_str()).collect();
    distinct("model.features", &names)?;
    if !matches!(wire.format.as_str(), "onnx" | "scorecard") {
        return refuse("model.format", "is not `scorecard` or `onnx`");
    }
    if !(1..=MODEL_LEN_MAX).contains(&wire.model.len()) {
        return refuse("model.model", "is empty or longer than 960 KiB");
    }
    Ok(Model {
        key,
        features,
        format: wire.format,
        model: wire.model,
        output: output(wire.output)?,
        reasons_max: match u8::try_from(wire.reasons_max) {
            Ok(most) if wire.reasons_max <= REASONS_MAX => most,
            _ => return refuse("model.reasons_max", "is more than 16"),
        },
    })
}

fn output(wire: Option<pb::model::Output>) -> Result<ModelOutput, FieldInvalid> {
    match wire {
        Some(pb::model::Output::Classes(classes)) => {
            let cutoffs = list("model.classes.cutoffs", classes.cutoffs, |cutoff| {
                Ok(Cutoff {
                    label: label("model.classes.cutoffs.label", cutoff.label)?,
                    from_e6: cutoff.from_e6,
                })
            })?;
            if cutoffs
                .windows(2)
                .any(|pair| pair[0].from_e6 >= pair[1].from_e6)
            {
                return refuse("model.classes.cutoffs", "is not in ascending order");
            }
            if cutoffs.is_empty() != classes.lowest.is_empty() {
                return refuse(
                    "model.classes.lowest",
                    "goes with cut-offs, and only with them",
                );
            }
            let mut labels: Vec<&str> = cutoffs.iter().map(|c| c.label.as_str()).collect();
            labels.push(&classes.lowest);
            distinct("model.classes", &labels)?;
            let unknown = label("model.classes.unknown", classes.unknown)?;
            if !cutoffs.is_empty() && !labels.contains(&unknown.as_str()) {
                return refuse("model.classes.unknown", "is not one of the classes");
            }
            Ok(ModelOutput::Classes {
                lowest: match classes.lowest.as_str() {
                    "" => String::new(),
                    _ => label("model.classes.lowest", classes.lowest)?,
                },
                cutoffs,
                unknown,
            })
        }
        Some(pb::model::Output::Score(score)) => {
            let told = score.min_e6..=score.max_e6;
            if score.step_e6 <= 0 || told.is_empty() || !told.contains(&score.unknown_e6) {
                return refuse(
                    "model.score",
                    "has no step, no range, or `unknown` outside it",
                );
            }
            Ok(ModelOutput::Score {
                step_e6: score.step_e6,
                min_e6: score.min_e6,
                max_e6: score.max_e6,
                unknown_e6: score.unknown_e6,
            })
        }
        None => refuse("model.output", "is missing"),
    }
}

/// The name of a class: short free text, since it is an answer.
fn label(field: &'static str, value: String) -> Result<String, FieldInvalid> {
    if (1..=64).contains(&value.len()) {
        text(field, value)
    } else {
        refuse(field, "is not 1 to 64 bytes")
    }
}

fn statistic(wire: pb::Statistic, resource: &str) -> Result<Statistic, FieldInvalid> {
    if !(1..=SQL_LEN_MAX).contains(&wire.sql.len()) {
        return refuse("statistic.sql", "is empty or longer than 16 KiB");
    }
    if wire.parameters.len() > PARAMETERS_MAX {
        return refuse("statistic.parameters", "has more than 16 entries");
    }
    let parameters = list("statistic.parameters", wire.parameters, parameter)?;
    let names: Vec<&str> = parameters.iter().map(|p| p.name.as_str()).collect();
    distinct("statistic.parameters", &names)?;
    let dimensions = list("statistic.dimensions", wire.dimensions, |dimension| {
        name("statistic.dimensions", dimension)
    })?;
    let mut resources: Vec<&str> = dimensions.iter().map(String::as_str).collect();
    resources.push(resource);
    distinct("statistic.dimensions", &resources)?;
    if resources.len() > RESOURCES_MAX || resources.join(" ").len() > RESOURCES_LEN_MAX {
        return refuse(
            "statistic.dimensions",
            "are too many or have too long names",
        );
    }
    Ok(Statistic {
        sql: wire.sql,
        parameters,
        dimensions,
        dp: wire.dp.map(dp_terms).transpose()?,
    })
}

/// The ranges are the guard's to say; here only what no signed object needs is refused.
fn dp_terms(wire: pb::DpTerms) -> Result<DpTerms, FieldInvalid> {
    if wire.rho_micro == 0 || wire.groups_per_entity_max == 0 || wire.rows_per_entity_max == 0 {
        return refuse("statistic.dp", "has a term that is zero or missing");
    }
    if wire.clamps.len() > CLAMPS_MAX {
        return refuse("statistic.dp.clamps", "has more than 32 entries");
    }
    let clamps = list("statistic.dp.clamps", wire.clamps, |clamp| {
        Ok(Clamp {
            column: name("statistic.dp.clamps", clamp.column)?,
            min: clamp.min,
            max: clamp.max,
        })
    })?;
    if !clamps.is_sorted_by(|one, other| one.column < other.column) {
        return refuse(
            "statistic.dp.clamps",
            "are not in ascending order of columns",
        );
    }
    Ok(DpTerms {
        rho: MicroRho(wire.rho_micro),
        groups_per_entity_max: wire.groups_per_entity_max,
        rows_per_entity_max: wire.rows_per_entity_max,
        clamps,
    })
}

fn parameter(wire: pb::Parameter) -> Result<Parameter, FieldInvalid> {
    let texts = list("statistic.parameters.texts", wire.texts, |value| {
        text("statistic.parameters.texts", value)
    })?;
    let integers = list("statistic.parameters.integers", wire.integers, Ok)?;
    let ascending = texts.is_sorted_by(|a, b| a < b) && integers.is_sorted_by(|a, b| a < b);
    if !ascending {
        return refuse("statistic.parameters", "have values out of ascending order");
    }
    let allowed = match (pb::ParameterKind::try_from(wire.kind), integers.is_empty()) {
        (Ok(pb::ParameterKind::Text), true) => ParameterValues::Texts(texts),
        (Ok(pb::ParameterKind::Date), true) => ParameterValues::Dates(texts),
        (Ok(pb::ParameterKind::Integer), false) if texts.is_empty() => {
            return Ok(Parameter {
                name: name("statistic.parameters.name", wire.name)?,
                allowed: ParameterValues::Integers(integers),
                edges: wire.edges,
            });
        }
        _ => {
            return refuse(
                "statistic.parameters.kind",
                "is unknown or does not fit the values",
            );
        }
    };
    match &allowed {
        ParameterValues::Texts(values) | ParameterValues::Dates(values) if values.is_empty() => {
            refuse("statistic.parameters", "has no values")
        }
        ParameterValues::Dates(_) | ParameterValues::Integers(_) | ParameterValues::Texts(_) => {
            Ok(Parameter {
                name: name("statistic.parameters.name", wire.name)?,
                allowed,
                edges: wire.edges,
            })
        }
    }
}

pub(super) fn to_pb(definition: &Definition) -> (pb::ProductKind, pb::product::Definition) {
    let kind = match definition.kind() {
        ProductKind::Model => pb::ProductKind::Model,
        ProductKind::Statistic => pb::ProductKind::Statistic,
        ProductKind::Verification => pb::ProductKind::Verification,
    };
    let definition = match definition {
        Definition::Model(model) => pb::product::Definition::Model(model_to_pb(model)),
        Definition::Statistic(statistic) => {
            pb::product::Definition::Statistic(statistic_to_pb(statistic))
        }
        Definition::Verification(verification) => {
            pb::product::Definition::Verification(pb::Verification {
                key: verification.key.iter().map(rule_to_pb).collect(),
                compared: verification.compared.iter().map(rule_to_pb).collect(),
            })
        }
    };
    (kind, definition)
}

fn rule_to_pb(rule: &FieldRule) -> pb::FieldRule {
    pb::FieldRule {
        name: rule.name.clone(),
        column: rule.column.clone(),
        comparator: rule.comparator.clone(),
        thresholds: rule.thresholds.clone(),
    }
}

fn model_to_pb(model: &Model) -> pb::Model {
    let output = match &model.output {
        ModelOutput::Classes {
            cutoffs,
            lowest,
            unknown,
        } => pb::model::Output::Classes(pb::ClassOutput {
            cutoffs: cutoffs
                .iter()
                .map(|cutoff| pb::Cutoff {
                    label: cutoff.label.clone(),
                    from_e6: cutoff.from_e6,
                })
                .collect(),
            lowest: lowest.clone(),
            unknown: unknown.clone(),
        }),
        ModelOutput::Score {
            step_e6,
            min_e6,
            max_e6,
            unknown_e6,
        } => pb::model::Output::Score(pb::ScoreOutput {
            step_e6: *step_e6,
            min_e6: *min_e6,
            max_e6: *max_e6,
            unknown_e6: *unknown_e6,
        }),
    };
    let feature = |feature: &Feature| pb::Feature {
        name: feature.name.clone(),
        column: feature.column.clone(),
    };
    pb::Model {
        key: model.key.iter().map(rule_to_pb).collect(),
        features: model.features.iter().map(feature).collect(),
        format: model.format.clone(),
        model: model.model.clone(),
        output: Some(output),
        reasons_max: model.reasons_max.into(),
    }
}

fn statistic_to_pb(statistic: &Statistic) -> pb::Statistic {
    let parameter = |parameter: &Parameter| {
        let (kind, texts, integers) = match &parameter.allowed {
            ParameterValues::Dates(values) => (pb::ParameterKind::Date, values.clone(), Vec::new()),
            ParameterValues::Integers(values) => {
                (pb::ParameterKind::Integer, Vec::new(), values.clone())
            }
            ParameterValues::Texts(values) => (pb::ParameterKind::Text, values.clone(), Vec::new()),
        };
        pb::Parameter {
            name: parameter.name.clone(),
            kind: kind.into(),
            texts,
            integers,
            edges: parameter.edges,
        }
    };
    pb::Statistic {
        sql: statistic.sql.clone(),
        parameters: statistic.parameters.iter().map(parameter).collect(),
        dimensions: statistic.dimensions.clone(),
        dp: statistic.dp.as_ref().map(dp_to_pb),
    }
}

fn dp_to_pb(terms: &DpTerms) -> pb::DpTerms {
    let clamp = |clamp: &Clamp| pb::Clamp {
        column: clamp.column.clone(),
        min: clamp.min,
        max: clamp.max,
    };
    pb::DpTerms {
        rho_micro: terms.rho.0,
        groups_per_entity_max: terms.groups_per_entity_max,
        rows_per_entity_max: terms.rows_per_entity_max,
        clamps: terms.clamps.iter().map(clamp).collect(),
    }
}
