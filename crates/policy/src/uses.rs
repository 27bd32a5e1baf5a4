//! The uses a unit may open on a column, and the presets that name common sets of them.
//!
//! A label is a *set* of uses, not a level: a column that may be grouped by is not thereby one that may be filtered
//! on. The meet of two labels is their intersection.

use std::fmt;
use std::str::FromStr;

/// One thing that may be done with a column's values inside the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Use {
    /// An aggregate may be computed over it.
    Aggregate,
    /// It may identify the entity that minimum group sizes count.
    Entity,
    /// Rows may be selected by it, over declared bins.
    Filter,
    /// Results may be grouped by it.
    Group,
    /// It may select the row that a verification or model call is about.
    Link,
    /// It may be an input of an approved model.
    Model,
    /// Its values may be shown: public data.
    Show,
    /// A claimed value may be compared with it; only the combined verdict leaves.
    Verify,
}

impl Use {
    /// Every use, in alphabetical order.
    pub const ALL: [Use; 8] = [
        Use::Aggregate,
        Use::Entity,
        Use::Filter,
        Use::Group,
        Use::Link,
        Use::Model,
        Use::Show,
        Use::Verify,
    ];

    /// The word in policy files and signed policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Use::Aggregate => "aggregate",
            Use::Entity => "entity",
            Use::Filter => "filter",
            Use::Group => "group",
            Use::Link => "link",
            Use::Model => "model",
            Use::Show => "show",
            Use::Verify => "verify",
        }
    }
}

/// A word that names no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a use; the uses are aggregate, entity, filter, group, link, model, show, verify"
)]
pub struct UseUnknown(pub String);

impl FromStr for Use {
    type Err = UseUnknown;

    fn from_str(word: &str) -> Result<Self, UseUnknown> {
        Use::ALL
            .into_iter()
            .find(|candidate| candidate.as_str() == word)
            .ok_or_else(|| UseUnknown(word.to_owned()))
    }
}

/// A set of uses; the empty set is "forbidden".
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct UseSet(u16);

impl UseSet {
    /// Nothing is allowed.
    pub const FORBIDDEN: UseSet = UseSet(0);

    /// Whether `wanted` is allowed.
    pub fn allows(self, wanted: Use) -> bool {
        self.0 & (1 << wanted as u8) != 0
    }

    /// The set with `added` allowed too.
    #[must_use]
    pub fn with(self, added: Use) -> UseSet {
        UseSet(self.0 | (1 << added as u8))
    }

    /// What both sets allow: how policies over the same column compose.
    #[must_use]
    pub fn meet(self, other: UseSet) -> UseSet {
        UseSet(self.0 & other.0)
    }

    /// The allowed uses, in alphabetical order.
    pub fn iter(self) -> impl Iterator<Item = Use> {
        Use::ALL
            .into_iter()
            .filter(move |candidate| self.allows(*candidate))
    }
}

impl FromIterator<Use> for UseSet {
    fn from_iter<I: IntoIterator<Item = Use>>(uses: I) -> Self {
        uses.into_iter().fold(UseSet::FORBIDDEN, UseSet::with)
    }
}

impl fmt::Debug for UseSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Use::as_str)).finish()
    }
}

/// Names for common sets of uses. They are an antichain below `public`, not a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// May be grouped and filtered by.
    Dimension,
    /// The entity key.
    Entity,
    /// May only select rows.
    FilterOnly,
    /// Nothing.
    Forbidden,
    /// May only select the subject of a call.
    LinkOnly,
    /// May be aggregated.
    Measure,
    /// May only feed approved models.
    ModelOnly,
    /// Everything, values included.
    Public,
    /// May only be compared with a claim.
    VerifyOnly,
}

/// A word that names no preset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a preset; the presets are dimension, entity, filter_only, forbidden, link_only, measure, model_only, public, verify_only"
)]
pub struct PresetUnknown(pub String);

impl FromStr for Preset {
    type Err = PresetUnknown;

    fn from_str(word: &str) -> Result<Self, PresetUnknown> {
        Preset::ALL
            .into_iter()
            .find(|candidate| candidate.as_str() == word)
            .ok_or_else(|| PresetUnknown(word.to_owned()))
    }
}

impl Preset {
    /// Every preset, in alphabetical order.
    pub const ALL: [Preset; 9] = [
        Preset::Dimension,
        Preset::Entity,
        Preset::FilterOnly,
        Preset::Forbidden,
        Preset::LinkOnly,
        Preset::Measure,
        Preset::ModelOnly,
        Preset::Public,
        Preset::VerifyOnly,
    ];

    /// The word in policy files.
    pub fn as_str(self) -> &'static str {
        match self {
            Preset::Dimension => "dimension",
            Preset::Entity => "entity",
            Preset::FilterOnly => "filter_only",
            Preset::Forbidden => "forbidden",
            Preset::LinkOnly => "link_only",
            Preset::Measure => "measure",
            Preset::ModelOnly => "model_only",
            Preset::Public => "public",
            Preset::VerifyOnly => "verify_only",
        }
    }

    /// The uses that the preset stands for.
    pub fn uses(self) -> UseSet {
        match self {
            Preset::Dimension => [Use::Group, Use::Filter].into_iter().collect(),
            Preset::Entity => [Use::Entity, Use::Link].into_iter().collect(),
            Preset::FilterOnly => UseSet::FORBIDDEN.with(Use::Filter),
            Preset::Forbidden => UseSet::FORBIDDEN,
            Preset::LinkOnly => UseSet::FORBIDDEN.with(Use::Link),
            Preset::Measure => UseSet::FORBIDDEN.with(Use::Aggregate),
            Preset::ModelOnly => UseSet::FORBIDDEN.with(Use::Model),
            Preset::Public => Use::ALL.into_iter().collect(),
            Preset::VerifyOnly => UseSet::FORBIDDEN.with(Use::Verify),
        }
    }
}
