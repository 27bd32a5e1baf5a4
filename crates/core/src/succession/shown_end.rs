//! A record that ends a stream as its node signed it, shown to others because it may not be: the file of evidence.
//!
//! A mirror that is offered an end without the unit's order takes nothing, so no log has the record. What proves the
//! attempt is the receipt of the record under the checkpoint that the node signed for it; whether the end holds is for
//! whoever reads the order to say.

use std::fmt;

use crate::receipt::Receipt;

/// First line of the file.
pub const SHOWN_END_HEADER: &str = "lingqu/end/v1\n";

/// The receipt of an end, unverified. `Display` gives the exact bytes of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownEnd(pub Receipt);

impl ShownEnd {
    /// Reads a file; nothing is verified. None for whatever [`ShownEnd`] would not display, byte for byte.
    pub fn parse(text: &str) -> Option<ShownEnd> {
        let receipt = Receipt::from_tlog_proof(text.strip_prefix(SHOWN_END_HEADER)?).ok()?;
        let shown = ShownEnd(receipt);
        (shown.to_string() == text).then_some(shown)
    }
}

impl fmt::Display for ShownEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SHOWN_END_HEADER}{}", self.0.tlog_proof())
    }
}
