//! Orders about kept bodies, as two commands sign them.

use lingqu_core::body::{BodyOrder, Day, Days};
use lingqu_core::envelope::Envelope;
use lingqu_proto::{open, seal};
use lingqu_tlog::Signer;

use crate::failure::Failure;

/// The days from `first` to `last`.
pub(crate) fn days(first: Day, last: Day) -> Result<Days, Failure> {
    let days = Days::new(first, last);
    days.ok_or_else(|| {
        Failure::Unusable("`--to` lies before `--from`, or too far after".to_owned())
    })
}

/// Checks what is to be signed as its reader will, and signs it.
pub(crate) fn sign(order: &BodyOrder, key: &dyn Signer) -> Result<Envelope, Failure> {
    let mut envelope = seal(order);
    open::<BodyOrder>(&envelope).map_err(|error| Failure::Unusable(error.to_string()))?;
    envelope.sign(order.by.as_str(), key);
    Ok(envelope)
}
