//! What a product computes: one type per kind. Everything that decides the answer is in here, so that the digest which
//! agency and unit sign pins it.

use std::fmt;
use std::str::FromStr;

use lingqu_policy::MicroRho;

/// The three kinds of product that production answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProductKind {
    /// A class or a rounded score of one subject.
    Model,
    /// Gated aggregates.
    Statistic,
    /// 核验: a verdict on a claim.
    Verification,
}

impl ProductKind {
    /// Every kind.
    pub const ALL: [ProductKind; 3] = [
        ProductKind::Model,
        ProductKind::Statistic,
        ProductKind::Verification,
    ];

    /// The word in files, metrics and listings.
    pub fn as_str(self) -> &'static str {
        match self {
            ProductKind::Model => "model",
            ProductKind::Statistic => "statistic",
            ProductKind::Verification => "verification",
        }
    }

    /// What calling it is called in records.
    pub const fn action(self) -> &'static str {
        match self {
            ProductKind::Model => "score",
            ProductKind::Statistic => "query",
            ProductKind::Verification => "verify",
        }
    }
}

impl fmt::Display for ProductKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a product computes; one variant per kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    /// Which class or score does an approved model give this subject?
    Model(Model),
    /// Gated aggregates by registered SQL.
    Statistic(Statistic),
    /// Does a claim match the register?
    Verification(Verification),
}

impl Definition {
    /// Its kind.
    pub fn kind(&self) -> ProductKind {
        match self {
            Definition::Model(_) => ProductKind::Model,
            Definition::Statistic(_) => ProductKind::Statistic,
            Definition::Verification(_) => ProductKind::Verification,
        }
    }
}

/// A verification: rows are selected by `key`, then `compared`; one combined verdict leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The fields that select register rows.
    pub key: Vec<FieldRule>,
    /// The fields that are compared with the selected rows.
    pub compared: Vec<FieldRule>,
}

/// One field of a verification, or of what selects a model's subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRule {
    /// The name a caller uses.
    pub name: String,
    /// The resource's column.
    pub column: String,
    /// `exact`, `folded`, `integer` or `date`; in a compared field also `at_least`.
    pub comparator: String,
    /// Of `at_least`, and of no other: the 1 to 16 numbers, ascending, that may be claimed at all. Whoever could claim
    /// any number would find the register's by halving.
    pub thresholds: Vec<i64>,
}

/// A model with everything that decides what it answers.
#[derive(Clone, PartialEq, Eq)]
pub struct Model {
    /// The fields that select the subject's row.
    pub key: Vec<FieldRule>,
    /// In the order in which the model takes them.
    pub features: Vec<Feature>,
    /// `scorecard` or `onnx`.
    pub format: String,
    /// The model's file.
    pub model: Vec<u8>,
    /// The only thing that may leave.
    pub output: ModelOutput,
    /// Most reason codes that an answer names.
    pub reasons_max: u8,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("key", &self.key)
            .field("features", &self.features)
            .field("format", &self.format)
            .field("model", &format_args!("{} bytes", self.model.len()))
            .field("output", &self.output)
            .field("reasons_max", &self.reasons_max)
            .finish()
    }
}

/// A model's input, read by the node itself: a caller cannot choose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// The name that the model knows it by.
    pub name: String,
    /// The resource's column.
    pub column: String,
}

/// What a model may tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelOutput {
    /// One of a few classes.
    Classes {
        /// Classes by score, ascending; none: the model's own classes.
        cutoffs: Vec<Cutoff>,
        /// The class below the first cut-off; empty without cut-offs.
        lowest: String,
        /// What is told about a subject that is not in the register.
        unknown: String,
    },
    /// A rounded score; all numbers are millionths.
    Score {
        /// Scores are rounded to a multiple of this.
        step_e6: i64,
        /// Lowest score told.
        min_e6: i64,
        /// Highest score told.
        max_e6: i64,
        /// What is told about a subject that is not in the register.
        unknown_e6: i64,
    },
}

/// Where a class begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cutoff {
    /// The class.
    pub label: String,
    /// Its first score, in millionths.
    pub from_e6: i64,
}

/// A statistic: registered SQL over the product's resource and public ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistic {
    /// One SELECT with `$name` placeholders.
    pub sql: String,
    /// In the order in which positional calls give them.
    pub parameters: Vec<Parameter>,
    /// Public resources of the same unit that the SQL joins.
    pub dimensions: Vec<String>,
    /// The noise of every answer; none: answers are exact, and made of cells that are large enough.
    pub dp: Option<DpTerms>,
}

/// Under which terms a statistic is differentially private per entity. All of it is public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpTerms {
    /// What one answer costs of the budget of the entity's space.
    pub rho: MicroRho,
    /// Most groups of one answer that one entity counts in.
    pub groups_per_entity_max: u32,
    /// Most rows of one entity that count in one group.
    pub rows_per_entity_max: u32,
    /// Narrower bounds of summed columns than the policy declares, by column.
    pub clamps: Vec<Clamp>,
}

/// Narrower bounds of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clamp {
    /// The column.
    pub column: String,
    /// Least value that counts.
    pub min: i64,
    /// Largest value that counts.
    pub max: i64,
}

/// A parameter of a statistic. It ranges over declared values only, so that no caller can cut finer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The name that the SQL and callers use.
    pub name: String,
    /// What it may be.
    pub allowed: ParameterValues,
    /// Whether the values are edges of ranges, and not values to be equal to.
    pub edges: bool,
}

/// The declared values of a parameter, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterValues {
    /// `YYYY-MM-DD`.
    Dates(Vec<String>),
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Texts.
    Texts(Vec<String>),
}

impl ParameterValues {
    /// The type's word: `date`, `integer` or `text`.
    pub fn type_word(&self) -> &'static str {
        match self {
            ParameterValues::Dates(_) => "date",
            ParameterValues::Integers(_) => "integer",
            ParameterValues::Texts(_) => "text",
        }
    }
}

/// A word that names no kind of product.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of product; the kinds are model, statistic, verification")]
pub struct KindUnknown(pub String);

impl FromStr for ProductKind {
    type Err = KindUnknown;

    fn from_str(word: &str) -> Result<Self, KindUnknown> {
        ProductKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| KindUnknown(word.to_owned()))
    }
}
