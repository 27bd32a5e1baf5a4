//! Steps 5 and 7 of a call: what a product computes, inside the node.

pub mod verification;
