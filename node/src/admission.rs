//! Step 2 to 4 of a call: who is calling, what the node holds, and the decision.

pub mod admit;
pub mod caller;
pub mod epoch;
pub mod holdings;
pub mod retries;
pub(crate) mod subjects;
pub mod throttle;
