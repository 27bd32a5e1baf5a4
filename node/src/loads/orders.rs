//! The unit's signed orders about its resources: it has looked at a table that changed, or a load was wrong.

use lingqu_core::ErrorCode;
use lingqu_core::envelope::Envelope;
use lingqu_core::record::{Clear, Field};
use lingqu_core::source_order::{SourceAct, SourceOrder};

use super::about;
use super::remembered::check;
use crate::Node;
use crate::products::{Correction, Task};

impl Node {
    /// Carries out an order of the unit about one of its resources, and begins the load that it asks for. Blocking: it
    /// writes files.
    ///
    /// # Errors
    /// `OBJECT_SIGNATURE_INVALID`, `OBJECT_INVALID`, `OBJECT_CONFLICT` for an order that is not newer than the last one
    /// or accepts other columns than are there now, `RESOURCE_UNKNOWN`, `LOAD_UNKNOWN`.
    pub fn order_source(&self, envelope: &Envelope) -> Result<(), ErrorCode> {
        let order = check(envelope, &self.pinned)?;
        let place = self.place(&order.resource, Some(order.environment))?;
        match &order.act {
            SourceAct::Accept { schema } => {
                let drift = self
                    .products
                    .drift(place)
                    .ok_or(ErrorCode::ObjectConflict)?;
                if drift.found.digest() != *schema {
                    return Err(ErrorCode::ObjectConflict);
                }
                let found = Some(drift.found.clone());
                self.loader.kept.take(place, &order, envelope, found)?;
                self.record_order(place, &order, envelope);
                self.products.set_drift(place, None);
                // What answered before answers again; the load that follows brings the table as it is now.
                self.load_anyhow(place, Task::default())
            }
            SourceAct::Correct { wrong, reason } => {
                if !self.loader.kept.had(place, wrong) {
                    return Err(ErrorCode::LoadUnknown);
                }
                self.loader.kept.take(place, &order, envelope, None)?;
                self.record_order(place, &order, envelope);
                // Nothing answers any more from what the unit says is wrong, whether or not the next load succeeds.
                self.products.withdraw(wrong);
                let corrects = Correction {
                    wrong: wrong.clone(),
                    reason: reason.clone(),
                    number: order.number,
                };
                let task = Task {
                    as_of: None,
                    corrects: Some(corrects),
                };
                self.load_anyhow(place, task)
            }
        }
    }

    /// The order holds, whether its load begins or one is under way already.
    fn load_anyhow(&self, place: usize, task: Task) -> Result<(), ErrorCode> {
        match self.enqueue(place, task) {
            Ok(()) | Err(ErrorCode::LoadRunning) => Ok(()),
            Err(code) => Err(code),
        }
    }

    /// Number of the last order about a source.
    pub fn source_order_number(&self) -> u64 {
        self.loader.kept.number()
    }

    fn record_order(&self, place: usize, order: &SourceOrder, envelope: &Envelope) {
        let clear: Clear = about(&self.products.resources()[place])
            .number(Field::SourceOrder, order.number)
            .bytes(Field::ObjectDigest, &envelope.digest().0);
        self.record_change(match &order.act {
            SourceAct::Accept { .. } => clear.text(Field::Action, "source-accept"),
            SourceAct::Correct { wrong, reason } => clear
                .text(Field::Action, "source-correct")
                .text(Field::WrongLoad, wrong.as_str())
                .text(Field::Reason, reason),
        });
    }
}
