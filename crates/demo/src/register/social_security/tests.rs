//! The register is what it says: plausible, consistent, disjoint from its samples, and the same everywhere.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use ring::digest::{Context, SHA256};

use super::{PERSONS, SAMPLE_DIVISION, SAMPLE_PERSONS, SAMPLES, persons, sample_persons};
use crate::register::careers::{BASES, HISTORY_FIRST, HISTORY_LAST, WINDOW_FIRST};
use crate::register::{
    AGE_BANDS, INDUSTRIES, Month, Person, Sex, age_band, is_credit_code, is_identity_number,
};

/// SHA-256 over every person and record of PROD as [`write_row`] writes them. A change of this value is a change of
/// the data that everybody's demo shows, and is made on purpose or not at all.
const DIGEST: &str = "5d1ea9b41e947d237b99faea3cfd009f4df1415173b8f773273a7d26b6285da1";

fn write_row(person: &Person, out: &mut String) {
    let birth = person.birth.days();
    let sex = person.sex.as_str();
    writeln!(
        out,
        "{},{},{sex},{birth},{}",
        person.id_no, person.name, person.region
    )
    .unwrap();
    for record in &person.records {
        let (first, last) = (record.first.number(), record.last.number());
        let industry = INDUSTRIES[record.industry].code;
        writeln!(
            out,
            " {},{industry},{first},{last},{}",
            record.employer, record.base
        )
        .unwrap();
    }
}

#[test]
fn the_register_is_the_same_everywhere() {
    let mut context = Context::new(&SHA256);
    let mut row = String::new();
    for person in persons() {
        row.clear();
        write_row(&person, &mut row);
        context.update(row.as_bytes());
    }
    assert_eq!(hex::encode(context.finish()), DIGEST);
}

#[test]
fn every_number_is_well_formed_unique_and_nobodys() {
    let mut numbers = HashSet::new();
    let mut employers = HashSet::new();
    for person in persons().chain(sample_persons()) {
        assert!(is_identity_number(&person.id_no));
        // 4592xx is assigned to no place; neither are the samples' codes, which are of the same block.
        assert!(person.id_no.starts_with("4592"));
        assert!(person.id_no.starts_with(person.region));
        let digits = |from: usize, to: usize| person.id_no[from..to].parse::<i32>().unwrap();
        let birth = (digits(6, 10), digits(10, 12), digits(12, 14));
        assert_eq!(
            birth,
            (person.birth.year, person.birth.month, person.birth.day)
        );
        let sex = if digits(14, 17) % 2 == 1 {
            Sex::Male
        } else {
            Sex::Female
        };
        assert_eq!(sex, person.sex);
        for record in &person.records {
            assert!(is_credit_code(&record.employer));
            assert!(record.employer[2..].starts_with("4592"));
            employers.insert(record.employer.clone());
        }
        assert!(numbers.insert(person.id_no), "a number stands twice");
    }
    assert_eq!(numbers.len(), (PERSONS + SAMPLE_PERSONS) as usize);
    assert!(employers.len() > 2_000, "{}", employers.len());
    // What the tests of the network plant as canaries, and the examples of the standards, are nobody's here.
    for planted in [
        "45010319870913428X",
        "11010519491231002X",
        "440524188001010014",
    ] {
        assert!(!numbers.contains(planted));
    }
    assert!(persons().all(|person| person.name != "陆明禾测"));
}

#[test]
fn samples_and_production_share_nobody_and_no_employer() {
    let employers = |people: &mut dyn Iterator<Item = Person>| -> HashSet<String> {
        people
            .flat_map(|person| person.records)
            .map(|record| record.employer)
            .collect()
    };
    assert!(persons().all(|person| person.region != SAMPLE_DIVISION));
    assert!(sample_persons().all(|person| person.region == SAMPLE_DIVISION));
    let production = employers(&mut persons());
    assert!(employers(&mut sample_persons()).is_disjoint(&production));
}

#[test]
fn records_are_in_order_without_overlaps_and_within_bounds() {
    for person in persons().chain(sample_persons()) {
        let mut free = Month(i32::MIN);
        for record in &person.records {
            assert!(record.first >= free, "two records of one person overlap");
            assert!(record.first >= HISTORY_FIRST && record.last <= HISTORY_LAST);
            assert!(record.first <= record.last);
            assert!((BASES.0..=BASES.1).contains(&record.base));
            let age = (record.first.0 - (person.birth.year * 12 + person.birth.month - 1)) / 12;
            assert!(age >= 16, "somebody paid in at {age}");
            free = record.last.plus(1);
        }
    }
}

#[test]
fn the_derived_numbers_follow_from_the_records() {
    for person in persons().step_by(7).chain(sample_persons()) {
        // Month by month, as a clerk would.
        let months: Vec<Option<(&str, u32)>> = (WINDOW_FIRST.0..=HISTORY_LAST.0)
            .map(|month| {
                let covers = |r: &&crate::register::Record| r.first.0 <= month && month <= r.last.0;
                person
                    .records
                    .iter()
                    .find(covers)
                    .map(|r| (r.employer.as_str(), r.base))
            })
            .collect();
        assert_eq!(months.len(), 24);
        let paid: Vec<(&str, u32)> = months.iter().flatten().copied().collect();
        let standing = person.standing();
        assert_eq!(standing.contribution_months as usize, paid.len());
        let employers: HashSet<&str> = paid.iter().map(|(employer, _)| *employer).collect();
        assert_eq!(standing.employers as usize, employers.len());
        let sum: u32 = paid.iter().map(|(_, base)| base).sum();
        assert_eq!(standing.average_base, sum.checked_div(paid.len() as u32));
        let gap = months
            .split(Option::is_some)
            .map(<[_]>::len)
            .max()
            .unwrap_or(0);
        assert_eq!(standing.longest_gap_months as usize, gap);
    }
}

#[test]
fn the_people_look_like_those_of_a_city() {
    let people: Vec<Person> = persons().collect();
    let share = |holds: &dyn Fn(&Person) -> bool| {
        people.iter().filter(|person| holds(person)).count() * 1_000 / people.len()
    };
    let within = |what: &str, share: usize, low: usize, high: usize| {
        assert!((low..=high).contains(&share), "{what}: {share} per mille");
    };
    within("men", share(&|p| p.sex == Sex::Male), 525, 555);
    within("surname 王", share(&|p| p.name.starts_with('王')), 50, 90);
    within("surname 黄", share(&|p| p.name.starts_with('黄')), 35, 70);
    within(
        "all 24 months",
        share(&|p| p.standing().contribution_months == 24),
        500,
        750,
    );
    within(
        "below 12 months",
        share(&|p| p.standing().contribution_months < 12),
        40,
        160,
    );
    within(
        "several employers",
        share(&|p| p.standing().employers > 1),
        150,
        400,
    );
    within(
        "no contribution",
        share(&|p| p.standing().contribution_months == 0),
        10,
        60,
    );
    within(
        "least base",
        share(&|p| p.standing().average_base == Some(BASES.0)),
        20,
        250,
    );
    within(
        "above 10,000",
        share(&|p| p.standing().average_base > Some(10_000)),
        30,
        200,
    );
    let mut bands: BTreeMap<&str, usize> = BTreeMap::new();
    for person in &people {
        assert!((16..=64).contains(&person.age()));
        *bands.entry(age_band(person.age())).or_default() += 1;
    }
    assert_eq!(bands.keys().copied().collect::<Vec<_>>(), AGE_BANDS);
    assert!(bands.values().all(|count| *count > 4_000), "{bands:?}");
    let names: HashSet<&str> = people.iter().map(|person| person.name.as_str()).collect();
    assert!(names.len() > 15_000, "{} names", names.len());
    // No day has conspicuously many births.
    let mut days: BTreeMap<i32, usize> = BTreeMap::new();
    for person in &people {
        *days.entry(person.birth.days()).or_default() += 1;
    }
    assert!(days.values().max() < Some(&60));
}

#[test]
fn groups_are_large_but_for_one_industry() {
    let mut groups: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for person in persons() {
        if let Some(last) = person.records.last() {
            let key = (INDUSTRIES[last.industry].code, age_band(person.age()));
            *groups.entry(key).or_default() += 1;
        }
    }
    for ((industry, band), count) in groups {
        if industry == "T" {
            assert!(count < 40, "{industry} {band}: {count}");
        } else {
            assert!(count >= 10, "{industry} {band}: {count}");
        }
    }
}

#[test]
fn the_documented_people_stand_where_the_documents_say() {
    let months: Vec<(String, u32, u32, Option<u32>)> = sample_persons()
        .take(SAMPLES.len())
        .map(|person| {
            let standing = person.standing();
            (
                person.id_no,
                standing.contribution_months,
                standing.employers,
                standing.average_base,
            )
        })
        .collect();
    let expected: [(&str, u32, u32, Option<u32>); 6] = [
        ("459299199001010012", 24, 1, Some(9_600)),
        ("459299198506150024", 20, 2, Some(6_040)),
        ("459299199612310014", 6, 3, Some(4_250)),
        ("459299197202290023", 12, 1, Some(5_000)),
        ("459299196608080013", 0, 0, None),
        ("459299200402290022", 0, 0, None),
    ];
    for (found, expected) in months.iter().zip(expected) {
        assert_eq!((found.0.as_str(), found.1, found.2, found.3), expected);
    }
    let story: Vec<u32> = persons()
        .take(3)
        .map(|p| p.standing().contribution_months)
        .collect();
    assert_eq!(story, [21, 24, 7]);
}

#[test]
fn the_files_hold_what_was_drawn() {
    use arrow_array::cast::AsArray as _;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    let dir = tempfile::tempdir().unwrap();
    super::write_sample(dir.path()).unwrap();
    let open = |name: &str| {
        let file = std::fs::File::open(dir.path().join(name)).unwrap();
        ParquetRecordBatchReaderBuilder::try_new(file)
            .unwrap()
            .build()
            .unwrap()
    };
    let people: Vec<Person> = sample_persons().collect();
    let mut numbers = Vec::new();
    for batch in open("insured_person.sample.parquet") {
        let batch = batch.unwrap();
        let column = batch
            .column_by_name("id_no")
            .unwrap()
            .as_string::<i32>()
            .clone();
        numbers.extend(column.iter().flatten().map(str::to_owned));
    }
    assert_eq!(
        numbers,
        people
            .iter()
            .map(|person| person.id_no.clone())
            .collect::<Vec<_>>()
    );
    let rows: usize = open("contribution_record.sample.parquet")
        .map(|batch| batch.unwrap().num_rows())
        .sum();
    assert_eq!(
        rows,
        people
            .iter()
            .map(|person| person.records.len())
            .sum::<usize>()
    );
}

#[test]
fn debug_tells_nothing_of_a_person() {
    let person = persons().next().unwrap();
    let shown = format!("{person:?}");
    assert!(
        !shown.contains(&person.name) && !shown.contains("4592"),
        "{shown}"
    );
}
