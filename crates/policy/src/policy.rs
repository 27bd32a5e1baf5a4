//! A unit's policy on one resource, parsed into a form that cannot be wrong.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::{
    AuditTerms, AuditTermsRefused, BodyTerms, Domain, DpBudget, Release, SubjectLimit, Use, UseSet,
};

/// Largest number of columns and of purposes that one policy may name.
const NAMES_MAX: usize = 1_024;
/// Longest name of an id space, in bytes.
const SPACE_LEN_MAX: usize = 64;
/// A revocation epoch older than this many seconds is never acceptable, whatever a policy says.
const EPOCH_AGE_CEILING_S: u32 = 7 * 86_400;

/// What the unit allows on one resource. Built only by [`Policy::new`], then extended by the `with_` functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    columns: BTreeMap<String, UseSet>,
    domains: BTreeMap<String, Domain>,
    spaces: BTreeMap<String, String>,
    sensitive: BTreeSet<String>,
    release: Option<Release>,
    dp: Option<DpBudget>,
    bodies: Option<BodyTerms>,
    subject_limit: Option<SubjectLimit>,
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
    /// An id space on a column that is no entity, a second one, or one whose name is not of `a-z 0-9 _`.
    #[error(
        "column `{0}` has an id space without being an entity, two of them, or one with a malformed name"
    )]
    Space(String),
    /// A column is called sensitive that has no rule, or twice.
    #[error("column `{0}` is called sensitive without a rule, or twice")]
    Sensitive(String),
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

/// Whether this can be the name of an id space: 1 to 64 of `a-z 0-9 _`.
pub fn is_space_name(name: &str) -> bool {
    (1..=SPACE_LEN_MAX).contains(&name.len())
        && (name.bytes()).all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
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
            spaces: BTreeMap::new(),
            sensitive: BTreeSet::new(),
            release: None,
            dp: None,
            bodies: None,
            subject_limit: None,
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

    /// The policy with a name for the space that the ids of `column` are from, such as `person`: entity columns of two
    /// tables can be joined only where both name the same space. The column must have the use `entity`.
    pub fn with_space(mut self, column: &str, space: &str) -> Result<Policy, PolicyRefused> {
        let named = is_space_name(space);
        let entity = self.allows(column, Use::Entity);
        let before = self.spaces.insert(column.to_owned(), space.to_owned());
        if named && entity && before.is_none() {
            Ok(self)
        } else {
            Err(PolicyRefused::Space(column.to_owned()))
        }
    }

    /// The policy that calls `column` sensitive: where answers tell its values apart, no cell may have nearly all its
    /// entities at one value ([`Release::homogeneity_percent_max`]).
    pub fn with_sensitive(mut self, column: &str) -> Result<Policy, PolicyRefused> {
        if self.columns.contains_key(column) && self.sensitive.insert(column.to_owned()) {
            Ok(self)
        } else {
            Err(PolicyRefused::Sensitive(column.to_owned()))
        }
    }

    /// The policy with terms under which statistics may leave.
    #[must_use]
    pub fn with_release(self, release: Release) -> Policy {
        Policy {
            release: Some(release),
            ..self
        }
    }

    /// The policy with a privacy budget, out of which differentially private answers are paid.
    #[must_use]
    pub fn with_dp(self, budget: DpBudget) -> Policy {
        Policy {
            dp: Some(budget),
            ..self
        }
    }

    /// The policy under which the details of calls are kept, sealed to regulators.
    #[must_use]
    pub fn with_bodies(self, bodies: BodyTerms) -> Policy {
        Policy {
            bodies: Some(bodies),
            ..self
        }
    }

    /// The policy under which calls about one subject are limited.
    #[must_use]
    pub fn with_subject_limit(self, limit: SubjectLimit) -> Policy {
        Policy {
            subject_limit: Some(limit),
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

    /// The privacy budget of each entity space of the resource; none means that there is no differentially private
    /// answer.
    pub fn dp(&self) -> Option<&DpBudget> {
        self.dp.as_ref()
    }

    /// Under which terms the details of calls are kept; none means that they are not.
    pub fn bodies(&self) -> Option<BodyTerms> {
        self.bodies
    }

    /// How often one subject may be asked about; none means that only the grants' quotas limit it.
    pub fn subject_limit(&self) -> Option<SubjectLimit> {
        self.subject_limit
    }

    /// The columns that identify an entity and are not public: what minimum groups count.
    pub fn entities(&self) -> impl Iterator<Item = &str> {
        self.columns
            .iter()
            .filter(|(_, uses)| uses.allows(Use::Entity) && !uses.allows(Use::Show))
            .map(|(column, _)| column.as_str())
    }

    /// The space that the ids of an entity column are from, if the unit named one.
    pub fn space(&self, column: &str) -> Option<&str> {
        self.spaces.get(column).map(String::as_str)
    }

    /// Whether the unit called `column` sensitive.
    pub fn is_sensitive(&self, column: &str) -> bool {
        self.sensitive.contains(column)
    }

    /// What both policies allow on one resource: the intersection of uses, purposes and functions, the stricter of each
    /// two terms. A column that only one of them knows is forbidden, as is selecting, grouping or summing by a column
    /// whose domains or id spaces differ. None if no column remains.
    pub fn meet(&self, other: &Policy) -> Option<Policy> {
        let mut columns = BTreeMap::new();
        for (column, uses) in &self.columns {
            let Some(others) = other.columns.get(column) else {
                continue;
            };
            columns.insert(column.clone(), uses.meet(*others));
        }
        let both = |column: &String| columns.contains_key(column);
        let same = |mine: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>| {
            (mine.iter())
                .filter(|(column, named)| both(column) && theirs.get(*column) == Some(named))
                .map(|(column, named)| (column.clone(), named.clone()))
                .collect()
        };
        let domains = (self.domains.iter())
            .filter(|(column, domain)| both(column) && other.domains.get(*column) == Some(domain))
            .map(|(column, domain)| (column.clone(), domain.clone()))
            .collect();
        let sensitive = self.sensitive.union(&other.sensitive).cloned();
        Some(Policy {
            domains,
            spaces: same(&self.spaces, &other.spaces),
            sensitive: sensitive.filter(both).collect(),
            release: self.release.zip(other.release).map(|(a, b)| a.meet(b)),
            dp: self.dp.zip(other.dp).map(|(a, b)| a.meet(b)),
            // Keeping is a duty, not a permission: it holds if either policy asks for it.
            bodies: match (self.bodies, other.bodies) {
                (Some(one), Some(two)) => Some(one.meet(two)),
                (one, two) => one.or(two),
            },
            subject_limit: match (self.subject_limit, other.subject_limit) {
                (Some(one), Some(two)) => Some(one.meet(two)),
                (one, two) => one.or(two),
            },
            purposes: self
                .purposes
                .intersection(&other.purposes)
                .cloned()
                .collect(),
            audit: self.audit.meet(other.audit),
            epoch_age_max_s: self.epoch_age_max_s.min(other.epoch_age_max_s),
            columns: if columns.is_empty() {
                return None;
            } else {
                columns
            },
        })
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
