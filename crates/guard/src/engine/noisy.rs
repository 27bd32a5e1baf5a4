//! Statistics with noise on the engine: opened over a load, answered under the engine's places, threads and limits.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;

use super::{Ends, Engine, LOAD_TIMES, Place, RUNS_MAX, RunFailed, Tables, in_time, session};
use crate::dp::{DpBound, DpProduct, DpTemplate};
use crate::limits::GuardLimits;
use crate::partition::{PartitionRefused, ReadFailed, Surroundings};

impl Engine {
    /// Opens a statistic with noise over a load of its tables. What it returns holds at most an equal share of the
    /// engine's memory. Whatever can go wrong with rows goes wrong here: a call has nothing left to fail at that depends
    /// on them.
    ///
    /// # Errors
    /// [`PartitionRefused`] when the tables cannot be read.
    pub async fn open_dp(
        &self,
        template: &DpTemplate,
        tables: Tables,
    ) -> Result<DpProduct, PartitionRefused> {
        let Some(runtime) = &self.runtime else {
            return Err(PartitionRefused::Failed);
        };
        let (key, template) = (self.key, template.clone());
        let limits = GuardLimits {
            memory_bytes_max: (self.limits.memory_bytes_max / RUNS_MAX).max(1),
            ..self.limits
        };
        let handle = runtime.handle().clone();
        let task = runtime.spawn_blocking(move || {
            let state = session(limits).map_err(|_| PartitionRefused::Failed)?;
            let around = Surroundings {
                state: &state,
                limits,
                key: &key,
            };
            let longest = Duration::from_secs(limits.seconds_max.saturating_mul(LOAD_TIMES));
            let opened = DpProduct::open(template, &tables, &around);
            let timed = async { tokio::time::timeout(longest, opened).await };
            match handle.block_on(timed) {
                Ok(opened) => opened,
                Err(_) => Err(ReadFailed::Source(String::new()).into()),
            }
        });
        let mut task = Ends(task);
        (&mut task.0).await.unwrap_or(Err(PartitionRefused::Failed))
    }

    /// Answers a bound statistic with noise: every declared group, each figure with fresh noise. Whoever calls this has
    /// charged the template's cost before, durably.
    ///
    /// # Errors
    /// [`RunFailed`], whatever the reason; none of the reasons depends on rows.
    pub async fn answer_dp(
        &self,
        place: Place,
        product: Arc<DpProduct>,
        bound: DpBound,
    ) -> Result<RecordBatch, RunFailed> {
        let Some(runtime) = &self.runtime else {
            return Err(RunFailed);
        };
        let running = in_time(self.limits, Arc::clone(&self.places).acquire_owned()).await?;
        let task = runtime.spawn_blocking(move || {
            let (_place, _running) = (place, running);
            product.answer(&bound)
        });
        task.await.unwrap_or(Err(RunFailed))
    }
}
