//! Insured persons: who they are, and the people of the story and of the samples, whose answers are known beforehand.

use std::collections::HashSet;
use std::fmt;

use super::calendar::{Date, Month};
use super::careers::{self, Record, Standing};
use super::draws::{Draws, Weights};
use super::employers::Employers;
use super::identity_number::identity_number;
use super::names::{Names, Sex};

/// The day that the register speaks for.
pub(crate) const AS_OF: Date = Date {
    year: 2026,
    month: 5,
    day: 1,
};
/// The stream of a person's draws.
const DOMAIN: u64 = 0x7065_7273;
/// Ages from and to, and how many of a hundred are of them.
const AGES: [(u32, u32, u32); 5] = [
    (17, 24, 9),
    (25, 34, 29),
    (35, 44, 31),
    (45, 54, 24),
    (55, 62, 7),
];

/// One insured person with the records of all contributions.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// Citizen identity number.
    pub id_no: String,
    /// Name.
    pub name: String,
    /// Sex.
    pub sex: Sex,
    /// Date of birth.
    pub birth: Date,
    /// Division code of residence.
    pub region: &'static str,
    /// In order, without overlaps.
    pub records: Vec<Record>,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person")
            .field("records", &self.records.len())
            .finish_non_exhaustive()
    }
}

impl Person {
    /// Completed years on the day that the register speaks for.
    pub fn age(&self) -> i32 {
        AS_OF.age_of(self.birth)
    }

    /// The numbers of the last 24 months.
    pub fn standing(&self) -> Standing {
        Standing::of(&self.records)
    }
}

/// The bands of ages that the register groups by.
pub const AGE_BANDS: [&str; 5] = ["16-24", "25-34", "35-44", "45-54", "55-64"];

/// The band of an age.
pub fn age_band(age: i32) -> &'static str {
    let band = match age {
        ..25 => 0,
        25..35 => 1,
        35..45 => 2,
        45..55 => 3,
        55.. => 4,
    };
    AGE_BANDS[band]
}

/// A record of contributions: its first and last month as year and month, and the base in yuan.
pub type Spell = ((i32, i32), (i32, i32), u32);

/// Somebody whose answers are written down beforehand.
#[derive(Clone, Copy, Debug)]
pub struct Persona {
    /// Name.
    pub name: &'static str,
    /// Sex.
    pub sex: Sex,
    /// Date of birth.
    pub birth: Date,
    /// First and last month (year, month) and base of each record; each with another employer of the same industry.
    pub records: &'static [Spell],
    /// Position of the industry in the table.
    pub industry: usize,
}

/// What a register is drawn from.
pub(crate) struct Recipe {
    pub(crate) seed: u64,
    /// Division codes and how many of a hundred live there.
    pub(crate) divisions: &'static [(&'static str, u32)],
    /// The first organisation code of its employers.
    pub(crate) first_organisation: u32,
    /// How many persons.
    pub(crate) persons: u32,
    /// Those that come first.
    pub(crate) personas: &'static [Persona],
}

/// Makes the persons of a recipe, one after the other.
pub struct Persons {
    recipe: &'static Recipe,
    employers: Employers,
    names: Names,
    divisions: Weights,
    ages: Weights,
    /// Numbers given so far, without their check characters.
    given: HashSet<u64>,
    next: u32,
}

impl Persons {
    pub(crate) fn of(recipe: &'static Recipe) -> Persons {
        let codes: Vec<&str> = recipe.divisions.iter().map(|(code, _)| *code).collect();
        Persons {
            recipe,
            employers: Employers::new(recipe.seed, recipe.first_organisation, &codes),
            names: Names::new(),
            divisions: Weights::new(recipe.divisions.iter().map(|(_, weight)| *weight)),
            ages: Weights::new(AGES.iter().map(|(_, _, weight)| *weight)),
            given: HashSet::new(),
            next: 0,
        }
    }

    fn persona(&mut self, index: u32, persona: &Persona) -> Person {
        let mut draws = Draws::of(self.recipe.seed, DOMAIN, u64::from(index));
        let region = self.recipe.divisions[0].0;
        let mut records: Vec<Record> = Vec::new();
        for (first, last, base) in persona.records {
            let mut employer = self.employers.draw(persona.industry, &mut draws);
            while records
                .iter()
                .any(|record| record.employer == employer.code)
            {
                employer = self.employers.draw(persona.industry, &mut draws);
            }
            records.push(Record {
                employer: employer.code.clone(),
                industry: persona.industry,
                first: Month::new(first.0, first.1),
                last: Month::new(last.0, last.1),
                base: *base,
            });
        }
        let sequence = if persona.sex == Sex::Male { 1 } else { 2 };
        Person {
            id_no: self.number(region, persona.birth, sequence),
            name: persona.name.to_owned(),
            sex: persona.sex,
            birth: persona.birth,
            region,
            records,
        }
    }

    fn anybody(&mut self, index: u32) -> Person {
        let mut draws = Draws::of(self.recipe.seed, DOMAIN, u64::from(index));
        let region = self.recipe.divisions[self.divisions.draw(&mut draws)].0;
        let sex = if draws.chance(540) {
            Sex::Male
        } else {
            Sex::Female
        };
        let (youngest, oldest, _) = AGES[self.ages.draw(&mut draws)];
        let years = draws.between(youngest, oldest) * 36_525 / 100;
        let days = years + draws.below(365);
        let birth = Date::of_days(AS_OF.days().saturating_sub_unsigned(days));
        let sequence = draws.below(499) * 2 + if sex == Sex::Male { 1 } else { 2 };
        let id_no = self.number(region, birth, sequence);
        let name = self.names.draw(sex, birth.year, &mut draws);
        let grown = birth.year + i32::try_from(draws.between(17, 24)).unwrap_or(17);
        let from = Month::new(grown, birth.month);
        let age = AS_OF.age_of(birth);
        let records = careers::draw(&self.employers, from, age, &mut draws);
        Person {
            id_no,
            name,
            sex,
            birth,
            region,
            records,
        }
    }

    /// The next free number from `sequence` on; steps of two keep the sex.
    fn number(&mut self, division: &str, birth: Date, mut sequence: u32) -> String {
        loop {
            let number = identity_number(division, birth, sequence);
            let digits = number[..17].parse().expect("seventeen digits");
            if self.given.insert(digits) {
                return number;
            }
            // There are 499 numbers for a day, sex and division, and far fewer persons.
            sequence = if sequence > 996 {
                2 - sequence % 2
            } else {
                sequence + 2
            };
        }
    }
}

impl Iterator for Persons {
    type Item = Person;

    fn next(&mut self) -> Option<Person> {
        if self.next == self.recipe.persons {
            return None;
        }
        let index = self.next;
        self.next += 1;
        let recipe = self.recipe;
        Some(match recipe.personas.get(index as usize) {
            Some(persona) => self.persona(index, persona),
            None => self.anybody(index),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.recipe.persons - self.next) as usize;
        (left, Some(left))
    }
}
