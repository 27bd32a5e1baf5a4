//! Regions: statistical division codes on five levels (000 Art. 6; R-087): autonomous region, city, county, township,
//! village. A code's length tells its level, and a prefix of a code is an ancestor.

use std::fmt;
use std::str::FromStr;

/// A division code of 2, 4, 6, 9 or 12 digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

/// The five levels, widest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 自治区 or province: 2 digits.
    Province,
    /// 市: 4 digits.
    City,
    /// 县: 6 digits.
    County,
    /// 乡: 9 digits.
    Township,
    /// 村: 12 digits.
    Village,
}

/// Why a text is not a region code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a region code has 2, 4, 6, 9 or 12 digits, for the levels province, city, county, township and village"
)]
pub struct RegionRefused;

impl Region {
    /// The code's digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Which of the five levels the code stands on.
    pub fn level(&self) -> Level {
        match self.0.len() {
            2 => Level::Province,
            4 => Level::City,
            6 => Level::County,
            9 => Level::Township,
            _ => Level::Village,
        }
    }

    /// Whether `other` is this region or lies below it: what a supervisor of this region may see.
    pub fn covers(&self, other: &Region) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The lowest region that covers both: whose data bureau organises what concerns both. None for
    /// regions of different provinces.
    pub fn common(&self, other: &Region) -> Option<Region> {
        [12, 9, 6, 4, 2].into_iter().find_map(|length| {
            let prefix = self.0.get(..length)?;
            (other.0.starts_with(prefix)).then(|| Region(prefix.to_owned()))
        })
    }
}

impl FromStr for Region {
    type Err = RegionRefused;

    fn from_str(code: &str) -> Result<Self, RegionRefused> {
        let digits = code.bytes().all(|byte| byte.is_ascii_digit());
        if digits && matches!(code.len(), 2 | 4 | 6 | 9 | 12) && !code.starts_with('0') {
            Ok(Region(code.to_owned()))
        } else {
            Err(RegionRefused)
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_tells_the_level() {
        for (code, level) in [
            ("45", Level::Province),
            ("4501", Level::City),
            ("450102", Level::County),
            ("450102001", Level::Township),
            ("450102001001", Level::Village),
        ] {
            assert_eq!(code.parse::<Region>().unwrap().level(), level);
        }
        for wrong in ["", "4", "450", "45010", "4501020", "45a1", "0501", "４５"] {
            assert!(wrong.parse::<Region>().is_err(), "{wrong}");
        }
    }

    /// a lower bureau sees its own subtree only.
    #[test]
    fn a_region_covers_its_subtree_and_nothing_else() {
        let codes = [
            "45",
            "4501",
            "4503",
            "450102",
            "450302",
            "450102001",
            "44",
            "4401",
        ];
        for above in codes {
            for below in codes {
                let covers = above
                    .parse::<Region>()
                    .unwrap()
                    .covers(&below.parse().unwrap());
                assert_eq!(covers, below.starts_with(above), "{above} over {below}");
            }
        }
    }

    /// city and city, city and its own county, county and county of one city and of two.
    #[test]
    fn the_common_region_is_the_lowest_that_covers_both() {
        for (one, other, common) in [
            ("4501", "4503", Some("45")),
            ("4501", "450102", Some("4501")),
            ("450102", "450103", Some("4501")),
            ("450102", "450302", Some("45")),
            ("450102001", "450102002", Some("450102")),
            ("4501", "4501", Some("4501")),
            ("4501", "4401", None),
        ] {
            let read = |code: &str| code.parse::<Region>().unwrap();
            let expected = common.map(read);
            assert_eq!(read(one).common(&read(other)), expected, "{one} {other}");
            assert_eq!(read(other).common(&read(one)), expected, "{other} {one}");
        }
    }
}
