//! The register of the social-security bureau: 100,000 insured persons and what was paid in for them, all invented.
//!
//! It is drawn anew wherever the demo runs, always the same, and never kept as a file of this repository. Names are
//! plausible, numbers have the check characters that they must have, and every division code is one that no place has
//! (4592xx), so nobody alive has any of these numbers. What the tables say of a person is derived from the records.

use std::io;
use std::path::Path;

use super::calendar::Date;
use super::names::Sex;
use super::persons::{Persona, Persons, Recipe};
use super::tables;

#[cfg(test)]
mod tests;

/// Persons in PROD.
pub const PERSONS: u32 = 100_000;
/// Persons in TEST.
pub const SAMPLE_PERSONS: u32 = 200;
/// The date that the register speaks for.
pub const AS_OF: &str = "2026-05-01";
/// Division code of the sample persons; nobody in PROD has it.
pub const SAMPLE_DIVISION: &str = "459299";

/// Position of 交通运输 in the table of industries: the story's drivers work there.
const TRANSPORT: usize = 6;
/// Position of 信息技术服务业.
const SOFTWARE: usize = 8;
/// Position of 建筑业.
const CONSTRUCTION: usize = 4;

const fn born(year: i32, month: i32, day: i32) -> Date {
    Date { year, month, day }
}

/// The people of the story, who come first in PROD: 21, 24 and 7 months of the last 24.
pub const PEOPLE: [Persona; 3] = [
    Persona {
        name: "黎远航",
        sex: Sex::Male,
        birth: born(1988, 3, 14),
        records: &[
            ((2022, 5), (2024, 11), 5_600),
            ((2025, 3), (2026, 4), 6_100),
        ],
        industry: TRANSPORT,
    },
    Persona {
        name: "韦静文",
        sex: Sex::Female,
        birth: born(1984, 9, 2),
        records: &[((2022, 1), (2026, 4), 11_800)],
        industry: SOFTWARE,
    },
    Persona {
        name: "覃志勇",
        sex: Sex::Male,
        birth: born(1979, 11, 23),
        records: &[
            ((2024, 6), (2024, 8), 4_300),
            ((2025, 2), (2025, 3), 4_200),
            ((2025, 11), (2025, 12), 4_250),
        ],
        industry: CONSTRUCTION,
    },
];

/// The documented subjects of TEST, who come first there; see `docs/demo.md` for what is known of them.
pub const SAMPLES: [Persona; 6] = [
    Persona {
        name: "样本甲",
        sex: Sex::Male,
        birth: born(1990, 1, 1),
        records: &[((2022, 1), (2026, 4), 9_600)],
        industry: SOFTWARE,
    },
    Persona {
        name: "样本乙",
        sex: Sex::Female,
        birth: born(1985, 6, 15),
        records: &[
            ((2023, 1), (2024, 12), 5_800),
            ((2025, 5), (2026, 4), 6_200),
        ],
        industry: TRANSPORT,
    },
    Persona {
        name: "样本丙",
        sex: Sex::Male,
        birth: born(1996, 12, 31),
        records: &[
            ((2024, 7), (2024, 9), 4_300),
            ((2025, 4), (2025, 5), 4_200),
            ((2025, 12), (2025, 12), 4_200),
        ],
        industry: CONSTRUCTION,
    },
    Persona {
        name: "样本丁",
        sex: Sex::Female,
        birth: born(1972, 2, 29),
        records: &[((2025, 5), (2026, 4), 5_000)],
        industry: TRANSPORT,
    },
    Persona {
        name: "样本戊",
        sex: Sex::Male,
        birth: born(1966, 8, 8),
        records: &[((2022, 1), (2023, 12), 7_000)],
        industry: CONSTRUCTION,
    },
    Persona {
        name: "欧阳样本",
        sex: Sex::Female,
        birth: born(2004, 2, 29),
        records: &[],
        industry: TRANSPORT,
    },
];

static PRODUCTION: Recipe = Recipe {
    seed: 0x6c69_6e67_7175,
    divisions: &[
        ("459201", 26),
        ("459202", 21),
        ("459203", 15),
        ("459221", 14),
        ("459222", 10),
        ("459223", 8),
        ("459281", 6),
    ],
    first_organisation: 20_410_003,
    persons: PERSONS,
    personas: &PEOPLE,
};

static SAMPLE: Recipe = Recipe {
    seed: 0x7361_6d70_6c65,
    divisions: &[(SAMPLE_DIVISION, 1)],
    first_organisation: 90_410_003,
    persons: SAMPLE_PERSONS,
    personas: &SAMPLES,
};

/// The persons of PROD, in the order of the table.
pub fn persons() -> Persons {
    Persons::of(&PRODUCTION)
}

/// The persons of TEST.
pub fn sample_persons() -> Persons {
    Persons::of(&SAMPLE)
}

/// How many rows were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows of `insured_person`.
    pub persons: u32,
    /// Rows of `contribution_record`.
    pub records: u32,
}

/// Writes every table into `dir`; `progress` is told after each part how many persons are written and how many there
/// will be. What is returned is about PROD.
pub fn write(dir: &Path, progress: &mut dyn FnMut(u32, u32)) -> io::Result<Written> {
    std::fs::create_dir_all(dir)?;
    tables::write_industries(&dir.join("industry.parquet"))?;
    write_sample(dir)?;
    let files = [
        dir.join("insured_person.parquet"),
        dir.join("contribution_record.parquet"),
    ];
    tables::write_persons(persons(), &files[0], &files[1], &mut |done| {
        progress(done, PERSONS)
    })
}

/// Writes the tables of TEST into `dir`.
pub fn write_sample(dir: &Path) -> io::Result<Written> {
    std::fs::create_dir_all(dir)?;
    let files = [
        dir.join("insured_person.sample.parquet"),
        dir.join("contribution_record.sample.parquet"),
    ];
    tables::write_persons(sample_persons(), &files[0], &files[1], &mut |_| {})
}
