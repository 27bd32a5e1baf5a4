//! A unit's policy on one resource, parsed into a form that cannot be wrong.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::{AuditTerms, AuditTermsRefused, Domain, Release, Use, UseSet};

/// Largest number of columns and of purposes that one policy may name.
const NAMES_MAX: usize = 1_024;
/// A revocation epoch older than this many seconds is never acceptable, whatever a policy says.
const EPOCH_AGE_CEILING_S: u32 = 7 * 86_400;

/// What the unit allows on one resource. Built only by [`Policy::new`], then extended by the `with_` functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    columns: BTreeMap<String, UseSet>,
    domains: BTreeMap<String, Domain>,
    release: Option<Release>,
    purposes: BTreeSet<String>,
    audit: AuditTerms,
    epoch_age_max_s: u32,
}

/// Why a policy is refused. Texts name columns, which are metadata, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyRefused {
    /// Two rules for one column: it would be unclear which one the unit meant.
    #[error("column `{0}` has two rules")]
    ColumnTwice(String),
    /// A domain on a column that has no rule, or a second one.
    #[error("column `{0}` has a domain without a rule, or two domains")]
    Domain(String),
    /// No column, or more than the limit.
    #[error("a policy names between 1 and {NAMES_MAX} columns and at most {NAMES_MAX} purposes")]
    Size,
    /// An empty column or purpose name.
    #[error("an empty name")]
    NameEmpty,
    /// The maximum age of the revocation epoch is zero or above a week.
    #[error("`epoch_age_max_s` must be between 1 and {EPOCH_AGE_CEILING_S}")]
    EpochAge,
    /// The audit terms are out of bounds.
    #[error(transparent)]
    Audit(#[from] AuditTermsRefused),
}

impl Policy {
    /// Builds a policy from its rules; `epoch_age_max_s` is in seconds.
    pub fn new(
        columns: impl IntoIterator<Item = (String, UseSet)>,
        purposes: impl IntoIterator<Item = String>,
        audit: AuditTerms,
        epoch_age_max_s: u32,
    ) -> Result<Policy, PolicyRefused> {
        let mut rules = BTreeMap::new();
        for (column, uses) in columns {
            if column.is_empty() {
                return Err(PolicyRefused::NameEmpty);
            }
            if rules.insert(column.clone(), uses).is_some() {
                return Err(PolicyRefused::ColumnTwice(column));
            }
        }
        let purposes: BTreeSet<String> = purposes.into_iter().collect();
        if purposes.contains("") {
            return Err(PolicyRefused::NameEmpty);
        }
        if rules.is_empty() || rules.len() > NAMES_MAX || purposes.len() > NAMES_MAX {
            return Err(PolicyRefused::Size);
        }
        if !(1..=EPOCH_AGE_CEILING_S).contains(&epoch_age_max_s) {
            return Err(PolicyRefused::EpochAge);
        }
        Ok(Policy {
            columns: rules,
            domains: BTreeMap::new(),
            release: None,
            purposes,
            audit: audit.check()?,
            epoch_age_max_s,
        })
    }

    /// The policy with a domain for `column`, which must have a rule and no domain yet.
    pub fn with_domain(mut self, column: &str, domain: Domain) -> Result<Policy, PolicyRefused> {
        let known = self.columns.contains_key(column);
        if !known || self.domains.insert(column.to_owned(), domain).is_some() {
            return Err(PolicyRefused::Domain(column.to_owned()));
        }
        Ok(self)
    }

    /// The policy with terms under which statistics may leave.
    #[must_use]
    pub fn with_release(self, release: Release) -> Policy {
        Policy {
            release: Some(release),
            ..self
        }
    }

    /// Whether `column` may be put to `wanted`. A column without a rule is forbidden.
    pub fn allows(&self, column: &str, wanted: Use) -> bool {
        self.columns
            .get(column)
            .is_some_and(|uses| uses.allows(wanted))
    }

    /// Whether calls may state `purpose`.
    pub fn allows_purpose(&self, purpose: &str) -> bool {
        self.purposes.contains(purpose)
    }

    /// How strictly a call must be logged before its answer leaves.
    pub fn audit(&self) -> AuditTerms {
        self.audit
    }

    /// Oldest acceptable revocation epoch, in seconds since its issue.
    pub fn epoch_age_max_s(&self) -> u32 {
        self.epoch_age_max_s
    }

    /// The declared domain of `column`, if it has one.
    pub fn domain(&self, column: &str) -> Option<&Domain> {
        self.domains.get(column)
    }

    /// Under which terms statistics may leave; none means that there are no statistics.
    pub fn release(&self) -> Option<Release> {
        self.release
    }

    /// The columns that identify an entity and are not public: what minimum groups count.
    pub fn entities(&self) -> impl Iterator<Item = &str> {
        self.columns
            .iter()
            .filter(|(_, uses)| uses.allows(Use::Entity) && !uses.allows(Use::Show))
            .map(|(column, _)| column.as_str())
    }

    /// The columns and what is allowed on each, by name.
    pub fn columns(&self) -> impl Iterator<Item = (&str, UseSet)> {
        self.columns
            .iter()
            .map(|(column, uses)| (column.as_str(), *uses))
    }

    /// The purposes that calls may state, by name.
    pub fn purposes(&self) -> impl Iterator<Item = &str> {
        self.purposes.iter().map(String::as_str)
    }
}
