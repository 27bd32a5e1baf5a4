//! What every way in does with a call: hand it to a task of its own, and take back only what was released.

use std::sync::Arc;

use lingqu_core::ErrorCode;
use lingqu_journal::{Released, Unrecorded};
use lingqu_proto::{CallInvalid, ProductCall};
use tokio_util::task::TaskTracker;

use crate::Node;
use crate::admission::caller::Caller;
use crate::admission::throttle::Place;
use crate::call::{self, Refused, Served};

/// The node as a way in sees it.
#[derive(Clone)]
pub(super) struct Calling {
    node: Arc<Node>,
    tasks: TaskTracker,
}

impl Calling {
    pub(super) fn new(node: Arc<Node>, tasks: TaskTracker) -> Self {
        Calling { node, tasks }
    }

    pub(super) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Makes a call. It runs in its own task: a client that hangs up cancels its handler, never the bookkeeping.
    pub(super) async fn make(
        &self,
        caller: &Caller,
        call: Result<ProductCall, CallInvalid>,
    ) -> Served {
        let (node, caller) = (Arc::clone(&self.node), caller.clone());
        let task = self
            .tasks
            .spawn(async move { call::serve(&node, &caller, call).await });
        // A panic outside the evaluation is a defect of ours; nothing has left.
        task.await
            .unwrap_or_else(|_| Released::unrecorded(Unrecorded::AuditUnavailable).into())
    }

    /// Refuses what should have become a call: recorded, counted and limited like every refusal.
    pub(super) async fn refuse(&self, caller: &Caller, invalid: CallInvalid) -> Refused {
        match self.make(caller, Err(invalid)).await.into_answer() {
            Err(refused) => refused,
            // Cannot be: there was nothing to evaluate.
            Ok(_) => ErrorCode::Internal.into(),
        }
    }

    /// How the streams after that of this origin follow each other.
    pub(super) async fn links(&self, after: String) -> Result<Vec<Vec<u8>>, ErrorCode> {
        let node = Arc::clone(&self.node);
        let tracker = node.blocking.clone();
        let read = tracker.spawn_blocking(move || node.links(&after)).await;
        match read {
            Ok(Ok(links)) => Ok(links),
            Ok(Err(error)) => {
                tracing::error!(%error, "the links between streams cannot be read");
                Err(ErrorCode::Internal)
            }
            Err(_) => Err(ErrorCode::Internal),
        }
    }

    /// A place among the party's requests at one time, for what is no call; a call takes its own.
    pub(super) fn place(&self, caller: &Caller) -> Result<Place, ErrorCode> {
        self.node
            .throttle
            .enter(&caller.party, self.node.clock.monotonic())
            .map_err(|_| ErrorCode::RateLimited)
    }

    /// Counts the refusal of what was never meant as a call against its party. It is not recorded.
    pub(super) fn turned_away(&self, caller: &Caller) {
        self.node
            .throttle
            .denied(&caller.party, self.node.clock.monotonic());
    }
}
