//! What the process that is killed and the test that kills it say to each other: one JSON object a line.
//!
//! The child writes each line with one `write`, so that a kill leaves whole lines and at most one torn one, which counts
//! as not received: nothing in it has left.

use serde::{Deserialize, Serialize};

/// What the test tells its child.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Told {
    /// The mirror's newest checkpoint of the stream, if it has one, and how many calls are worked on at a time.
    Begin {
        mirror: Option<String>,
        at_once: usize,
    },
    /// Make this call. The number is also its id and its request.
    Call(u64),
    /// The checkpoint of a batch with the mirror's cosignature.
    Cosigned(String),
    /// Entries that the mirror has and the journal lost, in hexadecimal, up to the mirror's newest checkpoint.
    Missing {
        entries: Vec<String>,
        checkpoint: String,
    },
}

/// What the child says.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Said {
    /// The journal is open again: its newest checkpoint, its size, and what is used of the grant.
    Opened {
        checkpoint: Option<String>,
        size: u64,
        used: u64,
    },
    /// The mirror has more than the journal, from this index on.
    Behind(u64),
    /// Calls are taken from here on.
    Ready,
    /// An answer with its receipt in text form.
    Answered {
        call: u64,
        answer: u64,
        receipt: String,
    },
    /// A refusal, or a code without an answer.
    Refused { call: u64, code: String },
    /// Entries for the mirror, in hexadecimal.
    Batch {
        first: u64,
        entries: Vec<String>,
        checkpoint: String,
    },
    /// The coordinator serves here; its own stream's origin, newest checkpoint and epoch.
    Serving {
        address: String,
        own_origin: String,
        own_checkpoint: Option<String>,
        epoch: u64,
    },
}
