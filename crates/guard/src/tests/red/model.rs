//! An independent model of what may be shown: written from the manual, over rows and not over arrays.

use std::collections::BTreeMap;

use super::statement::{Above, Asked, Choice, Figure, Kept, Window};
use super::world::{Row, World};

/// What one entity has in a group.
#[derive(Default)]
pub(super) struct Part {
    rows: i128,
    measures: Vec<Summed>,
}

#[derive(Clone, Default)]
struct Summed {
    /// Rows with a value.
    present: i128,
    /// Rows whose value is a number.
    numbers: i128,
    sum: i128,
}

type Parts = BTreeMap<u8, Part>;

/// A number as it is released, or as it is computed from what is.
#[derive(Clone, Copy, PartialEq)]
enum Number {
    Whole(i64),
    Real(f64),
}

impl Number {
    fn real(self) -> f64 {
        match self {
            Number::Whole(number) => number as f64,
            Number::Real(number) => number,
        }
    }

    fn shown(number: Option<Number>) -> String {
        match number {
            Some(Number::Whole(number)) => number.to_string(),
            Some(Number::Real(number)) => format!("{number:.6}"),
            None => "NULL".to_owned(),
        }
    }
}

fn finite(number: f64) -> Option<Number> {
    number.is_finite().then_some(Number::Real(number + 0.0))
}

/// Everything that a statement asks about, by group.
pub(super) struct Model<'a> {
    world: &'a World,
    pub(super) groups: BTreeMap<Vec<String>, Parts>,
}

impl<'a> Model<'a> {
    pub(super) fn new(world: &'a World, rows: &[Row], asked: &Asked, choice: &Choice) -> Model<'a> {
        let mut groups: BTreeMap<Vec<String>, Parts> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.entity > 0) {
            let Some(group) = asked.group(world, row, choice) else {
                continue;
            };
            let part = groups
                .entry(group)
                .or_default()
                .entry(row.entity)
                .or_default();
            part.rows += 1;
            part.measures
                .resize(world.measures.len(), Summed::default());
            for (at, measure) in world.measures.iter().enumerate() {
                let (code, summed) = (row.measures[at], &mut part.measures[at]);
                summed.present += i128::from(measure.is_present(code));
                if let Some(value) = measure.clamped(code) {
                    summed.numbers += 1;
                    summed.sum += value;
                }
            }
        }
        Model { world, groups }
    }

    /// Number of entities of a group.
    pub(super) fn entities(&self, group: &[String]) -> usize {
        self.groups.get(group).map_or(0, BTreeMap::len)
    }

    /// Whether the parts of a figure may be shown together.
    fn may_show(&self, parts: &[i128]) -> bool {
        let contributors = parts.iter().filter(|part| **part != 0).count();
        contributors >= self.world.group_min as usize && self.hides(parts, parts)
    }

    /// Whether none of these stands out, measured against the parts that somebody may look for.
    fn hides(&self, distances: &[i128], parts: &[i128]) -> bool {
        let mut sizes: Vec<u128> = distances.iter().map(|d| d.unsigned_abs()).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let all: u128 = sizes.iter().sum();
        let largest = |at: usize| sizes.get(at).copied().unwrap_or(0);
        let sought = parts.iter().map(|part| part.unsigned_abs()).max();
        let sought = sought.unwrap_or(0).max(largest(0));
        largest(0) * 100 <= all * u128::from(self.world.dominance)
            && (all - largest(0) - largest(1)) * 100 >= sought * u128::from(self.world.p_percent)
    }

    /// Whether a sum may be shown: by its parts, and by how far each is from the declared bounds of its values.
    fn may_show_sum(&self, parts: &Parts, at: usize) -> bool {
        let measure = &self.world.measures[at];
        let sums: Vec<i128> = parts.values().map(|part| part.measures[at].sum).collect();
        let from = |bound: i64| -> Vec<i128> {
            let bound = i128::from(bound) * 10_i128.pow(measure.scale());
            let distance = |part: &Part| part.measures[at].sum - part.measures[at].numbers * bound;
            parts.values().map(distance).collect()
        };
        self.may_show(&sums)
            && self.hides(&from(measure.low), &sums)
            && self.hides(&from(measure.high), &sums)
    }

    fn rounded(&self, count: i128) -> i128 {
        let base = i128::from(self.world.round_to);
        (count + base / 2) / base * base
    }

    /// Whether so many contribute that the figure may be shown, taken by itself.
    pub(super) fn allows(&self, group: &[String], figure: Figure) -> bool {
        let Some(parts) = self.groups.get(group) else {
            return false;
        };
        let parts_of =
            |of: &dyn Fn(&Part) -> i128| -> Vec<i128> { parts.values().map(of).collect() };
        match figure {
            Figure::Entities => parts.len() >= self.world.group_min as usize,
            Figure::Rows => self.may_show(&parts_of(&|part| part.rows)),
            Figure::Present(at) => self.may_show(&parts_of(&|part| part.measures[at].present)),
            Figure::Sum(at) => self.may_show_sum(parts, at),
            Figure::Average(at) => {
                self.may_show_sum(parts, at)
                    && self.may_show(&parts_of(&|part| part.measures[at].numbers))
            }
        }
    }

    /// How many of a count there are, before rounding; none for other figures.
    pub(super) fn total(&self, group: &[String], figure: Figure) -> Option<i128> {
        let parts = self.groups.get(group)?;
        match figure {
            Figure::Entities => Some(parts.len() as i128),
            Figure::Rows => Some(parts.values().map(|part| part.rows).sum()),
            Figure::Present(at) => Some(parts.values().map(|p| p.measures[at].present).sum()),
            Figure::Average(_) | Figure::Sum(_) => None,
        }
    }

    /// What each group shows where every cell may be shown by itself.
    pub(super) fn answer(&self, asked: &Asked) -> BTreeMap<Vec<String>, Vec<String>> {
        let shown = { self.groups.iter() }
            .filter(|(_, parts)| parts.len() >= self.world.group_min as usize);
        let released = shown.map(|(group, parts)| {
            let figures = asked.figures.iter().map(|figure| {
                let may = self.allows(group, *figure);
                may.then(|| self.figure(parts, *figure)).flatten()
            });
            (group, figures.collect::<Vec<Option<Number>>>())
        });
        let lines: Vec<Line<'_>> = released
            .filter(|(_, figures)| asked.kept.is_none_or(|kept| holds(kept, figures)))
            .collect();
        { lines.iter() }
            .map(|(group, figures)| {
                let computed = asked.computed.map(|computed| above(computed, figures));
                let window = asked
                    .window
                    .map(|window| over(window, (group, figures), &lines));
                let all = figures.iter().copied().chain(computed).chain(window);
                ((*group).clone(), all.map(Number::shown).collect())
            })
            .collect()
    }

    fn figure(&self, parts: &Parts, figure: Figure) -> Option<Number> {
        let total = |of: &dyn Fn(&Part) -> i128| -> i128 { parts.values().map(of).sum() };
        let whole = |number: i128| Some(Number::Whole(number as i64));
        match figure {
            Figure::Entities => whole(self.rounded(parts.len() as i128)),
            Figure::Rows => whole(self.rounded(total(&|part| part.rows))),
            Figure::Present(at) => whole(self.rounded(total(&|part| part.measures[at].present))),
            Figure::Sum(at) => {
                let sum = total(&|part| part.measures[at].sum);
                match self.world.measures[at].scale() {
                    0 => whole(sum),
                    _ => Some(Number::Real(sum as f64 / 1e6)),
                }
            }
            Figure::Average(at) => {
                let count = self.rounded(total(&|part| part.measures[at].numbers));
                let unit = 10_f64.powi(self.world.measures[at].scale() as i32);
                let sum = total(&|part| part.measures[at].sum) as f64 / unit;
                (count != 0).then(|| Number::Real(sum / count as f64))
            }
        }
    }
}

/// A group that leaves: its words, and its figures as they are released.
type Line<'a> = (&'a Vec<String>, Vec<Option<Number>>);

/// The order of a key's words; everything else comes last.
fn place(word: &str) -> (bool, &str) {
    (word == "NULL", word)
}

/// What a window says of a group: of the lines that leave, and of nothing else.
fn over(
    window: Window,
    (group, figures): (&[String], &[Option<Number>]),
    lines: &[Line<'_>],
) -> Option<Number> {
    let own = figures[0];
    let first = |group: &[String]| group[0].clone();
    let sum = |of: &dyn Fn(&[String]) -> bool| {
        let chosen = lines.iter().filter(|(group, _)| of(group));
        let known: Vec<Number> = chosen.filter_map(|(_, figures)| figures[0]).collect();
        let is_whole = known
            .iter()
            .all(|number| matches!(number, Number::Whole(_)));
        let total = known.iter().map(|number| number.real()).sum::<f64>();
        match (known.is_empty(), is_whole) {
            (true, _) => None,
            (false, true) => Some(Number::Whole(total as i64)),
            (false, false) => finite(total),
        }
    };
    let percent = |whole: Option<Number>| {
        let (part, whole) = (100.0 * own?.real(), whole?.real());
        (whole != 0.0).then(|| finite(part / whole)).flatten()
    };
    match window {
        Window::Before => {
            let beside = lines.iter().filter(|(other, _)| other[1..] == group[1..]);
            let before = beside.filter(|(other, _)| place(&other[0]) < place(&group[0]));
            let nearest = before.max_by_key(|(other, _)| place(&other[0]))?;
            match (own?, nearest.1[0]?) {
                (Number::Whole(own), Number::Whole(other)) => Some(Number::Whole(own - other)),
                (own, other) => finite(own.real() - other.real()),
            }
        }
        Window::Rank => {
            let last = |figures: &[Option<Number>]| figures[figures.len() - 1].map(Number::real);
            let mine = last(figures);
            let ahead = lines.iter().filter(|(_, other)| match (last(other), mine) {
                (Some(other), Some(mine)) => other > mine,
                (Some(_), None) => true,
                (None, _) => false,
            });
            Some(Number::Whole(ahead.count() as i64 + 1))
        }
        Window::Running => sum(&|other| place(&other[0]) <= place(&group[0])),
        Window::Share => percent(sum(&|_| true)),
        Window::ShareOfPart => percent(sum(&|other| first(other) == first(group))),
    }
}

/// A number made of the first two figures.
fn above(above: Above, figures: &[Option<Number>]) -> Option<Number> {
    use Number::Whole;
    let (first, second) = (figures[0], figures[1.min(figures.len() - 1)]);
    match above {
        Above::Difference => match (first?, second?) {
            (Whole(first), Whole(second)) => Some(Whole(first - second)),
            (first, second) => finite(first.real() - second.real()),
        },
        Above::Percent => {
            let part = 100.0 * first?.real();
            let whole = second?.real();
            (whole != 0.0).then(|| finite(part / whole)).flatten()
        }
        Above::Ratio => match (first?, second?) {
            (Whole(_), Whole(0)) => None,
            (Whole(first), Whole(second)) => Some(Whole(first / second)),
            (first, second) => finite(first.real() / second.real()),
        },
        Above::Rounded => finite((-first?.real() / 3.0 * 100.0).round() / 100.0),
    }
}

/// Whether a group is kept: only if it is known to be.
fn holds(kept: Kept, figures: &[Option<Number>]) -> bool {
    let number = match kept.computed {
        Some(computed) => above(computed, figures),
        None => figures[figures.len() - 1],
    };
    let Some(number) = number.map(Number::real) else {
        return false;
    };
    let threshold = kept.threshold;
    let holds = match kept.comparison % 6 {
        0 => number == threshold,
        1 => number != threshold,
        2 => number < threshold,
        3 => number <= threshold,
        4 => number > threshold,
        _ => number >= threshold,
    };
    holds != kept.negated
}
