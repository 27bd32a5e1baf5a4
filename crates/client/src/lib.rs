//! The caller's side: calls a node and checks the receipt before it hands over the answer.
