//! What a caller may use right now: the approved products of its grants that hold. Listings show these and nothing else,
//! so that nobody learns of a product, a unit or a grant that is not its own.
//!
//! This only shows. Whether a call is allowed is decided by `core::decide`, call by call.

use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use lingqu_core::grant::{Environment, Grant, GrantKind};
use lingqu_core::product::{
    Definition, FieldRule, Parameter, ParameterValues, Product, ProductKind, ProductRef,
};
use lingqu_core::{GrantId, PartyId};
use lingqu_proto::ClaimValue;
use lingqu_tlog::Hash;

use crate::Node;
use crate::admission::caller::Caller;
use crate::admission::holdings::ApprovedProduct;
use crate::evaluate::Prepared;

/// A product as a caller sees it.
#[derive(Clone, Debug)]
pub struct VisibleProduct {
    /// Name and version.
    pub reference: ProductRef,
    /// The unit whose data it reads.
    pub unit: PartyId,
    /// Its kind.
    pub kind: ProductKind,
    /// Title in Chinese.
    pub title_zh: String,
    /// Title in English.
    pub title_en: String,
    /// What it takes, in the order of positional calls.
    pub parameters: Vec<VisibleParameter>,
    /// The columns of its answer; none where they are known only with the answer.
    pub output: SchemaRef,
    /// The caller's grants for it.
    pub grants: Vec<GrantId>,
}

/// What a caller gives to a product, as the product's signed bytes declare it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisibleParameter {
    /// Its name.
    pub name: String,
    /// Its type: `text`, `integer` or `date`.
    pub kind: &'static str,
    /// How it is compared with the register; none for a parameter of a statistic.
    pub comparator: Option<String>,
    /// The values that it may have.
    pub declared: Declared,
}

/// The values that a product accepts for a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declared {
    /// Whatever has the type.
    Any,
    /// One of these edges of bins, in ascending order.
    Edges(Vec<ClaimValue>),
    /// One of these.
    Values(Vec<ClaimValue>),
}

impl Declared {
    /// The list, if there is one.
    pub fn list(&self) -> &[ClaimValue] {
        match self {
            Declared::Any => &[],
            Declared::Edges(values) | Declared::Values(values) => values,
        }
    }
}

/// As SQL would write it: `months integer at_least (6, 12, 24)`, `age_from integer edges (16, 25)`.
impl fmt::Display for VisibleParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.kind)?;
        if let (Some("at_least"), _) = (self.comparator.as_deref(), &self.declared) {
            f.write_str(" at_least")?;
        }
        if let Declared::Edges(_) = self.declared {
            f.write_str(" edges")?;
        }
        if let Declared::Any = self.declared {
            return Ok(());
        }
        f.write_str(" (")?;
        for (place, value) in self.declared.list().iter().enumerate() {
            if place > 0 {
                f.write_str(", ")?;
            }
            match value {
                ClaimValue::Integer(number) => write!(f, "{number}")?,
                ClaimValue::Text(text) => write!(f, "'{}'", text.replace('\'', "''"))?,
            }
        }
        f.write_str(")")
    }
}

impl VisibleProduct {
    /// What it takes, as text: see [`VisibleParameter`].
    pub fn signature(&self) -> String {
        let parameters: Vec<String> = self.parameters.iter().map(ToString::to_string).collect();
        parameters.join(", ")
    }
}

impl Node {
    /// What `caller` may use now, in order of name and version.
    pub fn visible_products(&self, caller: &Caller) -> Vec<VisibleProduct> {
        let view = self.facts();
        let shown = |approved: &Arc<ApprovedProduct>| {
            let reference = &approved.product.reference;
            let names = |grant: &Grant| {
                let named = |hash: Hash| hash == approved.digest;
                let mut products = grant.products.iter();
                products.any(|granted| granted.reference == *reference && named(granted.digest))
            };
            let grants: Vec<GrantId> = view
                .grants_that_hold(self.id(), &caller.party, reference)
                .filter(|grant| names(grant))
                .map(|grant| grant.id.clone())
                .collect();
            (!grants.is_empty()).then(|| {
                let output = self.output(approved);
                VisibleProduct::of(&approved.product, output, grants)
            })
        };
        view.holdings().approved().filter_map(shown).collect()
    }

    /// The columns of a product's answer. Those of a statistic are inferred when it is opened over its loads; until
    /// then nothing is told of them.
    fn output(&self, approved: &ApprovedProduct) -> SchemaRef {
        match &approved.product.definition {
            Definition::Model(_) => score_schema(),
            Definition::Statistic(_) => {
                let environments = [Environment::Prod, Environment::ProdDebug, Environment::Test];
                let reference = &approved.product.reference;
                let opened = environments.into_iter().find_map(|environment| {
                    self.products
                        .opened(reference, environment, approved.digest)
                });
                match opened.as_deref() {
                    Some(Prepared::Dp(noisy)) => noisy.output_schema(),
                    Some(Prepared::Statistic(statistic)) => statistic.output_schema(),
                    Some(Prepared::Model(_) | Prepared::Verification(_)) | None => {
                        Arc::new(Schema::empty())
                    }
                }
            }
            Definition::Verification(_) => verdict_schema(),
        }
    }
}

impl VisibleProduct {
    fn of(product: &Product, output: SchemaRef, grants: Vec<GrantId>) -> VisibleProduct {
        let parameters = match &product.definition {
            Definition::Model(model) => fields(&model.key),
            Definition::Statistic(statistic) => {
                statistic.parameters.iter().map(parameter).collect()
            }
            Definition::Verification(verification) => {
                let mut parameters = fields(&verification.key);
                parameters.extend(fields(&verification.compared));
                parameters
            }
        };
        VisibleProduct {
            reference: product.reference.clone(),
            unit: product.unit.clone(),
            kind: product.definition.kind(),
            title_zh: product.title_zh.clone(),
            title_en: product.title_en.clone(),
            parameters,
            output,
            grants,
        }
    }
}

impl super::node::View {
    /// The caller's scenario grants that hold at this node now and that nobody has revoked or stopped.
    fn grants_that_hold<'a>(
        &'a self,
        node: &'a lingqu_core::NodeId,
        caller: &'a PartyId,
        product: &'a ProductRef,
    ) -> impl Iterator<Item = &'a Grant> {
        let now = self.now();
        self.holdings().grants_of(caller).filter(move |grant| {
            let revoked = self.epoch().is_none_or(|held| {
                let epoch = &held.epoch;
                epoch.revokes_party(caller)
                    || epoch.revokes_party(&grant.licensee)
                    || epoch.revokes_grant(&grant.id)
                    || epoch.suspends(&grant.id)
                    || epoch.revokes_product(product)
            });
            grant.kind == GrantKind::Scenario
                && (grant.not_before..grant.not_after).contains(&now)
                && grant.quota_at(node).is_some()
                && !revoked
                && !self.stops().stops_call(caller, product, &grant.id)
        })
    }
}

/// What selects or is compared, as a caller gives it.
fn fields(rules: &[FieldRule]) -> Vec<VisibleParameter> {
    let field = |rule: &FieldRule| VisibleParameter {
        name: rule.name.clone(),
        kind: match rule.comparator.as_str() {
            "at_least" | "integer" => "integer",
            "date" => "date",
            _ => "text",
        },
        comparator: Some(rule.comparator.clone()),
        declared: match rule.thresholds.as_slice() {
            [] => Declared::Any,
            thresholds => Declared::Values(integers(thresholds)),
        },
    };
    rules.iter().map(field).collect()
}

/// A parameter of a statistic: it has declared values, always.
fn parameter(parameter: &Parameter) -> VisibleParameter {
    let values = match &parameter.allowed {
        ParameterValues::Dates(texts) | ParameterValues::Texts(texts) => {
            texts.iter().cloned().map(ClaimValue::Text).collect()
        }
        ParameterValues::Integers(numbers) => integers(numbers),
    };
    VisibleParameter {
        name: parameter.name.clone(),
        kind: parameter.allowed.type_word(),
        comparator: None,
        declared: match parameter.edges {
            true => Declared::Edges(values),
            false => Declared::Values(values),
        },
    }
}

fn integers(numbers: &[i64]) -> Vec<ClaimValue> {
    numbers.iter().copied().map(ClaimValue::Integer).collect()
}

/// The columns of a verdict.
pub(crate) fn verdict_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        Arc::new(Schema::new(vec![
            Field::new("verdict", DataType::Utf8, false),
            Field::new("verdict_zh", DataType::Utf8, false),
        ]))
    });
    Arc::clone(&SCHEMA)
}

/// The columns of a score: a class or a number, and reason codes.
pub(crate) fn score_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let reason = Field::new_list_field(DataType::Utf8, true);
        Arc::new(Schema::new(vec![
            Field::new("class", DataType::Utf8, true),
            Field::new("score", DataType::Float64, true),
            Field::new_list("reasons", reason, false),
        ]))
    });
    Arc::clone(&SCHEMA)
}
