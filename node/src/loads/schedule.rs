//! Which resources are read again without being asked, and how sources are looked at between loads.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use lingqu_core::{ErrorCode, Timestamp};

use super::status::SourceHealth;
use crate::Node;
use crate::sources::reading::describe;
use crate::sources::{NamedSource, Refresh};

/// How often the schedule is looked at.
const TICK: Duration = Duration::from_secs(20);
/// First and longest pause before a resource that nothing answers from is tried again.
const PAUSE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3_600));
/// Longest look at one source.
const LOOK_TIME: Duration = Duration::from_secs(30);

/// The last attempt to read a resource.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempt {
    began: Option<(Duration, Timestamp)>,
    /// Failures since the last success.
    failures: u32,
    /// The last failure, until a load succeeds.
    pub(super) failed: Option<(ErrorCode, String)>,
}

impl Attempt {
    pub(super) fn begin(&mut self, monotonic: Duration, now: Timestamp) {
        self.began = Some((monotonic, now));
    }

    pub(super) fn succeed(&mut self) {
        self.failures = 0;
        self.failed = None;
    }

    pub(super) fn fail(&mut self, code: ErrorCode, why: String) {
        self.failures = self.failures.saturating_add(1);
        self.failed = Some((code, why));
    }

    /// When it began.
    pub(super) fn at(&self) -> Option<Timestamp> {
        self.began.map(|(_, at)| at)
    }

    /// Whether it is time to try again. What answers is read again by its rule alone; where nothing answers, a failure
    /// is tried again after a growing pause, unless a person has stopped it or has to look first.
    pub(super) fn is_due(&self, refresh: Refresh, answers: bool, monotonic: Duration) -> bool {
        let Some((began, _)) = self.began else {
            return false;
        };
        let passed = monotonic.saturating_sub(began);
        let by_rule = match refresh {
            Refresh::Every(every) => passed >= every,
            Refresh::Manual => false,
        };
        let is_tried = match &self.failed {
            Some((code, _)) => !matches!(code, ErrorCode::LoadStopped | ErrorCode::ResourceChanged),
            None => false,
        };
        let doublings = self.failures.saturating_sub(1).min(16);
        let pause = PAUSE.0.saturating_mul(1 << doublings).min(PAUSE.1);
        by_rule || (is_tried && !answers && passed >= pause)
    }
}

/// Reads what is due and looks at the sources, for ever.
pub(crate) async fn run(node: Arc<Node>) {
    let mut ticks = tokio::time::interval(TICK);
    let every = Duration::from_secs(node.config.limits.source_check_s.max(1));
    let mut looked: Option<Duration> = None;
    loop {
        ticks.tick().await;
        node.begin_due_loads();
        let now = node.clock.monotonic();
        if looked.is_none_or(|looked| now.saturating_sub(looked) >= every) {
            looked = Some(now);
            node.look_at_sources().await;
            node.record_pending().await;
        }
    }
}

impl Node {
    /// Begins the loads that are due by their rules.
    pub(crate) fn begin_due_loads(&self) {
        let monotonic = self.clock.monotonic();
        for (place, resource) in self.products.resources().iter().enumerate() {
            let answers = self.products.snapshot(place).is_some();
            let is_due = {
                let attempts = self.loader.attempts();
                attempts[place].is_due(resource.refresh, answers, monotonic)
            };
            let is_blocked = self.products.drift(place).is_some();
            if is_due && !is_blocked && self.products.is_asked(place) {
                // One that is under way already is as good.
                let _ = self.enqueue(place, super::Task::default());
            }
        }
    }

    /// Looks at every source that is configured, and at the columns of every table that is asked. Reads no row.
    pub async fn look_at_sources(&self) {
        let mut sources: BTreeMap<String, NamedSource> = BTreeMap::new();
        for resource in self.products.resources() {
            for source in &resource.sources {
                sources.insert(status_name(&resource.label(), source), source.clone());
            }
        }
        for (name, source) in sources {
            let looked = self.on_loader(async move {
                tokio::time::timeout(LOOK_TIME, source.connector.health()).await
            });
            let health = match looked.await {
                Some(Ok(Ok(health))) => SourceHealth::up(health, self.clock.now()),
                Some(Ok(Err(error))) => SourceHealth::down(error.to_string(), self.clock.now()),
                Some(Err(_)) | None => {
                    SourceHealth::down("it did not answer in time".to_owned(), self.clock.now())
                }
            };
            self.note_health(name, health);
        }
        for place in 0..self.products.resources().len() {
            if self.products.is_asked(place) {
                self.look_at_table(place).await;
            }
        }
    }

    async fn look_at_table(&self, place: usize) {
        let resource = Arc::clone(&self.products.resources()[place]);
        for source in resource.sources.clone() {
            let resource = Arc::clone(&resource);
            let looked = self.on_loader(async move {
                let looked = describe(&resource, &source);
                tokio::time::timeout(LOOK_TIME, looked).await
            });
            // Where it is compared is the first source that answers, as when it is read. Not while it is being read,
            // since the reading compares by itself and an order may have come between.
            if let Some(Ok(Ok((_, found)))) = looked.await {
                let is_idle = !self.loader.queue().under_way.contains(&place);
                if is_idle {
                    self.note_drift(place, self.compare(place, found));
                }
                return;
            }
        }
    }

    fn note_health(&self, name: String, health: SourceHealth) {
        let all = &self.loader.health;
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.insert(name.clone(), health.clone());
        let was_up = before.as_ref().map(|before| before.failure.is_none());
        match &health.failure {
            Some(why) if was_up != Some(false) => {
                tracing::warn!(source_name = name, why, "a source cannot be reached");
            }
            None if was_up == Some(false) => {
                tracing::info!(source_name = name, "a source can be reached again");
            }
            Some(_) | None => {}
        }
        if !health.may_write.is_empty() && before.is_none_or(|before| before.may_write.is_empty()) {
            let may = health.may_write.join(", ");
            tracing::warn!(
                source_name = name,
                may,
                "the account could write at the source"
            );
        }
    }

    /// Runs on the loader's own threads: a connector that holds its thread up must not hold up calls.
    async fn on_loader<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.loader.handle().spawn(work).await.ok()
    }
}

/// Files that resources name directly have no name of their own; they go by their resource.
pub(super) fn status_name(label: &str, source: &NamedSource) -> String {
    match source.name.as_str() {
        crate::sources::FILE_SOURCE => label.to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
