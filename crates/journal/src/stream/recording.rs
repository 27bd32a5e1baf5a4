//! What is written: calls with their charge, refusals, the node's own acts.

use std::future::Future;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use lingqu_core::call::{Call, Denial, Evaluated};
use lingqu_core::decide::Permit;
use lingqu_core::product::ProductKind;
use lingqu_core::receipt::Receipt;
use lingqu_core::record::{Draft, Field, Kind, Unplaced};
use lingqu_core::{ErrorCode, Timestamp};
use lingqu_policy::SubjectLimit;
use lingqu_tlog::Suite;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Journal;
use super::charge::{Charge, Held};
use super::denials::{Denials, Noted};
use super::ledger::{AccountId, Reserved};
use super::options::DRAFT_LEN_MAX;
use super::release::{Recorded, Released, Unrecorded};
use super::stage::{Done, Item, Place, Work};
use super::state::AppendFailed;
use super::subjects::{Asked, SubjectUse};
use crate::commit::NotQueued;

impl<S: Suite> Journal<S> {
    /// Reserves one unit of the permit's quota and a place in the queue. Both are counted at once, so that any number
    /// of calls at the same time stay within the quota.
    ///
    /// # Errors
    /// `QUOTA_EXHAUSTED`, `OVERLOADED`, or `AUDIT_UNAVAILABLE` when nothing can be recorded.
    pub fn reserve(&self, permit: &Permit) -> Result<Charge<S>, ErrorCode> {
        self.reserve_about(permit, None)
    }

    /// As [`Journal::reserve`], for a call about `subject`, which is counted too where the permit limits it.
    ///
    /// # Errors
    /// As [`Journal::reserve`]; `SUBJECT_LIMIT_REACHED`; `INTERNAL` if the permit's limit could not be counted for want of
    /// a tag.
    pub fn reserve_about(
        &self,
        permit: &Permit,
        subject: Option<SubjectUse>,
    ) -> Result<Charge<S>, ErrorCode> {
        let is_about_somebody = permit.kind() != ProductKind::Statistic;
        let limited = match (permit.subject_limit(), subject) {
            (Some(limit), Some(subject)) => {
                let grant = permit.grant().clone();
                Some((limit, Asked { subject, grant }))
            }
            // A defect of the caller of this: a limit must never be passed by because nobody made a tag.
            (Some(_), None) if is_about_somebody => return Err(ErrorCode::Internal),
            (Some(_) | None, _) => None,
        };
        self.reserve_for(permit, Reserved::Call, limited)
    }

    /// The same for the explanation of a call, whose record costs no unit. A day has as many explanations as calls.
    ///
    /// # Errors
    /// As [`Self::reserve`].
    pub fn reserve_explanation(&self, permit: &Permit) -> Result<Charge<S>, ErrorCode> {
        self.reserve_for(permit, Reserved::Explanation, None)
    }

    fn reserve_for(
        &self,
        permit: &Permit,
        what: Reserved,
        limited: Option<(SubjectLimit, Asked)>,
    ) -> Result<Charge<S>, ErrorCode> {
        let shared = &self.inner.shared;
        let account = AccountId::of(permit);
        let mut state = shared.lock();
        state
            .phase
            .check()
            .map_err(|_| ErrorCode::AuditUnavailable)?;
        if state.calls_under_way >= shared.limits.queue_max {
            return Err(ErrorCode::Overloaded);
        }
        let fold = &mut state.fold;
        if let Some((limit, asked)) = &limited {
            fold.subjects.reserve(asked, *limit, fold.last_time)?;
        }
        let reserved = fold
            .ledger
            .reserve(&account, permit.quota(), permit.at(), what);
        if let (Err(_), Some((_, asked))) = (&reserved, &limited) {
            fold.subjects.end_reservation(asked);
        }
        let (not_before, account) = reserved?;
        state.calls_under_way += 1;
        drop(state);
        let held = Held {
            account,
            asked: limited.map(|(_, asked)| Box::new(asked)),
        };
        Ok(Charge::new(
            Arc::clone(shared),
            permit.clone(),
            held,
            not_before,
        ))
    }

    /// Records a call with its charge and outcome. When this returns `Ok` the record is R1: durable and in a signed
    /// checkpoint. The charge is spent when this is called, whatever comes of it.
    ///
    /// # Errors
    /// [`AppendFailed`]: then the answer must not leave.
    pub fn record<T>(
        &self,
        call: Call<Evaluated<T>>,
        charge: Charge<S>,
    ) -> impl Future<Output = Result<Recorded<T>, AppendFailed>> + use<S, T> {
        // Queued here and not at the first poll: a future that is dropped unpolled must not take the record with it.
        let queued = self.queue_call(&call, charge);
        let stream = self.inner.shared.stream;
        async move {
            // The committer drops the sender without a word if the record may not be durable.
            let Place { index, entry } = queued?.await.map_err(|_| AppendFailed::Failed)?;
            let (header, permit, result) = call.into_result();
            Ok(Recorded {
                header,
                permit,
                result,
                stream,
                index,
                entry,
            })
        }
    }

    fn queue_call<T>(
        &self,
        call: &Call<Evaluated<T>>,
        charge: Charge<S>,
    ) -> Result<oneshot::Receiver<Place>, AppendFailed> {
        let spent = charge.spend(call.permit())?;
        let (sender, receiver) = oneshot::channel();
        let mut draft = call.draft();
        draft.refers_to = spent.debit;
        if let Some(Asked { subject, .. }) = spent.settles.asked() {
            let ends = u64::try_from(subject.ends.0).unwrap_or(0);
            draft.clear = draft
                .clear
                .bytes(Field::SubjectTag, &subject.tag)
                .number(Field::SubjectWindowEnds, ends);
        }
        let mut item = self.item_of(draft, Done::Record(sender), None);
        item.settles = Some(spent.settles);
        item.not_before = spent.not_before;
        let queued = self.queue(item);
        if queued.is_err() {
            // The unit stays spent; the place in the queue is free.
            self.inner.shared.lock().calls_under_way -= 1;
        }
        queued.map(|()| receiver)
    }

    /// Records an act of the node itself: its start, its end, a change of what it may do. Gives the record's index.
    ///
    /// # Errors
    /// [`AppendFailed`]; [`AppendFailed::Kind`] for calls and denials.
    pub async fn append(&self, draft: Draft) -> Result<u64, AppendFailed> {
        Ok(self.append_placed(draft).await?.index)
    }

    /// As [`Journal::append`], and waits at most `wait` for the mirror's cosignature: for acts that must not be done
    /// before others can see that they are. None if the mirror did not cosign in time; the record stands all the same.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub async fn append_mirrored(
        &self,
        draft: Draft,
        wait: Duration,
    ) -> Result<Option<Receipt>, AppendFailed> {
        let Place { index, entry } = self.append_placed(draft).await?;
        let mirrored = self.wait_for_mirror(index, &entry, wait).await;
        Ok(mirrored.map(|(receipt, _)| receipt))
    }

    async fn append_placed(&self, draft: Draft) -> Result<Place, AppendFailed> {
        match draft.kind {
            Kind::AuthorizationChange
            | Kind::Control
            | Kind::Heartbeat
            | Kind::Load
            | Kind::NodeStart
            | Kind::NodeStop => {}
            Kind::Call
            | Kind::Debit
            | Kind::Denials
            | Kind::Forward
            | Kind::StreamBegin
            | Kind::StreamEnd => return Err(AppendFailed::Kind),
        }
        let slot = Arc::clone(&self.inner.control_slots)
            .acquire_owned()
            .await
            .map_err(|_| AppendFailed::Closed)?;
        let (sender, receiver) = oneshot::channel();
        self.queue(self.item_of(draft, Done::Record(sender), Some(slot)))?;
        receiver.await.map_err(|_| AppendFailed::Failed)
    }

    /// Records that the node is there, if nothing was recorded for `idle`; gives the record's index if there is one. A
    /// stream that is silent for longer than its heartbeats say was cut off, or its node is down.
    ///
    /// # Errors
    /// [`AppendFailed`]
    pub async fn beat(&self, idle: Duration) -> Result<Option<u64>, AppendFailed> {
        let shared = &self.inner.shared;
        let last = shared.lock().fold.last_time;
        if shared.clock.now().since(last) < idle {
            return Ok(None);
        }
        self.append(Draft::new(Kind::Heartbeat)).await.map(Some)
    }

    /// Records a refusal. The first of its kind within a minute is durable before this returns, later ones are counted
    /// and wait for the first. If that cannot be had, the refusal leaves as `AUDIT_UNAVAILABLE`; as `RATE_LIMITED` or
    /// `OVERLOADED` if only there are too many of them, which is the callers' doing and no fault of the journal.
    pub async fn deny<T>(&self, denial: Denial) -> Released<T> {
        let told = denial.told();
        match self.note_denial(denial).await {
            Ok(()) => Released::denied(told),
            Err(why) => Released::unrecorded(why),
        }
    }

    async fn note_denial(&self, denial: Denial) -> Result<(), Unrecorded> {
        const FAILED: Unrecorded = Unrecorded::AuditUnavailable;
        { self.inner.shared.lock().phase.check() }.map_err(|_| FAILED)?;
        let now = self.inner.shared.clock.now();
        let mut noted = self.note(&denial, now);
        if matches!(noted, Noted::Full) {
            self.flush_denials();
            noted = self.note(&denial, now);
        }
        let mut durable = match noted {
            Noted::Counted(durable) => durable,
            Noted::First(sender) => {
                let durable = sender.subscribe();
                // Without a slot the sender is dropped, and the next refusal of the kind is the first.
                let slot = Arc::clone(&self.inner.denial_slots).try_acquire_owned();
                let slot = slot.map_err(|_| Unrecorded::Overloaded)?;
                let item = self.item_of(denial.draft(1), Done::Denial(sender), Some(slot));
                self.queue(item).map_err(|_| FAILED)?;
                durable
            }
            Noted::Full => return Err(Unrecorded::RateLimited),
        };
        let is_durable = durable.wait_for(|durable| *durable).await;
        is_durable.map(drop).map_err(|_| FAILED)
    }

    fn note(&self, denial: &Denial, now: Timestamp) -> Noted {
        self.denials().note(denial, now)
    }

    /// Writes the counts of refusals of past minutes. To be called once a minute; what finds no place in the queue
    /// waits for the next time.
    pub fn flush_denials(&self) {
        let now = self.inner.shared.clock.now();
        while let Ok(slot) = Arc::clone(&self.inner.denial_slots).try_acquire_owned() {
            // Held until the counts are queued: closing waits for it, so that they are not lost between.
            let mut denials = self.denials();
            if self.inner.shared.lock().phase.check().is_err() {
                return;
            }
            let drafts = denials.take_finished(Some(now), self.counts_of_one_frame());
            let item = self.item(drafts, Done::Nobody, Some(slot));
            if item.is_empty() || self.inner.committer.submit(item).is_err() {
                return;
            }
        }
    }

    /// Writes all counts. The journal takes nothing else any more.
    pub(super) fn write_denials_at_close(&self) {
        let mut denials = self.denials();
        loop {
            let drafts = denials.take_finished(None, self.counts_of_one_frame());
            let item = self.item(drafts, Done::Nobody, None);
            if item.is_empty() || self.inner.committer.submit_waiting(item).is_err() {
                return;
            }
        }
    }

    /// Records that certainly fit into one frame.
    fn counts_of_one_frame(&self) -> usize {
        self.inner.shared.limits.frame_room() / DRAFT_LEN_MAX
    }

    fn denials(&self) -> MutexGuard<'_, Denials> {
        self.inner
            .denials
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Self::item`], for one draft.
    pub(super) fn item_of(
        &self,
        draft: Draft,
        done: Done,
        slot: Option<OwnedSemaphorePermit>,
    ) -> Item {
        let record = Unplaced::new::<S>(draft, self.inner.shared.stream);
        Item::new(Work::Record(record), done, slot)
    }

    /// Drafts on their way to the committer, encoded here: on the caller's thread, not on the one that all wait for.
    pub(super) fn item(
        &self,
        drafts: Vec<Draft>,
        done: Done,
        slot: Option<OwnedSemaphorePermit>,
    ) -> Item {
        let stream = self.inner.shared.stream;
        let drafts = drafts.into_iter();
        let records = drafts.map(|draft| Unplaced::new::<S>(draft, stream));
        Item::new(Work::Records(records.collect()), done, slot)
    }

    pub(super) fn queue(&self, item: Item) -> Result<(), AppendFailed> {
        let shared = &self.inner.shared;
        if !shared.glance().is_ready() {
            shared.lock().phase.check()?;
        }
        self.inner
            .committer
            .submit(item)
            .map_err(|refused| match refused.reason {
                NotQueued::Closed => AppendFailed::Closed,
                // Slots keep the queue from being full; if it is, nothing was taken and nothing may leave.
                NotQueued::Failed | NotQueued::Full => AppendFailed::Failed,
            })
    }
}
