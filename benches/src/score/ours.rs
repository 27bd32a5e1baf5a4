//! Our side: one row as the node scores it, or a batch.

use std::hint::black_box;
use std::time::Duration;

use lingqu_core::Clock;
use lingqu_scoring::{Batch, BatchScores, Feature, Limits, Model, ModelFormat, Scores};

use super::rows::{self, WIDTH};
use super::{Failed, Round};
use crate::measure;

/// A model and the rows that it scores.
pub(super) struct Ours<'a> {
    model: Model,
    rows: &'a [f32],
    one: Scores,
    many: BatchScores,
}

impl<'a> Ours<'a> {
    /// Loads a committed model.
    pub(super) fn load(name: &str, rows: &'a [f32]) -> Result<Ours<'a>, Failed> {
        let bytes = std::fs::read(rows::directory().join(format!("{name}.onnx")))?;
        Ok(Ours {
            model: Model::parse(ModelFormat::Onnx, &bytes, &Limits::default())?,
            rows,
            one: Scores::default(),
            many: BatchScores::default(),
        })
    }

    /// The label of every row.
    pub(super) fn labels(&self) -> Result<Vec<String>, Failed> {
        let mut scores = BatchScores::default();
        self.model
            .score_batch(Batch::Matrix(self.rows), &mut scores)?;
        (0..scores.len())
            .map(|row| Ok(scores.label(row).ok_or(Failed::Data)?.to_owned()))
            .collect()
    }

    /// Scores batches of this many rows for this long.
    pub(super) fn round(
        &mut self,
        batch: usize,
        time: Duration,
        clock: &dyn Clock,
    ) -> Result<Round, Failed> {
        let mut latencies_us = Vec::new();
        let begin = clock.monotonic();
        let mut before = begin;
        for rows in self.rows.chunks_exact(batch * WIDTH).cycle() {
            if batch == 1 {
                let row: [Feature<'_>; WIDTH] =
                    std::array::from_fn(|at| Feature::Number(rows[at].into()));
                self.model.score(black_box(&row), &mut self.one)?;
                black_box(&self.one);
            } else {
                let rows = Batch::Matrix(black_box(rows));
                self.model.score_batch(rows, &mut self.many)?;
                black_box(&self.many);
            }
            let now = clock.monotonic();
            latencies_us.push(now.saturating_sub(before).as_secs_f64() * 1e6);
            before = now;
            if now.saturating_sub(begin) >= time {
                break;
            }
        }
        let round = measure::Round::new(latencies_us, before.saturating_sub(begin));
        Ok(Round {
            rows_per_s: round.throughput_per_s() * batch as f64,
            p50_us: round.percentile_us(50),
            p99_us: round.percentile_us(99),
        })
    }
}
