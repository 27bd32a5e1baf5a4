//! Under which terms statistics over a resource may leave: minimum groups, dominance, rounding, number of groups.
//!
//! A resource whose policy has no release terms answers no statistic. Terms of several resources compose to the
//! strictest ([`Release::meet`]).

use crate::Functions;

/// Least minimum group that can be agreed: below ten entities nothing leaves, whoever signs.
const GROUP_MIN_FLOOR: u32 = 10;
/// Largest value of `group_min` and of `round_to`.
const CEILING: u32 = 1_000_000;
/// Largest share that one entity may have in an aggregate, in percent: beyond it the figure is nearly its own.
const DOMINANCE_CEILING: u8 = 90;
/// Most groups that one answer may have.
const GROUPS_CEILING: u32 = 65_536;
/// Largest share of rows that figures may leave out, in percent: beyond it they tell of something else.
const WITHHELD_CEILING: u8 = 50;

/// The terms. Built only by [`Release::new`], then narrowed or widened by the `with_` functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    group_min: u32,
    dominance_percent_max: u8,
    p_percent: u8,
    homogeneity_percent_max: u8,
    withheld_percent_max: u8,
    round_to: u32,
    groups_max: u32,
    functions: Functions,
}

/// Why terms are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` must be between {floor} and {ceiling}")]
pub struct ReleaseRefused {
    /// The term's name.
    pub field: &'static str,
    /// Its least value.
    pub floor: u32,
    /// Its largest value.
    pub ceiling: u32,
}

impl Release {
    /// The share that a policy states where the unit has no reason for another one, in percent.
    pub const DOMINANCE_PERCENT_USUAL: u8 = 50;
    /// The statistical offices' usual p of the p% rule.
    pub const P_PERCENT_USUAL: u8 = 10;
    /// The usual largest share of one sensitive value.
    pub const HOMOGENEITY_PERCENT_USUAL: u8 = 90;
    /// The usual largest share of rows that figures leave out because their cells are too small.
    pub const WITHHELD_PERCENT_USUAL: u8 = 10;

    /// Checks each term: `group_min` 10 to 1,000,000 entities, `dominance_percent_max` 1 to 90, `round_to` 1 (none)
    /// to 1,000,000, `groups_max` 1 to 65,536.
    pub fn new(
        group_min: u32,
        dominance_percent_max: u8,
        round_to: u32,
        groups_max: u32,
    ) -> Result<Release, ReleaseRefused> {
        within("group_min", group_min, GROUP_MIN_FLOOR, CEILING)?;
        let dominance = u32::from(dominance_percent_max);
        within(
            "dominance_percent_max",
            dominance,
            1,
            u32::from(DOMINANCE_CEILING),
        )?;
        within("round_to", round_to, 1, CEILING)?;
        within("groups_max", groups_max, 1, GROUPS_CEILING)?;
        Ok(Release {
            group_min,
            dominance_percent_max,
            p_percent: Self::P_PERCENT_USUAL,
            homogeneity_percent_max: Self::HOMOGENEITY_PERCENT_USUAL,
            withheld_percent_max: Self::WITHHELD_PERCENT_USUAL,
            round_to,
            groups_max,
            functions: Functions::ALL,
        })
    }

    /// The terms with another p of the p% rule, 1 to 90.
    pub fn with_p_percent(self, p_percent: u8) -> Result<Release, ReleaseRefused> {
        within("p_percent", p_percent.into(), 1, DOMINANCE_CEILING.into())?;
        Ok(Release { p_percent, ..self })
    }

    /// The terms with another largest share of one sensitive value, 50 to 100 percent; 100 asks for nothing.
    pub fn with_homogeneity_percent_max(self, share: u8) -> Result<Release, ReleaseRefused> {
        within("homogeneity_percent_max", share.into(), 50, 100)?;
        Ok(Release {
            homogeneity_percent_max: share,
            ..self
        })
    }

    /// The terms with another largest share of rows that figures may leave out, 0 to 50 percent.
    pub fn with_withheld_percent_max(self, share: u8) -> Result<Release, ReleaseRefused> {
        let ceiling = WITHHELD_CEILING.into();
        within("withheld_percent_max", share.into(), 0, ceiling)?;
        Ok(Release {
            withheld_percent_max: share,
            ..self
        })
    }

    /// The terms with these functions and no others.
    #[must_use]
    pub fn with_functions(self, functions: Functions) -> Release {
        Release { functions, ..self }
    }

    /// What both terms allow: the stricter of each two.
    #[must_use]
    pub fn meet(self, other: Release) -> Release {
        Release {
            group_min: self.group_min.max(other.group_min),
            dominance_percent_max: self.dominance_percent_max.min(other.dominance_percent_max),
            p_percent: self.p_percent.max(other.p_percent),
            homogeneity_percent_max: self
                .homogeneity_percent_max
                .min(other.homogeneity_percent_max),
            withheld_percent_max: self.withheld_percent_max.min(other.withheld_percent_max),
            round_to: self.round_to.max(other.round_to),
            groups_max: self.groups_max.min(other.groups_max),
            functions: self.functions.meet(other.functions),
        }
    }

    /// Fewest entities in a group that is shown, and fewest contributors to a figure that is shown.
    pub fn group_min(&self) -> u32 {
        self.group_min
    }

    /// Largest share of one entity in a figure that is shown, in percent.
    pub fn dominance_percent_max(&self) -> u8 {
        self.dominance_percent_max
    }

    /// A figure is kept back if the second-largest contributor could tell the largest within this many percent.
    pub fn p_percent(&self) -> u8 {
        self.p_percent
    }

    /// Largest share of the entities of a cell that may have one value of a sensitive column, in percent, where answers
    /// tell that column's values apart.
    pub fn homogeneity_percent_max(&self) -> u8 {
        self.homogeneity_percent_max
    }

    /// Largest share of rows that a product's figures may leave out because their cells are too small, in percent; a
    /// product beyond it does not open.
    pub fn withheld_percent_max(&self) -> u8 {
        self.withheld_percent_max
    }

    /// The functions that may be asked.
    pub fn functions(&self) -> Functions {
        self.functions
    }

    /// Counts are rounded to multiples of this; 1 rounds nothing.
    pub fn round_to(&self) -> u32 {
        self.round_to
    }

    /// Most groups that one statistic may have.
    pub fn groups_max(&self) -> u32 {
        self.groups_max
    }
}

fn within(field: &'static str, value: u32, floor: u32, ceiling: u32) -> Result<(), ReleaseRefused> {
    if (floor..=ceiling).contains(&value) {
        Ok(())
    } else {
        Err(ReleaseRefused {
            field,
            floor,
            ceiling,
        })
    }
}
