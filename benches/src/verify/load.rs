//! Callers that call again as soon as they are answered, on a number of connections, for a while.

use std::sync::Arc;
use std::time::Duration;

use lingqu_core::Clock;
use tokio::task::JoinSet;
use tonic::Status;

use super::Failed;
use crate::measure::Round;

/// One of so many answers of each caller is looked at closely, after the round.
const SAMPLED_ONE_IN: usize = 200;

/// A connection to something that can be called.
pub(super) trait Target: Clone + Send + Sync + 'static {
    /// What is called, made before the clock runs.
    type Request: Clone + Send + 'static;
    /// What comes back.
    type Answer: Send + 'static;

    /// Another request; `number` counts them.
    fn request(&self, number: usize) -> Self::Request;

    /// Calls. This is what is measured.
    fn call(
        &mut self,
        request: Self::Request,
    ) -> impl Future<Output = Result<Self::Answer, Status>> + Send;

    /// Looks at an answer closely.
    fn check(&self, request: &Self::Request, answer: Self::Answer) -> Result<(), Failed>;
}

/// `callers` tasks call for `time`, spread evenly over `targets`.
///
/// # Errors
/// The first call that failed, or the first sampled answer that is not what it must be.
pub(super) async fn round<T: Target>(
    targets: &[T],
    callers: usize,
    time: Duration,
    clock: &Arc<dyn Clock>,
) -> Result<Round, Failed> {
    let begin = clock.monotonic();
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let target = targets[caller % targets.len()].clone();
        tasks.spawn(keep_calling(target, Arc::clone(clock), begin + time));
    }
    let mut latencies_us = Vec::new();
    let mut samples = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.map_err(|error| Failed::Call(error.to_string()))?;
        let mut called = ended.map_err(|status| Failed::Call(status.to_string()))?;
        latencies_us.append(&mut called.latencies_us);
        samples.append(&mut called.samples);
    }
    let elapsed = clock.monotonic().saturating_sub(begin);
    // The round is over; this costs nobody anything.
    for (request, answer) in samples {
        targets[0].check(&request, answer)?;
    }
    Ok(Round::new(latencies_us, elapsed))
}

/// What one caller saw.
struct Called<T: Target> {
    latencies_us: Vec<f64>,
    samples: Vec<(T::Request, T::Answer)>,
}

async fn keep_calling<T: Target>(
    mut target: T,
    clock: Arc<dyn Clock>,
    until: Duration,
) -> Result<Called<T>, Status> {
    let mut called = Called {
        latencies_us: Vec::new(),
        samples: Vec::new(),
    };
    loop {
        let number = called.latencies_us.len();
        let request = target.request(number);
        let sampled = number
            .is_multiple_of(SAMPLED_ONE_IN)
            .then(|| request.clone());
        let sent = clock.monotonic();
        let answer = target.call(request).await?;
        let received = clock.monotonic();
        let latency = received.saturating_sub(sent);
        called.latencies_us.push(latency.as_secs_f64() * 1e6);
        called
            .samples
            .extend(sampled.map(|request| (request, answer)));
        if received >= until {
            return Ok(called);
        }
    }
}
