//! Callers that call again as soon as they are answered, for a while; and what a recorded call is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lingqu_core::Clock;
use lingqu_core::receipt::{Level, Receipt};
use lingqu_core::trust::Trust;
use lingqu_journal::{Journal, Outcome, Seen};
use lingqu_policy::AuditTerms;
use lingqu_tlog::{Hash, Intl};
use tokio::task::JoinSet;

use super::Failed;
use super::decided::Decided;
use crate::measure::Round;

/// One of so many receipts is looked at closely, after the round.
const SAMPLED_ONE_IN: u64 = 5_000;

/// Something that can be called.
pub(super) trait Target: Clone + Send + Sync + 'static {
    /// Calls. This is what is measured.
    fn call(&self) -> impl Future<Output = Result<(), Failed>> + Send;
}

/// `callers` tasks call for `time`.
///
/// # Errors
/// The first call that failed.
pub(super) async fn round<T: Target>(
    target: &T,
    callers: usize,
    time: Duration,
    clock: &Arc<dyn Clock>,
) -> Result<Round, Failed> {
    let begin = clock.monotonic();
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        tasks.spawn(keep_calling(
            target.clone(),
            Arc::clone(clock),
            begin + time,
        ));
    }
    let mut latencies_us = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.map_err(|error| Failed::Call(error.to_string()))?;
        latencies_us.append(&mut ended?);
    }
    let elapsed = clock.monotonic().saturating_sub(begin);
    Ok(Round::new(latencies_us, elapsed))
}

async fn keep_calling<T: Target>(
    target: T,
    clock: Arc<dyn Clock>,
    until: Duration,
) -> Result<Vec<f64>, Failed> {
    let mut latencies_us = Vec::new();
    let mut sent = clock.monotonic();
    loop {
        target.call().await?;
        let received = clock.monotonic();
        latencies_us.push(received.saturating_sub(sent).as_secs_f64() * 1e6);
        if received >= until {
            return Ok(latencies_us);
        }
        sent = received;
    }
}

/// A journal and what its calls are decided by. Clones record in the same journal.
#[derive(Clone)]
pub(super) struct Recording {
    journal: Journal,
    decided: Arc<Decided>,
    clock: Arc<dyn Clock>,
    terms: AuditTerms,
    /// The level that every answer must have.
    level: Level,
    trust: Arc<Trust<Intl>>,
    calls: Arc<AtomicU64>,
    samples: Arc<Mutex<Vec<Receipt>>>,
}

impl Recording {
    pub(super) fn new(
        journal: Journal,
        (terms, level): (AuditTerms, Level),
        trust: Trust<Intl>,
        clock: Arc<dyn Clock>,
    ) -> Recording {
        Recording {
            decided: Arc::new(Decided::under(terms)),
            journal,
            clock,
            terms,
            level,
            trust: Arc::new(trust),
            calls: Arc::default(),
            samples: Arc::default(),
        }
    }

    /// Records one call as `lingqu_node::call::serve` does around its evaluation, and gives its receipt.
    pub(super) async fn record(&self, number: u64) -> Result<Receipt, Failed> {
        let journal = &self.journal;
        let failed = |what: &dyn std::fmt::Display| Failed::Call(what.to_string());
        let now = self.clock.now().max(journal.time_floor());
        let call = self
            .decided
            .call(number, now, journal.clock_state())
            .map_err(|denial| failed(&denial.code()))?;
        if journal.seen(call.header(), call.permit().grant()) != Seen::New {
            return Err(failed(&"its id was seen before"));
        }
        journal
            .audit_ready(self.terms)
            .map_err(|code| failed(&code))?;
        let mut charge = journal
            .reserve(call.permit())
            .map_err(|code| failed(&code))?;
        charge.touch();
        let evaluated = call.evaluated(Ok(()), Hash([5; 32]), self.decided.loads());
        let recorded = journal.record(evaluated, charge).await;
        let recorded = recorded.map_err(|error| failed(&error))?;
        match journal.release(&recorded).await.into_outcome() {
            Outcome::Answered { receipt, level, .. } if level >= self.level => Ok(receipt),
            Outcome::Answered { .. } => Err(failed(&"the answer left too early")),
            Outcome::Denied(code) | Outcome::Failed { code, .. } | Outcome::Unrecorded(code) => {
                Err(failed(&code))
            }
        }
    }

    /// Looks at the receipts that were kept.
    pub(super) fn check_samples(&self) -> Result<(), Failed> {
        let samples = std::mem::take(&mut *self.samples());
        for receipt in samples {
            let proven = receipt
                .verify(&self.trust)
                .map_err(|refused| Failed::Receipt(refused.to_string()))?;
            if proven.level < self.level {
                return Err(Failed::Receipt("a lower level than was told".to_owned()));
            }
        }
        Ok(())
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    fn samples(&self) -> std::sync::MutexGuard<'_, Vec<Receipt>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target for Recording {
    async fn call(&self) -> Result<(), Failed> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let receipt = self.record(number).await?;
        if number.is_multiple_of(SAMPLED_ONE_IN) {
            self.samples().push(receipt);
        }
        Ok(())
    }
}
