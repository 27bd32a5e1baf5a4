//! The tables that a template may read: their schemas and the policies that label their columns.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, SchemaRef};
use lingqu_policy::{Domain, DomainKind, Policy, Use};

use crate::rule::{Rule, TemplateRefused, refuse};
use crate::shape::is_lower_name;

/// Most tables that are declared to one template.
const TABLES_MAX: usize = 64;
/// Most digits after the point of a decimal measure: sums are kept in millionths.
pub(crate) const SCALE: i8 = 6;

/// A table and its rules.
#[derive(Clone, Debug)]
pub struct TableRules {
    /// The name by which SQL knows it, `[a-z_][a-z0-9_]*`.
    pub name: String,
    /// Its columns.
    pub schema: SchemaRef,
    /// What the unit allows on it.
    pub policy: Arc<Policy>,
}

impl TableRules {
    /// The column at `index`.
    pub(crate) fn column(&self, index: usize) -> &str {
        self.schema.field(index).name()
    }

    pub(crate) fn data_type(&self, index: usize) -> &DataType {
        self.schema.field(index).data_type()
    }

    pub(crate) fn allows(&self, index: usize, wanted: Use) -> bool {
        self.policy.allows(self.column(index), wanted)
    }

    pub(crate) fn domain(&self, index: usize) -> Option<&Domain> {
        self.policy.domain(self.column(index))
    }

    /// Whether these columns may be read as a public table: there is no entity to protect, and each may be shown.
    pub(crate) fn is_public(&self, used: &BTreeSet<usize>) -> bool {
        self.policy.entities().next().is_none()
            && used.iter().all(|column| self.allows(*column, Use::Show))
    }

    /// The one column that identifies the entity.
    pub(crate) fn entity(&self) -> Result<usize, TemplateRefused> {
        let mut entities = self.policy.entities();
        let (Some(entity), None) = (entities.next(), entities.next()) else {
            return refuse(Rule::EntityRule, self.name.as_str());
        };
        let Ok(index) = self.schema.index_of(entity) else {
            return refuse(Rule::EntityRule, entity);
        };
        if is_text(self.data_type(index)) || is_integer(self.data_type(index)) {
            Ok(index)
        } else {
            refuse(Rule::EntityRule, entity)
        }
    }
}

/// Refuses names that a statement could confuse.
pub(crate) fn check_names(tables: &[TableRules]) -> Result<(), TemplateRefused> {
    let names: BTreeSet<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let well_formed = names.iter().all(|name| is_lower_name(name));
    let columns_once = tables.iter().all(|table| {
        let fields = table.schema.fields();
        let names: BTreeSet<&String> = fields.iter().map(|field| field.name()).collect();
        names.len() == fields.len()
    });
    if well_formed && columns_once && names.len() == tables.len() && tables.len() <= TABLES_MAX {
        Ok(())
    } else {
        Err(TemplateRefused::bare(Rule::TableRulesUnfit))
    }
}

pub(crate) fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

/// Integers that fit into 64 bits with their sign.
pub(crate) fn is_integer(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
    )
}

/// What sums of a column count in: units for integers, millionths for everything else; none if it is no measure.
pub(crate) fn measure_scale(data_type: &DataType) -> Option<i8> {
    match data_type {
        integer if is_integer(integer) => Some(0),
        DataType::Float32 | DataType::Float64 => Some(SCALE),
        DataType::Decimal128(_, scale) if (0..=SCALE).contains(scale) => Some(SCALE),
        _ => None,
    }
}

/// Whether values of this type can lie in the domain.
pub(crate) fn fits(domain: &Domain, data_type: &DataType) -> bool {
    match domain.kind() {
        DomainKind::Texts(_) => is_text(data_type),
        DomainKind::Integers(_) | DomainKind::IntegerBins(_) => is_integer(data_type),
        DomainKind::DateBins(_) => *data_type == DataType::Date32,
        DomainKind::Bounds { .. } => measure_scale(data_type).is_some(),
    }
}
