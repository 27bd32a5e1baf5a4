//! When each node was last heard of, since this process started.
//!
//! In memory: a node that was heard of before shows the time of its newest cosigned batch instead. Only enrolled nodes
//! get here, so the table has as many entries as the register.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use lingqu_core::{NodeId, Timestamp};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Contacts(Mutex<HashMap<NodeId, Timestamp>>);

impl Contacts {
    /// The node said something.
    pub(crate) fn heard(&self, node: &NodeId, now: Timestamp) {
        let mut contacts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match contacts.get_mut(node) {
            Some(last) => *last = now.max(*last),
            None => drop(contacts.insert(node.clone(), now)),
        }
    }

    /// When it last did, if it has.
    pub(crate) fn last(&self, node: &NodeId) -> Option<Timestamp> {
        let contacts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        contacts.get(node).copied()
    }
}
