//! Model: one subject's row against an approved model, one class or rounded score out.
//!
//! The model is parsed once, completely or not at all, and its features are read into memory with the load: a caller
//! names a subject and nothing else, so that it cannot choose what the model is fed with. A subject that is not in the
//! register gets the answer that the product declares for it, after the same work.

use std::fmt;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use lingqu_core::decide::Permit;
use lingqu_core::product::{Load, Model as Definition, ModelOutput};
use lingqu_core::{ErrorCode, Fault, Timestamp};
use lingqu_matching::{Claim, Directory, DirectoryBuilder, IndexKey, Schema};
use lingqu_proto::{ClaimValue, Score, ScoreValue};
use lingqu_scoring::{
    ClassRule, CutOff, Feature, FeatureKind, Limits, Model, ModelRefused, Output, OutputRule,
    OutputValue, RuleRefused, Scores,
};
use ring::rand::SystemRandom;

use super::verification::{self, values_of};
use crate::sources::columns::check_computed;
use crate::sources::{ColumnsUnfit, each_row};

/// A model over one load, ready to be asked.
pub struct Prepared {
    /// The load it answers from.
    pub load: Load,
    subjects: Directory,
    features: Vec<Column>,
    model: Model,
    rule: OutputRule,
    unknown: ScoreValue,
    reasons_max: usize,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("load", &self.load)
            .field("subjects", &self.subjects)
            .finish_non_exhaustive()
    }
}

/// One feature of every row.
enum Column {
    /// NaN where nothing is known.
    Numbers(Vec<f64>),
    Texts(Vec<Option<Box<str>>>),
}

/// Why a model cannot be evaluated as its product declares. Depends on the product alone, never on data.
#[derive(Debug, thiserror::Error)]
pub enum ModelUnfit {
    /// The format has no name that is known.
    #[error("unknown format")]
    Format,
    /// The bytes are no model that is understood completely.
    #[error(transparent)]
    Refused(#[from] ModelRefused),
    /// The product names other features than the model takes, or in another order.
    #[error("the product's features are not the model's, in its order")]
    Features,
    /// The declared output does not fit the model.
    #[error(transparent)]
    Rule(#[from] RuleRefused),
    /// The answer for unknown subjects is none that the model gives.
    #[error("the answer for unknown subjects is not one of the model's answers")]
    Unknown,
}

/// Why a model cannot be opened over a register. Names columns, never values.
#[derive(Debug, thiserror::Error)]
pub enum PrepareRefused {
    /// The model itself.
    #[error("the model is unfit: {0}")]
    Model(#[from] ModelUnfit),
    /// The key fields do not make a schema.
    #[error("the product's key is unusable: {0}")]
    Schema(#[from] lingqu_matching::SchemaRefused),
    /// A comparator has an unknown name.
    #[error("unknown comparator")]
    Comparator,
    /// The resource has not the columns that the product needs.
    #[error(transparent)]
    Columns(#[from] ColumnsUnfit),
    /// A row does not fit.
    #[error(transparent)]
    Row(#[from] lingqu_matching::RowRefused),
    /// Two rows have one key.
    #[error(transparent)]
    KeyShared(#[from] lingqu_matching::KeyShared),
    /// The operating system gave no randomness.
    #[error("no randomness for the index key")]
    Randomness,
}

/// A model and the rule by which it answers, checked against what its product declares.
///
/// # Errors
/// [`ModelUnfit`]: whoever registers, adopts or opens the product refuses it.
pub fn check(definition: &Definition) -> Result<(Model, OutputRule), ModelUnfit> {
    let format = definition.format.parse().map_err(|_| ModelUnfit::Format)?;
    let model = Model::parse(format, &definition.model, &Limits::default())?;
    let named = definition.features.iter().map(|feature| &feature.name);
    if !named.eq(model.features().iter().map(|feature| &feature.name)) {
        return Err(ModelUnfit::Features);
    }
    let rule = output_rule(&definition.output);
    rule.check(&model)?;
    if let ModelOutput::Classes {
        unknown, cutoffs, ..
    } = &definition.output
        && cutoffs.is_empty()
        && !model.classes().contains(unknown)
    {
        return Err(ModelUnfit::Unknown);
    }
    Ok((model, rule))
}

fn output_rule(output: &ModelOutput) -> OutputRule {
    match output {
        ModelOutput::Classes {
            cutoffs, lowest, ..
        } => OutputRule::Classes {
            by: match cutoffs.is_empty() {
                true => ClassRule::Model,
                false => ClassRule::CutOffs {
                    below: lowest.clone(),
                    cut_offs: cutoffs
                        .iter()
                        .map(|cutoff| CutOff {
                            from: decimal(cutoff.from_e6),
                            label: cutoff.label.clone(),
                        })
                        .collect(),
                },
            },
        },
        ModelOutput::Score {
            step_e6,
            min_e6,
            max_e6,
            ..
        } => OutputRule::RoundedScore {
            step: decimal(*step_e6),
            min: decimal(*min_e6),
            max: decimal(*max_e6),
        },
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "scores are small numbers, and a declared one is what its nearest double is"
)]
fn decimal(millionths: i64) -> f64 {
    millionths as f64 / 1e6
}

impl Prepared {
    /// Most reason codes that an answer names.
    pub(super) fn reasons_max(&self) -> usize {
        self.reasons_max
    }

    /// Keeps key and features of every row of a reading, and parses the model. At least one batch, all of one schema.
    pub fn build(
        definition: &Definition,
        load: Load,
        batches: &[RecordBatch],
        rows_max: usize,
    ) -> Result<Prepared, PrepareRefused> {
        let (model, rule) = check(definition)?;
        let key = verification::fields(&definition.key).map_err(|_| PrepareRefused::Comparator)?;
        let schema = Schema::of_key(key)?;
        let index_key =
            IndexKey::generate(&SystemRandom::new()).map_err(|_| PrepareRefused::Randomness)?;
        let keys: Vec<&str> = definition.key.iter().map(|f| f.column.as_str()).collect();
        let names: Vec<&str> = definition
            .features
            .iter()
            .map(|f| f.column.as_str())
            .collect();
        let schema_read = batches.first().map(RecordBatch::schema);
        let schema_read = schema_read.ok_or(ColumnsUnfit::Unreadable)?;
        check_computed(&schema_read, &[keys.clone(), names.clone()].concat())?;
        let mut subjects = DirectoryBuilder::new(schema, index_key, rows_max);
        for batch in batches {
            let mut refused = None;
            each_row(batch, &keys, &mut |key| {
                refused = subjects.add_key(key).err();
                refused.is_none()
            })?;
            if let Some(refused) = refused {
                return Err(refused.into());
            }
        }
        let features = names
            .iter()
            .zip(model.features())
            .map(|(name, feature)| column(batches, name, feature.kind))
            .collect::<Result<Vec<_>, ColumnsUnfit>>()?;
        Ok(Prepared {
            load,
            subjects: subjects.build()?,
            features,
            model,
            rule,
            unknown: match &definition.output {
                ModelOutput::Classes { unknown, .. } => ScoreValue::Class(unknown.clone()),
                ModelOutput::Score { unknown_e6, .. } => ScoreValue::Score(decimal(*unknown_e6)),
            },
            reasons_max: definition.reasons_max.into(),
        })
    }

    /// Binds the subject of a request to the product's key.
    ///
    /// # Errors
    /// Which field of it is to blame.
    pub fn subject(&self, values: &[(String, ClaimValue)]) -> Result<Claim, Fault> {
        let schema = self.subjects.schema();
        Claim::parse(schema, values_of(values))
            .map_err(|refused| verification::fault(&refused, schema))
    }

    /// Scores the subject and tells what the permit lets the caller know.
    pub fn score(&self, subject: &Claim, permit: &Permit) -> Result<Score, ErrorCode> {
        let row = self.subjects.row(subject);
        // Somebody's row is scored for an unknown subject too, so that time does not tell that it is unknown.
        let scored = self.score_row(row.unwrap_or(0));
        match (row, scored) {
            (None, _) if permit.reveals_not_found() => Ok(bare(ScoreValue::NotFound)),
            (None, _) => Ok(bare(self.unknown.clone())),
            (Some(_), Some(output)) => {
                let value = match output.value() {
                    OutputValue::Class(class) => ScoreValue::Class(class.clone()),
                    OutputValue::Score(score) => ScoreValue::Score(*score),
                    OutputValue::Undetermined => return Err(ErrorCode::EvaluationFailed),
                };
                let reasons = output.reasons().iter().map(ToString::to_string);
                Ok(Score {
                    value,
                    reasons: reasons.collect(),
                })
            }
            (Some(_), None) => Err(ErrorCode::EvaluationFailed),
        }
    }

    /// The date its data speaks for.
    pub fn as_of(&self) -> Timestamp {
        self.load.as_of
    }

    fn score_row(&self, row: usize) -> Option<Output> {
        let features: Vec<Feature<'_>> = self
            .features
            .iter()
            .map(|column| column.at(row))
            .collect::<Option<_>>()?;
        let mut scores = Scores::default();
        self.model.score(&features, &mut scores).ok()?;
        Some(self.rule.apply(&scores, self.reasons_max))
    }
}

fn bare(value: ScoreValue) -> Score {
    Score {
        value,
        reasons: Vec::new(),
    }
}

impl Column {
    fn at(&self, row: usize) -> Option<Feature<'_>> {
        Some(match self {
            Column::Numbers(numbers) => match *numbers.get(row)? {
                number if number.is_nan() => Feature::Missing,
                number => Feature::Number(number),
            },
            Column::Texts(texts) => texts
                .get(row)?
                .as_deref()
                .map_or(Feature::Missing, Feature::Text),
        })
    }
}

/// One feature's column of every batch, in the kind that the model takes.
fn column(batches: &[RecordBatch], name: &str, kind: FeatureKind) -> Result<Column, ColumnsUnfit> {
    let target = match kind {
        FeatureKind::Category => DataType::Utf8,
        FeatureKind::Number => DataType::Float64,
    };
    let (mut numbers, mut texts) = (Vec::new(), Vec::new());
    for batch in batches {
        let array = batch
            .column_by_name(name)
            .ok_or_else(|| ColumnsUnfit::Missing(name.to_owned()))?;
        let is_text = matches!(array.data_type(), DataType::Utf8 | DataType::LargeUtf8);
        if is_text != (kind == FeatureKind::Category) {
            return Err(ColumnsUnfit::Type {
                column: name.to_owned(),
                found: array.data_type().to_string(),
            });
        }
        let array = arrow_cast::cast(array, &target).map_err(|_| ColumnsUnfit::Unreadable)?;
        match kind {
            FeatureKind::Category => texts.extend(
                array
                    .as_string::<i32>()
                    .iter()
                    .map(|text| text.map(Box::from)),
            ),
            FeatureKind::Number => numbers.extend(
                array
                    .as_primitive::<Float64Type>()
                    .iter()
                    .map(|number| number.unwrap_or(f64::NAN)),
            ),
        }
    }
    Ok(match kind {
        FeatureKind::Category => Column::Texts(texts),
        FeatureKind::Number => Column::Numbers(numbers),
    })
}
