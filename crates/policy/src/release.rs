//! Under which terms statistics over a resource may leave: minimum groups, dominance, rounding, number of groups.
//!
//! A resource whose policy has no release terms answers no statistic.

/// Least minimum group that can be agreed: below ten entities nothing leaves, whoever signs.
const GROUP_MIN_FLOOR: u32 = 10;
/// Largest value of `group_min` and of `round_to`.
const CEILING: u32 = 1_000_000;
/// Largest share that one entity may have in an aggregate, in percent: beyond it the figure is nearly its own.
const DOMINANCE_CEILING: u8 = 90;
/// Most groups that one answer may have.
const GROUPS_CEILING: u32 = 65_536;

/// The terms. Built only by [`Release::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    group_min: u32,
    dominance_percent_max: u8,
    round_to: u32,
    groups_max: u32,
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
            round_to,
            groups_max,
        })
    }

    /// Fewest entities in a group that is shown, and fewest contributors to a figure that is shown.
    pub fn group_min(&self) -> u32 {
        self.group_min
    }

    /// Largest share of one entity in a figure that is shown, in percent.
    pub fn dominance_percent_max(&self) -> u8 {
        self.dominance_percent_max
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
