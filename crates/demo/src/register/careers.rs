//! Contributions: who paid in for whom, from which month to which, on what base; and what follows from that.
//!
//! The per-person numbers are derived from the records and from nothing else; a test derives them again.

use super::calendar::Month;
use super::draws::Draws;
use super::employers::Employers;
use super::industries::INDUSTRIES;

/// The first month that the register has.
pub(crate) const HISTORY_FIRST: Month = Month::new(2022, 1);
/// The last month that the register has.
pub(crate) const HISTORY_LAST: Month = Month::new(2026, 4);
/// The first of the 24 months that the per-person numbers are about.
pub(crate) const WINDOW_FIRST: Month = Month::new(2024, 5);
/// Least and greatest contribution base, yuan a month.
pub(crate) const BASES: (u32, u32) = (4_131, 20_655);

/// One employer's contributions for one person, without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Unified social credit code of the employer.
    pub employer: String,
    /// Position of its industry in [`INDUSTRIES`].
    pub industry: usize,
    /// First month paid.
    pub first: Month,
    /// Last month paid.
    pub last: Month,
    /// Contribution base, yuan a month.
    pub base: u32,
}

/// What follows from a person's records for the last 24 months.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Months with a contribution.
    pub contribution_months: u32,
    /// Different employers.
    pub employers: u32,
    /// Longest run of months without a contribution.
    pub longest_gap_months: u32,
    /// Average base over the months paid, rounded down; none if nothing was paid.
    pub average_base: Option<u32>,
}

impl Record {
    /// The months of this record that lie in the window.
    fn months_in_window(&self) -> u32 {
        let first = self.first.max(WINDOW_FIRST);
        u32::try_from(self.last.0 - first.0 + 1).unwrap_or(0)
    }
}

impl Standing {
    /// Derives it. Records are in order and do not overlap.
    pub fn of(records: &[Record]) -> Standing {
        let (mut months, mut paid, mut longest_gap) = (0, 0_u64, 0);
        let mut employers: Vec<&str> = Vec::new();
        let mut unpaid_from = WINDOW_FIRST;
        for record in records {
            let here = record.months_in_window();
            if here == 0 {
                continue;
            }
            months += here;
            paid += u64::from(here) * u64::from(record.base);
            longest_gap = longest_gap.max(record.first.0 - unpaid_from.0);
            unpaid_from = record.last.plus(1);
            if !employers.contains(&record.employer.as_str()) {
                employers.push(&record.employer);
            }
        }
        longest_gap = longest_gap.max(HISTORY_LAST.plus(1).0 - unpaid_from.0);
        let average = paid.checked_div(u64::from(months));
        Standing {
            contribution_months: months,
            employers: u32::try_from(employers.len()).unwrap_or(u32::MAX),
            longest_gap_months: u32::try_from(longest_gap).unwrap_or(0),
            average_base: average.and_then(|base| u32::try_from(base).ok()),
        }
    }
}

/// How somebody works: months of a job and months between two, each from least to most.
#[derive(Clone, Copy)]
struct Kind {
    per_mille: u32,
    job: (u32, u32),
    gap: (u32, u32),
    /// First month, in months after the beginning of the history, from earliest to latest.
    begins: (u32, u32),
    /// Whether the last job has ended before the window is over.
    leaves: bool,
}

const KINDS: [Kind; 5] = [
    // One employer all along.
    Kind {
        per_mille: 560,
        job: (60, 60),
        gap: (0, 0),
        begins: (0, 0),
        leaves: false,
    },
    // Changes now and then.
    Kind {
        per_mille: 245,
        job: (8, 30),
        gap: (0, 2),
        begins: (0, 6),
        leaves: false,
    },
    // Works where there is work: drivers, builders, kitchens.
    Kind {
        per_mille: 125,
        job: (2, 9),
        gap: (1, 6),
        begins: (0, 12),
        leaves: false,
    },
    // Has begun lately.
    Kind {
        per_mille: 45,
        job: (6, 20),
        gap: (0, 2),
        begins: (28, 51),
        leaves: false,
    },
    // Has left the city's insurance.
    Kind {
        per_mille: 25,
        job: (10, 20),
        gap: (0, 3),
        begins: (0, 6),
        leaves: true,
    },
];

/// Draws the records of somebody who may work from `from` on, aged `age` now.
pub(crate) fn draw(employers: &Employers, from: Month, age: i32, draws: &mut Draws) -> Vec<Record> {
    let kind = kind(draws);
    let mut records = Vec::new();
    let begins = draws.between(kind.begins.0, kind.begins.1);
    let mut month = HISTORY_FIRST.plus(begins).max(from);
    let until = if kind.leaves {
        HISTORY_FIRST.plus(draws.between(20, 46))
    } else {
        HISTORY_LAST
    };
    let mut industry = employers.draw_industry(draws);
    let mut base = first_base(industry, age, draws);
    while month <= until {
        let last = month
            .plus(draws.between(kind.job.0, kind.job.1) - 1)
            .min(until);
        let employer = employers.draw(industry, draws).code.clone();
        records.push(Record {
            employer,
            industry,
            first: month,
            last,
            base,
        });
        month = last.plus(1 + draws.between(kind.gap.0, kind.gap.1));
        // Most stay in their industry, and a new job pays a little more or less.
        if draws.chance(300) {
            industry = employers.draw_industry(draws);
        }
        base = clamp(base * draws.between(93, 112) / 100);
    }
    records
}

fn kind(draws: &mut Draws) -> Kind {
    let mut at = draws.below(1_000);
    for kind in KINDS {
        if at < kind.per_mille {
            return kind;
        }
        at -= kind.per_mille;
    }
    KINDS[0]
}

fn first_base(industry: usize, age: i32, draws: &mut Draws) -> u32 {
    let usual = INDUSTRIES[industry].base;
    let by_age = match age {
        ..25 => 78,
        25..35 => 98,
        35..45 => 112,
        45..55 => 108,
        55.. => 96,
    };
    // Three dice lean to the middle; a few earn much more.
    let mut share = 55 + draws.below(31) + draws.below(31) + draws.below(31);
    if draws.chance(70) {
        share += draws.below(150);
    }
    clamp(usual * by_age / 100 * share / 100)
}

fn clamp(base: u32) -> u32 {
    base.clamp(BASES.0, BASES.1)
}
