//! A parsed graph as a straight list of steps over registers: every tensor has its place in a row of numbers.
//!
//! A block of rows is loaded, every step runs over the whole block, and the last registers are the answer. Steps cannot
//! fail as a whole; a row that fails is marked, goes on with some number, and its answer is thrown away.

use super::encode::Encode;
use super::linear::Linear;
use super::prepare::{Impute, Normalize, Scale};
use super::trees::Block;
use super::vote::Vote;
use crate::batch::Rows;
use crate::feature::FeatureKind;
use crate::scores::ScoreFailed;

/// Rows of a block: a few of them fit into the processor's first cache, and each pass over the trees serves all.
const ROWS_MAX: usize = 128;

/// Registers in which a tensor lies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Span {
    pub(super) first: usize,
    pub(super) len: usize,
}

impl Span {
    /// Its part of a row of registers.
    pub(super) fn of<'a, T>(&self, row: &'a [T]) -> &'a [T] {
        &row[self.first..self.first + self.len]
    }

    /// Its part of a row of registers.
    pub(super) fn of_mut<'a, T>(&self, row: &'a mut [T]) -> &'a mut [T] {
        &mut row[self.first..self.first + self.len]
    }
}

/// Where the value of a feature goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Load {
    /// Into this register of numbers.
    Float(usize),
    /// Nowhere: encoders read it themselves.
    Text,
    /// Into this register of whole numbers.
    Whole(usize),
}

impl Load {
    pub(super) fn kind(self) -> FeatureKind {
        match self {
            Load::Float(_) | Load::Whole(_) => FeatureKind::Number,
            Load::Text => FeatureKind::Category,
        }
    }
}

/// One step.
#[derive(Debug)]
pub(super) enum Step {
    /// Whole numbers into numbers.
    Cast {
        from: Span,
        to: usize,
    },
    CopyFloats {
        from: Span,
        to: usize,
    },
    CopyWholes {
        from: Span,
        to: usize,
    },
    Encode(Encode),
    Impute(Impute<f32>),
    ImputeWholes(Impute<i64>),
    Linear(Linear),
    Normalize(Normalize),
    Scale(Scale),
    Vote(Vote),
}

/// What of the registers is the answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Classes(Span),
    Score(usize),
}

/// The steps, and how many registers a row needs.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(super) loads: Vec<Load>,
    pub(super) steps: Vec<Step>,
    pub(super) floats: usize,
    pub(super) wholes: usize,
    pub(super) answer: Answer,
}

/// The memory of a run, kept from run to run.
#[derive(Clone, Default)]
pub(crate) struct Scratch {
    floats: Vec<f32>,
    wholes: Vec<i64>,
    sums: Vec<f32>,
    classes: Vec<u32>,
    failed: Vec<Option<ScoreFailed>>,
}

/// The answer for one row.
pub(crate) enum RowAnswer<'a> {
    Classes { class: usize, values: &'a [f32] },
    Score(f32),
}

impl Pipeline {
    /// Runs over all rows, and hands each one's answer to `give`, in order.
    pub(crate) fn run<R: Rows + ?Sized>(
        &self,
        rows: &R,
        scratch: &mut Scratch,
        mut give: impl FnMut(Result<RowAnswer<'_>, ScoreFailed>),
    ) {
        let mut begin = 0;
        while begin < rows.len() {
            let len = (rows.len() - begin).min(ROWS_MAX);
            self.load(rows, begin, len, scratch);
            for step in &self.steps {
                self.step(step, rows, begin, len, scratch);
            }
            for row in 0..len {
                give(self.answer(row, scratch));
            }
            begin += len;
        }
    }

    fn load<R: Rows + ?Sized>(&self, rows: &R, begin: usize, len: usize, scratch: &mut Scratch) {
        // Registers keep what the block before left in them: every step writes what later ones read.
        scratch.floats.resize(len * self.floats, 0.0);
        scratch.wholes.resize(len * self.wholes, 0);
        scratch.classes.resize(len, 0);
        scratch.failed.clear();
        scratch.failed.resize(len, None);
        for row in 0..len {
            let floats = &mut scratch.floats[row * self.floats..][..self.floats];
            let wholes = &mut scratch.wholes[row * self.wholes..][..self.wholes];
            for (feature, load) in self.loads.iter().enumerate() {
                let loaded = match *load {
                    Load::Float(to) => rows
                        .single(begin + row, feature)
                        .map(|value| floats[to] = value),
                    Load::Whole(to) => rows
                        .whole(begin + row, feature)
                        .map(|value| wholes[to] = value),
                    Load::Text => Ok(()),
                };
                if let Err(failed) = loaded {
                    scratch.failed[row].get_or_insert(failed);
                }
            }
        }
    }

    fn step<R: Rows + ?Sized>(
        &self,
        step: &Step,
        rows: &R,
        begin: usize,
        len: usize,
        scratch: &mut Scratch,
    ) {
        if let Step::Vote(vote) = step {
            return self.vote(vote, len, scratch);
        }
        for row in 0..len {
            let floats = &mut scratch.floats[row * self.floats..][..self.floats];
            let wholes = &mut scratch.wholes[row * self.wholes..][..self.wholes];
            match step {
                Step::Cast { from, to } => {
                    for (at, whole) in from.of(wholes).iter().enumerate() {
                        floats[to + at] = *whole as f32;
                    }
                }
                Step::CopyFloats { from, to } => {
                    floats.copy_within(from.first..from.first + from.len, *to);
                }
                Step::CopyWholes { from, to } => {
                    wholes.copy_within(from.first..from.first + from.len, *to);
                }
                Step::Encode(encode) => {
                    let text = |feature| rows.text(begin + row, feature);
                    if let Err(failed) = encode.run(text, floats, wholes) {
                        scratch.failed[row].get_or_insert(failed);
                    }
                }
                Step::Impute(impute) => impute.run(floats),
                Step::ImputeWholes(impute) => impute.run(wholes),
                Step::Linear(linear) => linear.run(floats, &mut scratch.classes[row]),
                Step::Normalize(normalize) => normalize.run(floats),
                Step::Scale(scale) => scale.run(floats),
                Step::Vote(_) => {}
            }
        }
    }

    /// Trees run over the block as a whole.
    fn vote(&self, vote: &Vote, rows: usize, scratch: &mut Scratch) {
        let targets = vote.forest.targets();
        scratch.sums.resize(rows * targets, 0.0);
        let block = Block {
            values: &scratch.floats,
            stride: self.floats,
            first: vote.from.first,
            width: vote.from.len,
            rows,
        };
        vote.forest.sum(block, &mut scratch.sums);
        for row in 0..rows {
            let floats = &mut scratch.floats[row * self.floats..][..self.floats];
            let sums = &scratch.sums[row * targets..][..targets];
            vote.finish(sums, floats, &mut scratch.classes[row]);
        }
    }

    fn answer<'a>(&self, row: usize, scratch: &'a Scratch) -> Result<RowAnswer<'a>, ScoreFailed> {
        if let Some(failed) = scratch.failed[row] {
            return Err(failed);
        }
        let floats = &scratch.floats[row * self.floats..][..self.floats];
        match self.answer {
            Answer::Score(at) if floats[at].is_finite() => Ok(RowAnswer::Score(floats[at])),
            Answer::Classes(span) if span.of(floats).iter().all(|p| p.is_finite()) => {
                Ok(RowAnswer::Classes {
                    class: scratch.classes[row] as usize,
                    values: span.of(floats),
                })
            }
            Answer::Score(_) | Answer::Classes(_) => Err(ScoreFailed::NotFinite),
        }
    }
}
